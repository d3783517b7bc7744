"""`python flow.py resume`"""

import os
from collections.abc import Mapping
from typing import Annotated

from mfv import launch
from mfv.capture.user import user_name
from mfv.cli.command import argument, option
from mfv.cli.flowcli.call import Call
from mfv.cli.flowcli.resuming import find
from mfv.cli.flowcli.starting import Options, start
from mfv.errors import UsageError, did_you_mean
from mfv.flow.parameters import collect


def command(
    call: Call,
    parameters: Mapping[str, str],
    options: Options,
    step: Annotated[
        str | None, argument("Run this step, and all after it, anew.", "[STEP]")
    ] = None,
    origin_run_id: Annotated[
        str | None, option("--origin-run-id", help="The run to go on from; else the newest.")
    ] = None,
    change: Annotated[
        list[str],
        option("--set", help="Give a parameter another value; can be given again.", metavar="N=V"),
    ] = (),  # type: ignore[assignment]
    trust_code: Annotated[
        bool,
        option("--trust-code", help="Take over all that succeeded, whatever changed since."),
    ] = False,
    run_id: Annotated[str | None, option("--run-id", help="Refused.", hidden=True)] = None,
) -> int:
    """Go on where a run ended: a new run that takes over what that one has finished.

    Parameters, configs and included files are those of the run that is resumed, but for those
    that --set changes; what was kept secret is to be given again. A task that succeeded is taken
    over if all that it depends on is as it was: the code that its step can reach, the parameters
    and constants that it reads, what it is given. All others run. A table tells for each step
    which it is, and why.

    Examples: python flow.py resume · python flow.py resume train --origin-run-id 42 · \
    python flow.py resume --set alpha=0.5
    """
    if run_id is not None:
        raise UsageError(
            "--run-id cannot be chosen: a resumed run is a new run, with a number of its own",
            hint="leave it out; --origin-run-id says which run to go on from",
        )
    if trust_code and change:
        raise UsageError(
            "--trust-code takes over what --set would have to change",
            hint="leave out one of them",
        )
    changed = dict(map(_assignment, change))

    def prepare() -> launch.Prepared:
        view = find(call.flow, origin_run_id)
        for name in parameters:
            if name not in view.opening.secret:
                raise UsageError(
                    f"--{name} cannot be changed: a resumed run has the parameters of {view.name}",
                    hint=f"`--set {name}=VALUE` changes it, and runs again what reads it",
                )
        _check_known(call, changed)
        resumed = launch.resume(view, call.flow, step, anew=changed, trust=trust_code)
        given = {**parameters, **changed}
        return launch.prepare(
            call.flow, given, os.environ, user_name(), call.typed, call.configs, resumed
        )

    return start(call, options, prepare)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--set {text} names no value", hint="write --set NAME=VALUE")
    return name.removeprefix("--"), value


def _check_known(call: Call, changed: Mapping[str, str]) -> None:
    known = collect(call.flow)
    for name in changed:
        if name not in known:
            hint = did_you_mean(name, known) or f"its parameters are {', '.join(known) or 'none'}"
            raise UsageError(f"{call.flow.__name__} has no parameter {name!r}", hint=hint)
