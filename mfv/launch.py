"""Introduces flows to repositories: the one place that knows both."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from mfv._version import __version__
from mfv.capture import environment, git, process, snapshot
from mfv.capture.listing import NESTED_CLONE
from mfv.capture.secrets import is_secret_name
from mfv.capture.user import user_at_host
from mfv.errors import MfvError, StorageError, UnpicklableError
from mfv.flow.decorators.base import Beginning, policy_of
from mfv.flow.decorators.force import NOTHING_TYPED, Typed, pre_mutate, put_in_force
from mfv.flow.engine import Engine
from mfv.flow.graph import Graph, read_graph
from mfv.flow.interrupts import Interrupts
from mfv.flow.lint import check
from mfv.flow.order import Order
from mfv.flow.parameters import Parameter, ParameterContext, as_text, collect, resolve
from mfv.flow.seams import NO_LIMITS, Ending, Limits, Outcome, Output, StoreAgainError
from mfv.flow.spec import FlowSpec, constants_of
from mfv.flow.task import Attempt, FlowRun, Saved
from mfv.flow.workers import TaskServer, flush, receive, send
from mfv.ids import PackId
from mfv.manifest.artifact import SCALAR, Artifact
from mfv.manifest.records import GraphNode, Opening, Task, TaskRef
from mfv.manifest.text import printable
from mfv.odb.writer import Parcel, Writer
from mfv.repo.artifacts import load, store, store_all
from mfv.repo.code import git_record, store_environment, store_tree
from mfv.repo.entries import PackMade
from mfv.repo.lineage import Ancestry
from mfv.repo.log import CondemnedError
from mfv.repo.recorder import Finished, RunRecorder
from mfv.repo.repository import Repository
from mfv.serde.small import pack, unpack

REDACTED = "<redacted>"


class Prepared(NamedTuple):
    """A flow that was checked and given its parameters, and has not started."""

    flow: type[FlowSpec]
    graph: Graph
    script: Path
    parameters: dict[str, Parameter]  # by name
    values: dict[str, object]  # by name
    beginning: Beginning = Beginning()  # what the flow's decorators add


class Result(NamedTuple):
    """A run that is over."""

    name: str  # Flow/number
    outcome: Outcome
    left_out: int  # files that the code snapshot does not hold, secrets among them


class _Delivery(msgspec.Struct, frozen=True, array_like=True):
    """What a task's process did with its objects."""

    parcel: Parcel | None
    receipts: tuple[PackMade, ...]
    relied: tuple[bytes, ...]


def prepare(
    flow: type[FlowSpec],
    given: Mapping[str, str],
    environ: Mapping[str, str],
    user: str,
    typed: Typed = NOTHING_TYPED,
) -> Prepared:
    """Checks the flow and finds a value for each parameter; raises FlowError, ParameterError.

    `typed`: what the command line says of decorators, which are in force from here on.
    """
    graph = read_graph(flow)
    check(graph)
    pre_mutate(flow)
    beginning = put_in_force(flow, graph, user, typed)
    parameters = collect(flow)

    def context(parameter: Parameter) -> ParameterContext:
        return ParameterContext(flow.__name__, user, parameter.name, print, "local")

    values = resolve(parameters, given, environ, context)
    script = Path(inspect.getfile(flow)).absolute()
    return Prepared(flow, graph, script, parameters, values, beginning)


def run(
    prepared: Prepared,
    folder: Path,
    output: Output,
    *,
    opened: Callable[[str], None] = lambda name: None,
    tags: Sequence[str] = (),
    limits: Limits = NO_LIMITS,
    facts: Mapping[str, object] | None = None,
) -> Result:
    """Runs a flow and records it in the repository at `folder`, which is made if need be.

    `opened` is told the run's name as soon as it has one. `facts` are what `current` tells tasks
    beside what is known here. However the flow ends, the run is
    sealed when this returns; SIGINT, SIGTERM and SIGHUP end it as interrupted, and a second one
    kills what still runs. Raises StorageError where recording itself failed; what was committed
    before is kept, and the run shows as crashed.
    """
    with (
        Interrupts() as interrupts,
        tempfile.TemporaryDirectory(prefix="mfv-run-", ignore_cleanup_errors=True) as tempdir,
    ):
        more = {"tempdir": tempdir, **(facts or {})}
        folder = folder.absolute()
        return _run(prepared, folder, output, interrupts, opened, tags, limits, more)


def _run(
    prepared: Prepared,
    folder: Path,
    output: Output,
    interrupts: Interrupts,
    opened: Callable[[str], None],
    tags: Sequence[str],
    limits: Limits,
    more: Mapping[str, object],
) -> Result:
    who = process.read_process()
    attributes = {prepared.parameters[n].attribute: v for n, v in prepared.values.items()}
    facts = {
        "username": who.user,
        "namespace": f"user:{who.user}",
        "tags": frozenset(tags),
        "origin_run_id": None,
        **prepared.beginning.facts,
        **more,
    }
    constants = constants_of(prepared.flow)
    flow_run = FlowRun(prepared.flow, prepared.graph, attributes, constants, facts)
    # Before anything is opened: the tasks' processes are forked from this very moment.
    server = TaskServer(lambda order, line: _run_task(flow_run, folder, order, line))
    try:
        repository = Repository.create(folder, writer=user_at_host())
        recorder = RunRecorder(
            repository, lambda writer: _opening(writer, prepared, who, attributes, constants)
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
            return Finished(ending.task, ending.stdout, ending.stderr)
        delivery = msgspec.msgpack.decode(ending.delivery, type=_Delivery)
        return Finished(
            ending.task,
            ending.stdout,
            ending.stderr,
            delivery.parcel,
            tuple(made.receipt for made in delivery.receipts),
            frozenset(PackId(pack) for pack in delivery.relied),
        )


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
    attributes: Mapping[str, object],
    constants: Mapping[str, object],
) -> Opening:
    """Stores the code, the environment and the parameters, and describes the run."""
    shot = snapshot.take(prepared.script)
    state = git.read_git(prepared.script.parent)
    tree, left_out = store_tree(writer, shot)
    secret = tuple(
        name
        for name, parameter in prepared.parameters.items()
        if is_secret_name(name) or is_secret_name(parameter.attribute)
    )
    hidden = {prepared.parameters[name].attribute for name in secret}
    shown = {name: REDACTED if name in hidden else value for name, value in attributes.items()}
    kept = [_constant(writer, name, value) for name, value in constants.items()]
    return Opening(
        flow=prepared.flow.__name__,
        created=time.time_ns() // 1000,
        script=printable(shot.entry),
        parameters=tuple(store(writer, name, value) for name, value in shown.items()),
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
        system_tags=tuple(map(printable, prepared.beginning.tags)),
    )


def _options(prepared: Prepared, secret: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each parameter as one would type it, secrets and those without a value left out."""
    texts = (
        (name, as_text(prepared.parameters[name], value))
        for name, value in prepared.values.items()
        if name not in secret
    )
    return tuple((name, printable(text)) for name, text in texts if text is not None)


def _without_values(argv: Sequence[str], secret: Sequence[str]) -> list[str]:
    """The command line with the values of secret parameters taken out."""
    flags = {f"--{name}" for name in secret}
    words: list[str] = []
    for word in argv:
        flag, equals, _ = word.partition("=")
        if words and words[-1] in flags:
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
