"""Introduces flows to repositories: the one place that knows both."""

from __future__ import annotations

import codecs
import contextlib
import inspect
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn, cast

import msgspec

from mfv._version import __version__
from mfv.capture import environment, git, process, snapshot
from mfv.capture.listing import NESTED_CLONE
from mfv.capture.secrets import is_secret_name, is_secret_path
from mfv.capture.user import user_at_host
from mfv.errors import FlowError, MfvError, StorageError, UnpicklableError
from mfv.flow.config import (
    VALUE_OPTION,
    ConfigOption,
    ReadConfig,
    collect_configs,
    know,
    read_configs,
    values_of,
)
from mfv.flow.configvalue import ConfigValue
from mfv.flow.decorators.base import Beginning, policy_of
from mfv.flow.decorators.force import NOTHING_TYPED, Typed, pre_mutate, put_in_force
from mfv.flow.engine import Engine
from mfv.flow.graph import Graph, read_graph
from mfv.flow.includefile import Included, IncludeFile, include
from mfv.flow.interrupts import Interrupts
from mfv.flow.lint import check
from mfv.flow.order import Order
from mfv.flow.parameters import Parameter, ParameterContext, as_text, collect, resolve
from mfv.flow.seams import NO_LIMITS, Ending, Limits, Outcome, Output, StoreAgainError
from mfv.flow.spawning import Assignment, this_interpreter
from mfv.flow.spec import FlowSpec, constants_of
from mfv.flow.spool import SpoolFile
from mfv.flow.task import Attempt, FlowRun, Saved
from mfv.flow.threads import other_threads
from mfv.flow.workers import TaskServer, flush, perform, receive, send
from mfv.ids import PackId
from mfv.manifest.artifact import SCALAR, Artifact
from mfv.manifest.encoding import warm
from mfv.manifest.records import GivenFile, GraphNode, Opening, Task, TaskRef
from mfv.manifest.text import printable
from mfv.odb.writer import Parcel, Writer
from mfv.repo.artifacts import load, store, store_all
from mfv.repo.code import git_record, store_environment, store_tree
from mfv.repo.config import Process
from mfv.repo.config import read as read_config
from mfv.repo.entries import PackMade
from mfv.repo.lineage import Ancestry
from mfv.repo.log import CondemnedError
from mfv.repo.recorder import Finished, LongLog, RunRecorder
from mfv.repo.repository import Repository
from mfv.serde import pickle5
from mfv.serde.small import pack, unpack
from mfv.storage.local import LocalBackend

REDACTED = "<redacted>"


class Prepared(NamedTuple):
    """A flow that was checked and given its parameters, and has not started."""

    flow: type[FlowSpec]
    graph: Graph
    script: Path
    parameters: dict[str, Parameter]  # by name
    values: dict[str, object]  # by name; of an IncludeFile its path
    included: Mapping[str, Included] = {}  # by name; the files that were given
    configs: Mapping[str, ReadConfig] = {}  # by name
    beginning: Beginning = Beginning()  # what the flow's decorators add

    def seen(self) -> dict[str, object]:
        """What steps see of all inputs, by attribute."""
        found = {p.attribute: self.values[name] for name, p in self.parameters.items()}
        for name, file in self.included.items():
            found[self.parameters[name].attribute] = file.value
        return found | {c.spec.attribute: c.value for c in self.configs.values()}

    def recorded(self) -> dict[str, object]:
        """What is recorded of all inputs, by attribute: before any parser, and without a wrap."""
        found = self.seen() | {c.spec.attribute: c.recorded for c in self.configs.values()}
        for name, file in self.included.items():
            found[self.parameters[name].attribute] = file.content
        return found

    def secret(self) -> tuple[str, ...]:
        """The options whose value is kept out of the record; of a config, `config NAME`."""
        found = []
        for name, parameter in self.parameters.items():
            path = self.included[name].path if name in self.included else ""
            if _is_secret(name, parameter.attribute, path):
                found.append(name)
        for name, config in self.configs.items():
            kept = config.recorded
            if _is_secret(name, config.spec.attribute, config.path) or _open_part(kept) != kept:
                found.append(f"config {name}")
        return tuple(found)


