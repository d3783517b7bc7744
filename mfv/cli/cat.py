"""`mfv cat`"""

import sys
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, AmbiguousError, NotFoundError, UsageError, did_you_mean
from mfv.history.find import find_object, find_run
from mfv.ids import BlobId
from mfv.manifest.artifact import PICKLE, SCALAR, Artifact
from mfv.repo.gone import told_if_gone
from mfv.repo.repository import Repository
from mfv.repo.view import RunView


def command(
    target: Annotated[str, argument("RUN/step/task/artifact, or RUN:path.", "OBJECT")],
    load: Annotated[
        bool, option("--load", help="Unpickle the value and print it: runs the code it names.")
    ] = False,
    trust: Annotated[
        bool, option("--trust", help="Unpickle it also where the repository is not trusted.")
    ] = False,
    raw: Annotated[bool, option("--raw", help="The stored frames, one after another.")] = False,
) -> int:
    """Write out an artifact or a file of the code.

    Numbers and text are printed, bytes (a picture, say) come out as they are. Any other value is
    a pickle: --load makes it again and prints it, --raw writes its frames without running
    anything.

    Of a repository that is not yours, and that you do not trust (see `mfv trust`), --load makes
    only values of harmless data.

    Examples: mfv cat 42/accuracy · mfv cat 42/figure > figure.png · mfv cat 42:train.py
    """
    repo = repository()
    named = _run_and_path(repo, target)
    if named is not None:
        _write_blob(repo, _file(*named))
        return EXIT_OK
    found = find_object(repo, target)
    if found.artifact is None:
        raise UsageError(
            f"{target!r} is no artifact", hint=f"`mfv show {target}` lists what there is"
        )
    with told_if_gone(found.run.state, found.artifact.name):
        if load and not raw and found.artifact.serializer == PICKLE:
            _load(repo, found.run, found.artifact, target, trust=trust)
        else:
            _cat(repo, found.artifact, target, raw=raw)
    return EXIT_OK


def _load(repo: Repository, run: RunView, artifact: Artifact, target: str, *, trust: bool) -> None:
    from mfv.repo.trust import load

    manifest = run.manifest
    origin = None if manifest is None else manifest.origin
    value = load(repo, artifact, target, origin=origin, trust=trust or None, once="--trust")
    _print(str(value))


def _cat(repo: Repository, artifact: Artifact, target: str, *, raw: bool) -> None:
    if artifact.serializer == SCALAR:
        _print(str(artifact.value))
    elif raw or artifact.serializer != PICKLE:
        for frame in artifact.frames:
            _write_blob(repo, frame.id)
    else:
        raise UsageError(
            f"{target!r} is a pickle of {artifact.type}, and a pickle is a program",
            hint="--load runs it and prints the value, --raw writes its bytes, "
            "`mfv show` tells what it is",
        )


def _run_and_path(repo: Repository, target: str) -> tuple[RunView, str] | None:
    """The two sides of RUN:path; None if no side of a colon is a run. Tags may hold colons."""
    for place, char in enumerate(target):
        if char != ":":
            continue
        try:
            return find_run(repo, target[:place]), target[place + 1 :]
        except AmbiguousError:
            raise
        except (NotFoundError, UsageError):
            continue
    return None


def _file(view: RunView, path: str) -> BlobId:
    files = {f.path.decode("utf-8", "surrogateescape"): f for f in view.tree.files}
    if path not in files:
        hint = did_you_mean(path, files) or f"`mfv show {view.name} --code` lists its files"
        raise NotFoundError(f"the code of {view.name} has no file {path!r}", hint=hint)
    return BlobId(files[path].blob)


def _write(data: memoryview) -> None:
    """Bytes as they are; on a terminal as text, escaped, for a terminal acts on some of them."""
    if sys.stdout.isatty():
        try:
            text = str(data, "utf-8")
        except UnicodeDecodeError:
            raise UsageError(
                "these bytes are no text, and stdout is a terminal",
                hint="write them to a file: mfv cat ... > FILE",
            ) from None
        print(_escaped(text), end="")
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _write_blob(repo: Repository, blob: BlobId) -> None:
    """Large ones a piece at a time: a file may be larger than memory."""
    if sys.stdout.isatty():
        _write(repo.database.read_blob(blob))
        return
    for piece in repo.database.stream_blob(blob):
        _write(memoryview(piece))


def _print(text: str) -> None:
    print(_escaped(text) if sys.stdout.isatty() else text)


def _escaped(text: str) -> str:
    from mfv.render.text import escape

    return escape(text, keep="\n\t")
