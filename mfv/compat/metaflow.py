"""Importing this puts mfv in Metaflow's place: `import metaflow` gives mfv from now on.

In this process, and in every Python that it starts: what a step runs itself, what `Runner` runs.
It costs no more than `import mfv`; names are loaded on first use. Raises CompatError if Metaflow
itself has been imported before.
"""

import os

from mfv.compat import PATH
from mfv.compat.modules import register

register()

# Not read, only handed on: programs that are started from here find mfv as this one does.
_inherited = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
os.environ["PYTHONPATH"] = os.pathsep.join(
    [PATH, *(folder for folder in _inherited if folder != PATH)]
)