class Result(NamedTuple):
    """A run that is over."""

    name: str  # Flow/number
    outcome: Outcome
    left_out: int  # files that the code snapshot does not hold, secrets among them


class _Briefing(msgspec.Struct, frozen=True, array_like=True):
    """What a new interpreter has to know of the run, beside the flow's script."""

    folder: str
    flow: str  # the class, as a user sees it
    values: list[bytes]  # frames of a pickle: attributes, constants, facts


class _Delivery(msgspec.Struct, frozen=True, array_like=True):
    """What a task's process did with its objects."""

    parcel: Parcel | None
    receipts: tuple[PackMade, ...]
    relied: tuple[bytes, ...]


def read_flow_configs(
    flow: type[FlowSpec], given: Sequence[ConfigOption], environ: Mapping[str, str], user: str
) -> dict[str, ReadConfig]:
    """Reads the configs of a flow, by name; from then on `resolve_delayed` knows them.

    Raises FlowError, ParameterError.
    """

    def context(name: str) -> ParameterContext:
        return ParameterContext(flow.__name__, user, name, print, "local")

    configs = read_configs(collect_configs(flow), given, environ, context)
    know(values_of(configs))
    return configs


def prepare(
    flow: type[FlowSpec],
    given: Mapping[str, str],
    environ: Mapping[str, str],
    user: str,
    typed: Typed = NOTHING_TYPED,
    configs: Mapping[str, ReadConfig] | None = None,
) -> Prepared:
    """Checks the flow and finds a value for each input; raises FlowError, ParameterError.

    `typed`: what the command line says of decorators, which are in force from here on. `configs`:
    as `read_flow_configs` gave them; read here if they were not.
    """
    if configs is None:
        configs = read_flow_configs(flow, (), environ, user)
    graph = read_graph(flow)
    check(graph)
    pre_mutate(flow)
    beginning = put_in_force(flow, graph, user, typed)
    parameters = collect(flow)
    known = ConfigValue(values_of(configs))

    def context(parameter: Parameter) -> ParameterContext:
        return ParameterContext(flow.__name__, user, parameter.name, print, "local", known)

    values = resolve(parameters, given, environ, context)
    included = {
        name: include(parameter, path)
        for name, parameter in parameters.items()
        if isinstance(parameter, IncludeFile) and isinstance(path := values[name], str)
    }
    script = Path(inspect.getfile(flow)).absolute()
    return Prepared(flow, graph, script, parameters, values, included, configs, beginning)


def run(
    prepared: Prepared,
    folder: Path,
    output: Output,
    *,
    opened: Callable[[str], None] = lambda name: None,
    tags: Sequence[str] = (),
    limits: Limits = NO_LIMITS,
    facts: Mapping[str, object] | None = None,
    process: Process | None = None,
) -> Result:
    """Runs a flow and records it in the repository at `folder`, which is made if need be.

    `opened` is told the run's name as soon as it has one. `facts` are what `current` tells tasks
    beside what is known here. However the flow ends, the run is
    sealed when this returns; SIGINT, SIGTERM and SIGHUP end it as interrupted, and a second one
    kills what still runs. Raises StorageError where recording itself failed; what was committed
    before is kept, and the run shows as crashed.

    `process`: whether tasks are forked or get new interpreters; None for what the repository's
    settings say.
    """
    with (
        Interrupts() as interrupts,
        tempfile.TemporaryDirectory(prefix="mfv-run-", ignore_cleanup_errors=True) as tempdir,
    ):
        more = {"tempdir": tempdir, **(facts or {})}
        folder = folder.absolute()
        way = process or read_config(LocalBackend(folder)).process
        return _run(prepared, folder, output, interrupts, opened, tags, limits, more, way)


