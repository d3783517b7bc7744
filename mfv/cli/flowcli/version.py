"""`python flow.py version`"""

import inspect
from pathlib import Path

from mfv._version import __version__
from mfv.capture import git
from mfv.cli.flowcli.call import Call
from mfv.errors import EXIT_OK


def command(call: Call) -> int:
    """Print the version of mfv, and the flow's own as its git tags tell it.

    Examples: python flow.py version
    """
    print(f"mfv {__version__}")
    own = git.version_string(git.read_git(Path(inspect.getfile(call.flow)).absolute().parent))
    if own is not None:
        print(f"{call.flow.__name__} {own}")
    return EXIT_OK
