"""`mfv verify`"""

import sys
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.cli.reproducing import print_verdict, stopped_by_signals, wish_of, with_secrets
from mfv.errors import EXIT_FAILED, EXIT_OK, UsageError
from mfv.history.find import find_run


def command(
    runs: Annotated[
        list[str], argument("The run; with --signatures any, or tags; all by default.", "[RUN]...")
    ] = (),  # type: ignore[assignment]
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
    signatures: Annotated[
        bool, option("--signatures", help="Run nothing: check who signed it, or the tag.")
    ] = False,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Run a run again out of its record, and compare what comes of it.

    The code is cloned to a temporary folder and run with the same inputs and variables; what comes
    of it is compared, artifact by artifact: the same bytes, the same value, or different. The
    first step that is not deterministic is named.

    Nothing is left behind, not in the log either. Exits with 1 if anything is different. A secret
    is given anew by its variable, `MFV_RUN_NAME`.

    With --signatures each run, or tag on a run, is good (signed by a key that your settings know),
    of an unknown key, bad (and why), or unsigned. Exits with 1 unless all are good.

    Examples: mfv verify 42 · mfv verify prod --env · mfv verify 42 --rtol 1e-6 \
    · mfv verify --signatures prod
    """
    if signatures:
        if env or load or trust or verbose or rtol or atol:
            raise UsageError("--signatures runs nothing, so no other option is of use with it")
        return _check_signatures(runs, json)
    if len(runs) != 1:
        raise UsageError("verify which run?", hint="mfv verify RUN; --signatures takes several")
    from mfv.verify.verifying import verify

    repo = repository()
    view = find_run(repo, runs[0])
    wish = wish_of(env, rtol, atol, load, trust)

    def note(text: str) -> None:
        if not json and sys.stderr.isatty():
            print(f"{text} ...", file=sys.stderr)

    with stopped_by_signals():
        verdict = verify(view, wish, with_secrets(view), note=note, output=2 if verbose else None)
    print_verdict(verdict, json=json)
    return EXIT_OK if verdict.rerun.is_alike else EXIT_FAILED


def _check_signatures(runs: list[str], json: bool) -> int:
    from mfv.history.history import History
    from mfv.repo import signing
    from mfv.repo.names import OPEN
    from mfv.repo.revision import resolve

    repo = repository()
    allowed, found = signing.allowed_keys(), []
    if runs:
        names = History(repo).names
        asked: dict[str, set[str]] = {}
        states = {}
        for text in runs:
            state = resolve(names, text)
            states[state.name] = state
            asked.setdefault(state.name, set()).add(text if text in state.tags else "")
    else:
        sealed = [one for one in repo.state if one.status != OPEN and not one.in_trash]
        states = {one.name: one for one in sealed}
        asked = {name: {""} for name in states}
    for name, state in states.items():
        found += signing.check(repo, state, allowed, sorted(asked[name]))
    if json:
        from mfv.render.json import document
        from mfv.render.signatures import signatures_json

        print(document({"good": signing.is_good(found), "signatures": signatures_json(found)}))
    elif found:
        from mfv.render.signatures import signatures_text
        from mfv.render.terminal import Paint, coloured, width

        print(signatures_text(found, width=width(), paint=Paint(coloured(sys.stdout))))
    else:
        print("there is no run")
    return EXIT_OK if signing.is_good(found) else EXIT_FAILED