def _run(
    prepared: Prepared,
    folder: Path,
    output: Output,
    interrupts: Interrupts,
    opened: Callable[[str], None],
    tags: Sequence[str],
    limits: Limits,
    more: Mapping[str, object],
    way: Process,
) -> Result:
    who = process.read_process()
    facts = {
        "username": who.user,
        "namespace": f"user:{who.user}",
        "tags": frozenset(tags),
        "origin_run_id": None,
        **prepared.beginning.facts,
        **more,
    }
    constants = constants_of(prepared.flow)
    flow_run = FlowRun(prepared.flow, prepared.graph, prepared.seen(), constants, facts)
    if way == "fork" and (others := other_threads()):
        output.note(
            f"the flow has threads ({', '.join(others)}), which its tasks' processes have not; "
            "if one hangs or crashes, try --process spawn"
        )
    # Before anything is opened: the tasks' processes are forked from this very moment.
    server = TaskServer(
        this_interpreter(_briefing(flow_run, folder))
        if way == "spawn"
        else lambda order, line: _run_task(flow_run, folder, order, line),
        _warm,
    )
    try:
        repository = Repository.create(folder, writer=user_at_host())
        recorder = RunRecorder(
            repository, lambda writer: _opening(writer, prepared, who, constants)
        )
        try:
            opened(recorder.name)
            for note in prepared.beginning.notes:
                output.note(note)
            if tags:
                state = repository.log.state.find(recorder.flow, recorder.number)
                assert state is not None
                repository.tag(add=[(state, tag) for tag in tags])
            commits = _Commits(recorder)
            outcome = Engine(
                prepared.graph,
                recorder.number,
                server,
                commits,
                output,
                interrupts,
                policies={step: policy_of(prepared.flow, step) for step in prepared.graph.nodes},
                limits=limits,
            ).run()
            if not outcome.sealed:
                commits.seal(outcome)
        finally:
            recorder.close()
        # Clones inside the folder are left out by design, run after run: no news.
        left_out = [one for one in recorder.opening.left_out if one.reason != NESTED_CLONE]
        return Result(recorder.name, outcome, len(left_out))
    finally:
        server.stop()


def _briefing(run: FlowRun, folder: Path) -> bytes:
    constants = {name: value for name, value in run.constants.items() if _pickles(value)}
    values = (dict(run.parameters), constants, dict(run.facts))
    frames = pickle5.dump(values, name="the values of the flow's parameters")
    name = run.flow.__qualname__
    return msgspec.msgpack.encode(
        _Briefing(os.fspath(folder), name, [bytes(frame.data) for frame in frames])
    )


def _pickles(value: object) -> bool:
    try:
        pickle5.dump(value, name="")
    except UnpicklableError:
        return False  # the script makes it again
    return True


def perform_spawned(flow: type[FlowSpec], assigned: Assignment, typed: Typed) -> NoReturn:
    """Runs the task that this interpreter was started for, and ends the process.

    `typed` as for `prepare`: the command line is the run's own.
    Raises FlowError if the script came to another flow than where the run was started.
    """
    briefing = msgspec.msgpack.decode(assigned.payload, type=_Briefing)
    if flow.__qualname__ != briefing.flow:
        raise FlowError(
            f"the script ran {flow.__qualname__} in a task of a run of {briefing.flow}",
            hint="with --process spawn each task runs the script anew: let it come to the same "
            "flow each time",
        )
    attributes, constants, facts = cast(
        "tuple[dict[str, object], ...]", pickle5.load([bytearray(one) for one in briefing.values])
    )
    graph = read_graph(flow)
    put_in_force(flow, graph, str(facts["username"]), typed)
    constants = {**constants_of(flow), **constants}
    run = FlowRun(flow, graph, attributes, constants, facts)
    folder = Path(briefing.folder)
    perform(lambda order, line: _run_task(run, folder, order, line), assigned.order, assigned.line)


