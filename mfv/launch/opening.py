"""What is recorded of a run before its first task."""

from __future__ import annotations

import codecs
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mfv._version import __version__
from mfv.capture import environment, git, process, snapshot
from mfv.capture.modules import find_modules
from mfv.capture.secrets import REDACTED
from mfv.errors import UnpicklableError
from mfv.flow.config import VALUE_OPTION
from mfv.flow.graph import Graph
from mfv.flow.includefile import IncludeFile
from mfv.flow.parametervalues import as_text
from mfv.ids import PackId
from mfv.launch.prepare import Prepared, is_secret, open_part
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import GivenFile, GraphNode, Opening
from mfv.manifest.text import printable
from mfv.odb.writer import Writer
from mfv.repo.artifacts import store
from mfv.repo.code import git_record, store_environment
from mfv.repo.repository import Repository
from mfv.repo.snapshots import store_tree


def make_opening(
    writer: Writer,
    repository: Repository,
    prepared: Prepared,
    who: process.Process,
    constants: Mapping[str, object],
    cache: str | None = None,
) -> Opening:
    """Stores the code, the environment and the inputs, and describes the run.

    `cache`: the repository's folder for what may vanish at any time.
    """
    limits = repository.config
    root = os.fspath(snapshot.find_root(prepared.script))
    shot = snapshot.take(
        prepared.script,
        file_limit=limits.max_file_size,
        total_limit=limits.max_total_size,
        modules=find_modules(root, os.path.realpath(prepared.script)),
    )
    state = git.read_git(prepared.script.parent)
    tree, left_out = store_tree(writer, shot, repository.backend)
    secret = prepared.secret()
    recorded = prepared.recorded()
    for name in secret:
        attribute, is_whole = _hidden(prepared, name)
        recorded[attribute] = REDACTED if is_whole else open_part(recorded[attribute])
    parameters = {name: store(writer, name, value) for name, value in recorded.items()}
    kept = [_constant(writer, name, value) for name, value in constants.items()]
    cloned_from, cloned_origin = _cloned_from(shot.root)
    return Opening(
        flow=prepared.flow.__name__,
        created=time.time_ns() // 1000,
        script=printable(shot.entry),
        parameters=tuple(parameters.values()),
        constants=tuple(artifact for artifact in kept if artifact is not None),
        graph=tuple(_node(prepared.graph, name) for name in prepared.graph.nodes),
        tree=bytes(tree),
        environment=bytes(store_environment(writer, environment.read_environment(cache))),
        git=git_record(state),
        version=git.version_string(state),
        left_out=left_out,
        argv=tuple(map(printable, _without_values(who.argv, secret))),
        cwd=printable(who.cwd),
        user=printable(who.user),
        host=printable(who.host),
        variables=tuple((name, printable(value)) for name, value in who.variables),
        mfv=__version__,
        options=_options(prepared, secret),
        secret=secret,
        folder=printable(_below(shot.root, who.cwd)),
        cloned_from=cloned_from,
        cloned_origin=cloned_origin,
        given=tuple(_given_files(writer, prepared, parameters, secret)),
        resumed_from=None if prepared.resumed is None else prepared.resumed.number,
        trusted=prepared.resumed is not None and prepared.resumed.trust,
        system_tags=tuple(map(printable, prepared.beginning.tags)),
        flags=tuple(tuple(map(printable, process.redact(words))) for words in prepared.flags),
        hash_seed=who.hash_seed,
        module_path=tuple(map(printable, shot.search)),
    )


def _hidden(prepared: Prepared, option: str) -> tuple[str, bool]:
    """Where steps see a secret input, and whether it is secret as a whole."""
    kind, space, name = option.partition(" ")
    if not space:
        return prepared.parameters[kind].attribute, True
    config = prepared.configs[name]
    attribute = config.spec.attribute
    return attribute, is_secret(name, attribute, config.path)


def _given_files(
    writer: Writer, prepared: Prepared, artifacts: Mapping[str, Artifact], secret: Sequence[str]
) -> Iterator[GivenFile]:
    """What was read before the run, so that a clone can be given the same."""
    for name, file in prepared.included.items():
        parameter = prepared.parameters[name]
        assert isinstance(parameter, IncludeFile)
        if name in secret:
            continue
        frames = artifacts[parameter.attribute].frames
        # The artifact of a text is its UTF-8: mostly what the file is, and stored already.
        is_plain = not parameter.is_text or codecs.lookup(parameter.encoding).name == "utf-8"
        if frames and is_plain:
            blob, size = frames[0].blob, frames[0].size
        else:
            content = file.content
            data = content if isinstance(content, bytes) else content.encode(parameter.encoding)
            blob, size = bytes(writer.add_blob(data)), len(data)
        yield GivenFile((name,), printable(file.path), blob, size)
    for name, config in prepared.configs.items():
        if config.text is not None and f"config {name}" not in secret:
            data = config.text.encode("utf-8", "backslashreplace")
            blob = bytes(writer.add_blob(data))
            yield GivenFile(("config", name), printable(config.path), blob, len(data))


def _options(prepared: Prepared, secret: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each parameter as one would type it; secrets, files and those without a value left out."""
    texts = (
        (name, as_text(prepared.parameters[name], value))
        for name, value in prepared.values.items()
        if name not in secret and name not in prepared.included
    )
    return tuple((name, printable(text)) for name, text in texts if text is not None)


def _without_values(argv: Sequence[str], secret: Sequence[str]) -> list[str]:
    """The command line with the values of secret parameters taken out."""
    flags = {f"--{name}" for name in secret}
    configs = [name.removeprefix("config ") for name in secret if " " in name]
    apart, glued = [[VALUE_OPTION, n] for n in configs], {f"{VALUE_OPTION}={n}" for n in configs}
    words: list[str] = []
    for word in argv:
        flag, equals, _ = word.partition("=")
        last = words[-1] if words else ""
        if last in flags or last in glued or words[-2:] in apart:
            words.append(REDACTED)
        else:
            words.append(f"{flag}={REDACTED}" if equals and flag in flags else word)
    return words


def _below(root: str, folder: str) -> str:
    """`folder` as seen from `root`; empty if it is not below it."""
    relative = os.path.relpath(folder, root)
    return "" if relative == "." or relative.startswith("..") else relative


def _constant(writer: Writer, name: str, value: object) -> Artifact | None:
    try:
        return store(writer, name, value)
    except UnpicklableError:
        return None  # the code snapshot holds it


def _node(graph: Graph, name: str) -> GraphNode:
    node = graph[name]
    return GraphNode(name, node.kind.value, node.next, node.is_join, node.line, printable(node.doc))


def _cloned_from(root: str) -> tuple[str | None, bytes | None]:
    """The run whose clone the code in `root` is, and its repository, as the clone's marker says."""
    try:
        marker = json.loads(Path(root, snapshot.CLONE_MARKER).read_text())
    except (OSError, ValueError):
        return None, None
    name = marker.get("run") if isinstance(marker, dict) else None
    if not isinstance(name, str):
        return None, None
    origin = marker.get("origin")
    known = PackId.parse(origin) if isinstance(origin, str) else None
    return printable(name)[:300], None if known is None else bytes(known)
