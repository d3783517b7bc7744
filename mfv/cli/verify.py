"""`mfv verify`"""

import sys
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.cli.reproducing import print_verdict, stopped_by_signals, wish_of, with_secrets
from mfv.errors import EXIT_FAILED, EXIT_OK
from mfv.history.find import find_run


def command(
    run: Annotated[str, argument("The run.", "RUN")],
    env: Annotated[
        bool, option("--env", help="In an environment made anew, with the packages that it had.")
    ] = False,
    rtol: Annotated[
        float, option("--rtol", help="How far numbers may be apart, as a part of the recorded one.")
    ] = 0.0,
    atol: Annotated[float, option("--atol", help="How far numbers may be apart at all.")] = 0.0,
    load: Annotated[
        bool,
        option("--load", help="Unpickle values whose bytes say too little: runs code they name."),
    ] = False,
    trust: Annotated[
        bool, option("--trust", help="Run the code of a run of another repository.")
    ] = False,
    verbose: Annotated[
        bool, option("-v", "--verbose", help="Show on stderr what the flow prints.")
    ] = False,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Run a run again out of its record, and compare what comes of it.

    The code is cloned to a temporary folder and run with the same inputs and variables; what comes
    of it is compared, artifact by artifact: the same bytes, the same value, or different. The
    first step that is not deterministic is named.

    Nothing is left behind, not in the log either. Exits with 1 if anything is different. A secret
    is given anew by its variable, `MFV_RUN_NAME`.

    Examples: mfv verify 42 · mfv verify prod --env · mfv verify 42 --rtol 1e-6
    """
    from mfv.verify.verifying import verify

    repo = repository()
    view = find_run(repo, run)
    wish = wish_of(env, rtol, atol, load, trust)

    def note(text: str) -> None:
        if not json and sys.stderr.isatty():
            print(f"{text} ...", file=sys.stderr)

    with stopped_by_signals():
        verdict = verify(view, wish, with_secrets(view), note=note, output=2 if verbose else None)
    print_verdict(verdict, json=json)
    return EXIT_OK if verdict.rerun.is_alike else EXIT_FAILED