class _Commits:
    """The flow's recorder, by way of a repository's."""

    def __init__(self, recorder: RunRecorder) -> None:
        self._recorder = recorder

    def commit(
        self, endings: Sequence[Ending], results: tuple[Artifact, ...] | None = None
    ) -> list[TaskRef]:
        finished = [self._finished(ending) for ending in endings]
        try:
            if results is None:
                return self._recorder.commit(finished)
            self.seal(Outcome("ok", results), finished)
            return [self._recorder.refs[ending.task.id] for ending in endings]
        except CondemnedError as error:
            condemned = frozenset(map(bytes, error.packs))
            leaning = [one.task.id for one in finished if one.packs & error.packs]
            raise StoreAgainError(dict.fromkeys(leaning, condemned)) from None

    def seal(self, outcome: Outcome, finished: Sequence[Finished] = ()) -> None:
        """Ends the run, with its last attempts if they are not committed yet."""
        self._recorder.seal(
            outcome.status,
            ended=time.time_ns() // 1000,
            results=tuple(a for a in outcome.results if a.serializer == SCALAR),
            failure=outcome.failure,
            failed_step=outcome.failed_step,
            finished=finished,
        )

    def _finished(self, ending: Ending) -> Finished:
        if not ending.delivery:
            return Finished(ending.task, _log(ending.stdout), _log(ending.stderr))
        delivery = msgspec.msgpack.decode(ending.delivery, type=_Delivery)
        return Finished(
            ending.task,
            _log(ending.stdout),
            _log(ending.stderr),
            delivery.parcel,
            tuple(made.receipt for made in delivery.receipts),
            frozenset(PackId(pack) for pack in delivery.relied),
        )


def _log(text: bytes | SpoolFile) -> bytes | LongLog:
    return LongLog(text.read_at, text.size, text.lines) if isinstance(text, SpoolFile) else text


class _Store:
    """The flow's store, in one task's process, by way of a repository's object database."""

    def __init__(self, folder: Path, flow: str, order: Order) -> None:
        self._repository = repository = Repository.open(folder)
        self._ancestry = Ancestry(repository, flow, order.run, order.step, order.splits)
        self._avoid: set[PackId] = set()

    def task(self, ref: TaskRef) -> Task:
        return self._repository.task(ref)

    def load(self, artifact: Artifact) -> object:
        return load(self._repository.database, artifact)

    def pack(self, item: object) -> bytes:
        return pack(item)

    def unpack(self, data: bytes) -> object:
        return unpack(data)

    def save(self, values: Mapping[str, object], avoid: frozenset[bytes]) -> Saved:
        self._avoid |= {PackId(pack) for pack in avoid}
        database = self._repository.database
        database.index.forget(self._avoid)
        writer = Writer(database, self._avoid)
        try:
            stored = store_all(writer, values, self._ancestry.of)
            delivery = _deliver(writer)
        except BaseException:
            writer.abandon()
            raise
        return Saved(stored.artifacts, stored.dropped, msgspec.msgpack.encode(delivery))


def _deliver(writer: Writer) -> _Delivery:
    """Little is handed over, much is written: durable when this returns."""
    handed = writer.parcel()
    if handed is not None:
        parcel, relied = handed
        return _Delivery(parcel, (), tuple(sorted(map(bytes, relied))))
    outcome = writer.flush()
    made = tuple(PackMade.of(receipt) for receipt in outcome.receipts)
    return _Delivery(None, made, tuple(sorted(map(bytes, outcome.relied))))


def _warm() -> None:
    """In the task server: what every task would else load for itself."""
    import mfv.serde.openfile
    import mfv.serde.pickle5
    import mfv.serde.scalar
    import mfv.serde.summary  # noqa: F401

    warm(Task)


def _run_task(run: FlowRun, folder: Path, order: Order, line: socket.socket) -> int:
    """In the task's process: runs the step, reports, and holds everything until it is durable."""
    # What the step reads through the client, or runs itself, belongs to the same repository.
    os.environ["MFV_DIR"] = os.fspath(folder)
    name = run.flow.__name__
    attempt = Attempt(run, order, _Store(folder, name, order), _handles(folder, name, order))
    succeeded = attempt.run()
    send(line, b"")  # the step is over: its time limit does not concern what is stored now
    # The step is over. A Ctrl-C that comes now must not cost what it made.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    avoid: frozenset[bytes] = frozenset()
    while True:
        report = attempt.report(avoid)
        for _, reason in report.dropped if not avoid else ():
            with contextlib.suppress(Exception):  # the step may have closed it
                print(f"not stored: {reason}", file=sys.stderr)
        flush()
        send(line, msgspec.msgpack.encode(report))
        answer = receive(line)
        if answer is None:
            return 1
        if answer == b"":
            return 0 if succeeded else 1
        avoid = frozenset(msgspec.msgpack.decode(answer, type=list[bytes]))


def _handles(folder: Path, flow: str, order: Order) -> dict[str, Callable[[], object]]:
    """`current.run` and `current.task`: the client's, which is loaded when they are asked for."""
    record = Task(
        flow=flow,
        run=order.run,
        step=order.step,
        id=order.id,
        status="failed",  # until it is known better
        started=time.time_ns() // 1000,
        ended=0,
        attempt=order.attempt,
        pid=os.getpid(),
        parents=tuple(ref.id for ref in order.parents),
        splits=order.splits,
    )

    def run() -> object:
        from mfv.client.running import running_run

        return running_run(folder, record)

    def task() -> object:
        from mfv.client.running import running_task

        return running_task(folder, record)

    return {"run": run, "task": task}


def _opening(
    writer: Writer,
    prepared: Prepared,
    who: process.Process,
    constants: Mapping[str, object],
) -> Opening:
    """Stores the code, the environment and the inputs, and describes the run."""
    shot = snapshot.take(prepared.script)
    state = git.read_git(prepared.script.parent)
    tree, left_out = store_tree(writer, shot)
    secret = prepared.secret()
    recorded = prepared.recorded()
    for name in secret:
        attribute, is_whole = _hidden(prepared, name)
        recorded[attribute] = REDACTED if is_whole else _open_part(recorded[attribute])
    parameters = {name: store(writer, name, value) for name, value in recorded.items()}
    kept = [_constant(writer, name, value) for name, value in constants.items()]
    return Opening(
        flow=prepared.flow.__name__,
        created=time.time_ns() // 1000,
        script=printable(shot.entry),
        parameters=tuple(parameters.values()),
        constants=tuple(artifact for artifact in kept if artifact is not None),
        graph=tuple(_node(prepared.graph, name) for name in prepared.graph.nodes),
        tree=bytes(tree),
        environment=bytes(store_environment(writer, environment.read_environment())),
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
        cloned_from=_cloned_from(shot.root),
        given=tuple(_given_files(writer, prepared, parameters, secret)),
        system_tags=tuple(map(printable, prepared.beginning.tags)),
    )


def _is_secret(name: str, attribute: str, path: str) -> bool:
    """Whether an input is likely to be one, by its names or that of the file it is read from."""
    return is_secret_name(name) or is_secret_name(attribute) or is_secret_path(path)


def _hidden(prepared: Prepared, option: str) -> tuple[str, bool]:
    """Where steps see a secret input, and whether it is secret as a whole."""
    kind, space, name = option.partition(" ")
    if not space:
        return prepared.parameters[kind].attribute, True
    config = prepared.configs[name]
    attribute = config.spec.attribute
    return attribute, _is_secret(name, attribute, config.path)


def _open_part(value: object) -> object:
    """A config without what stands in it under a name that says that it is a secret."""
    if type(value) is list:
        return [_open_part(one) for one in value]
    if type(value) is not dict:
        return value
    return {
        key: REDACTED if isinstance(key, str) and is_secret_name(key) else _open_part(inner)
        for key, inner in value.items()
    }


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


def _cloned_from(root: str) -> str | None:
    """The run whose clone the code in `root` is, as the clone's marker says."""
    try:
        marker = json.loads(Path(root, snapshot.CLONE_MARKER).read_text())
    except (OSError, ValueError):
        return None
    name = marker.get("run") if isinstance(marker, dict) else None
    return printable(name)[:300] if isinstance(name, str) else None


def default_folder(script: Path) -> Path:
    """Where the repository of a script's runs is made: beside its git root, else in the cwd."""
    root = snapshot.find_root(script)
    place = root if (root / ".git").exists() else Path(os.getcwd())
    return place / ".mfv"


__all__ = ["MfvError", "Prepared", "Result", "StorageError", "default_folder", "prepare", "run"]
