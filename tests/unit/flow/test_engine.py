"""The scheduler with real processes, and a recorder that is a list."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from flowgraphs import graph_of, node

from mfv.errors import StorageError
from mfv.flow.engine import Ending, Engine, Outcome, StoreAgainError
from mfv.flow.graph import Graph
from mfv.flow.interrupts import Interrupts
from mfv.flow.order import Order, Report, Transition
from mfv.flow.workers import TaskServer, receive, send
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Failure, Task, TaskRef

LINE = graph_of(node("start", "middle"), node("middle", "end"), node("end"))
WIDE = graph_of(
    node("start", "each", foreach="items"),
    node("each", "join"),
    node("join", "end", join=True),
    node("end"),
)
ITEMS = 5


class Recorder:
    """Keeps what is committed; `before` may refuse."""

    def __init__(self, before: Callable[[Sequence[Ending]], None] = lambda endings: None) -> None:
        self.before = before
        self.commits: list[list[Ending]] = []
        self.results: list[tuple[Artifact, ...] | None] = []

    def commit(
        self, endings: Sequence[Ending], results: tuple[Artifact, ...] | None = None
    ) -> list[TaskRef]:
        self.before(endings)
        self.results.append(results)
        self.commits.append([self._kept(ending) for ending in endings])
        return [
            TaskRef(
                ending.task.step, ending.task.id, 0, ending.task.status, 0, 0, bytes(32), bytes(16)
            )
            for ending in endings
        ]

    def _kept(self, ending: Ending) -> Ending:
        # The logs are only valid until this returns.
        return ending._replace(stdout=bytes(ending.stdout), stderr=bytes(ending.stderr))

    @property
    def tasks(self) -> list[Task]:
        return [ending.task for commit in self.commits for ending in commit]

    def ending(self, step: str) -> Ending:
        return next(e for commit in self.commits for e in commit if e.task.step == step)


class Watcher:
    """Keeps what a run says while it goes on."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int, str]] = []

    def line(self, order: Order, pid: int, stream: str, text: bytes) -> None:
        assert pid
        self.said.append((stream, order.id, text.decode()))

    def started(self, order: Order, pid: int) -> None:
        self.said.append(("started", order.id, order.step))

    def finished(self, order: Order, pid: int, task: Task) -> None:
        self.said.append(("finished", order.id, task.status))

    def note(self, text: str) -> None:
        self.said.append(("note", 0, text))

    def tick(self, waiting: int) -> None:
        return None


def transition_of(graph: Graph, step: str) -> Transition:
    found = graph[step]
    if found.foreach:
        return Transition(found.next, found.foreach, ITEMS, ("",) * ITEMS)
    return Transition(found.next)


Act = Callable[[Order], object]


def reporting(graph: Graph, act: Act = lambda order: None) -> Callable[[Order, socket.socket], int]:
    """What a task's process does: acts, reports, and reports again as often as it is asked."""

    def run(order: Order, line: socket.socket) -> int:
        begun = time.time_ns() // 1000
        failure = None
        try:
            act(order)
        except ValueError as error:
            failure = Failure("ValueError", str(error), "")
        transition = transition_of(graph, order.step) if failure is None else Transition()
        status = "ok" if failure is None else "failed"
        delivery = b"first"
        while True:
            report = Report(
                status=status,  # type: ignore[arg-type]
                started=begun,
                ended=time.time_ns() // 1000,
                cpu=0.0,
                peak_memory=0,
                transition=transition,
                artifacts=(),
                inherited=(),
                dropped=(),
                failure=failure,
                delivery=delivery,
            )
            send(line, msgspec.msgpack.encode(report))
            answer = receive(line)
            if not answer:
                return 0
            delivery = b"again without " + b",".join(
                msgspec.msgpack.decode(answer, type=list[bytes])
            )

    return run


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    with Interrupts() as entered:
        yield entered


def play(
    graph: Graph,
    run: Callable[[Order, socket.socket], int],
    recorder: Recorder,
    interrupts: Interrupts,
    watcher: Watcher | None = None,
    **options: int,
) -> Outcome:
    server = TaskServer(run)
    try:
        engine = Engine(graph, 1, server, recorder, watcher or Watcher(), interrupts, **options)
        return engine.run()
    finally:
        server.stop()


def test_every_task_is_committed_once_and_the_run_is_ok(interrupts: Interrupts) -> None:
    recorder = Recorder()
    assert play(WIDE, reporting(WIDE), recorder, interrupts) == Outcome("ok", sealed=True)
    assert [task.step for task in recorder.tasks] == ["start", *["each"] * ITEMS, "join", "end"]
    assert sorted(task.id for task in recorder.tasks) == list(range(1, ITEMS + 4))
    assert recorder.ending("join").task.parents == tuple(range(2, 2 + ITEMS))
    assert all(task.pid for task in recorder.tasks)
    assert len({task.pid for task in recorder.tasks}) == ITEMS + 3


def test_the_last_tasks_of_a_run_that_went_well_seal_it_with_their_own_commit(
    interrupts: Interrupts,
) -> None:
    recorder = Recorder()
    play(WIDE, reporting(WIDE), recorder, interrupts)
    assert recorder.results[-1] == ()
    assert set(recorder.results[:-1]) == {None}
    assert [ending.task.step for ending in recorder.commits[-1]] == ["end"]


def test_a_run_whose_last_step_fails_is_not_sealed_by_it(interrupts: Interrupts) -> None:
    def act(order: Order) -> None:
        if order.step == "end":
            raise ValueError("at the very end")

    recorder = Recorder()
    outcome = play(LINE, reporting(LINE, act), recorder, interrupts)
    assert (outcome.status, outcome.sealed) == ("failed", False)
    assert set(recorder.results) == {None}


def test_a_task_is_said_to_be_started_before_it_prints_and_done_after_its_commit(
    interrupts: Interrupts,
) -> None:
    def act(order: Order) -> None:
        print("hello from", order.step)
        print("no newline", end="", flush=True)

    watcher, recorder = Watcher(), Recorder()
    play(LINE, reporting(LINE, act), recorder, interrupts, watcher)
    assert watcher.said == [
        said
        for number, step in enumerate(["start", "middle", "end"], 1)
        for said in [
            ("started", number, step),
            ("stdout", number, f"hello from {step}"),
            ("stdout", number, "no newline"),
            ("finished", number, "ok"),
        ]
    ]
    lines = recorder.ending("middle").stdout.split(b"\n")  # type: ignore[union-attr]
    assert [line[17:] for line in lines] == [b"hello from middle", b"no newline"]


def test_no_more_tasks_run_at_once_than_allowed(interrupts: Interrupts) -> None:
    watcher = Watcher()
    slow = reporting(WIDE, lambda order: time.sleep(0.02))
    play(WIDE, slow, Recorder(), interrupts, watcher, max_workers=2)
    running = most = 0
    for what, _, _ in watcher.said:
        running += (what == "started") - (what == "finished")
        most = max(most, running)
    assert most == 2


def test_after_a_failure_nothing_new_starts_and_what_runs_may_finish(
    interrupts: Interrupts, tmp_path: Path
) -> None:
    def act(order: Order) -> None:
        if order.step == "each":
            if order.frames[-1].index == 0:
                while not (tmp_path / "other").exists():
                    time.sleep(0.001)
                raise ValueError("broken")
            (tmp_path / "other").touch()
            time.sleep(0.1)

    recorder, watcher = Recorder(), Watcher()
    outcome = play(WIDE, reporting(WIDE, act), recorder, interrupts, watcher, max_workers=2)
    assert (outcome.status, outcome.failed_step) == ("failed", "each")
    assert outcome.failure == Failure("ValueError", "broken", "")
    assert [task.status for task in recorder.tasks] == ["ok", "failed", "ok"]
    assert ("note", 0, "waiting for 1 running tasks (Ctrl-C stops them)") in watcher.said


def test_a_task_whose_packs_were_condemned_stores_again_and_then_counts(
    interrupts: Interrupts,
) -> None:
    refused = []

    def refuse(endings: Sequence[Ending]) -> None:
        for ending in endings:
            if ending.task.step == "middle" and len(refused) < 3:
                refused.append(ending.delivery)
                packs = frozenset({b"%d" % len(refused)})
                raise StoreAgainError({ending.task.id: packs})

    recorder = Recorder(refuse)
    assert play(LINE, reporting(LINE), recorder, interrupts).status == "ok"
    assert refused == [b"first", b"again without 1", b"again without 2"]
    assert recorder.ending("middle").delivery == b"again without 3"
    assert [task.step for task in recorder.tasks] == ["start", "middle", "end"]


def test_tasks_that_do_not_have_to_store_again_are_committed_without_the_others(
    interrupts: Interrupts,
) -> None:
    asked: set[int] = set()

    def refuse(endings: Sequence[Ending]) -> None:
        new = {e.task.id for e in endings if e.task.step == "each" and e.task.id % 2} - asked
        if new:
            asked.update(new)
            raise StoreAgainError(dict.fromkeys(new, frozenset({b"p"})))

    recorder = Recorder(refuse)
    assert play(WIDE, reporting(WIDE), recorder, interrupts).status == "ok"
    deliveries = {
        e.task.id: e.delivery for c in recorder.commits for e in c if e.task.step == "each"
    }
    assert deliveries == {
        number: b"again without p" if number % 2 else b"first" for number in range(2, 2 + ITEMS)
    }


def test_a_task_that_dies_instead_of_storing_again_is_a_failed_one(
    interrupts: Interrupts,
) -> None:
    def run(order: Order, line: socket.socket) -> int:
        if order.step != "middle":
            return reporting(LINE)(order, line)
        send(line, msgspec.msgpack.encode(_report(Transition(("end",)))))
        receive(line)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def refuse(endings: Sequence[Ending]) -> None:
        for ending in endings:
            if ending.task.step == "middle" and ending.task.failure is None:
                raise StoreAgainError({ending.task.id: frozenset({b"p"})})

    recorder = Recorder(refuse)
    outcome = play(LINE, run, recorder, interrupts)
    assert (outcome.status, outcome.failed_step) == ("failed", "middle")
    assert outcome.failure is not None
    assert "SIGKILL" in outcome.failure.message
    assert [task.status for task in recorder.tasks] == ["ok", "failed"]


def _report(transition: Transition) -> Report:
    return Report("ok", 1, 2, 0.0, 0, transition, (), (), (), None, b"first")


def test_a_recorder_that_fails_ends_the_run_and_every_task(interrupts: Interrupts) -> None:
    def refuse(endings: Sequence[Ending]) -> None:
        if any(ending.task.step == "each" for ending in endings):
            raise StorageError("the disk is full", hint="free some space")

    def act(order: Order) -> None:
        if order.step == "each" and order.frames[-1].index:
            time.sleep(600)

    recorder = Recorder(refuse)
    with pytest.raises(StorageError, match="the disk is full"):
        play(WIDE, reporting(WIDE, act), recorder, interrupts)
    assert [task.step for task in recorder.tasks] == ["start"]


def test_an_interrupt_before_the_first_task_starts_none(interrupts: Interrupts) -> None:
    signal.raise_signal(signal.SIGINT)
    recorder = Recorder()
    outcome = play(LINE, reporting(LINE), recorder, interrupts)
    assert outcome == Outcome("interrupted")
    assert recorder.commits == []


def test_an_interrupt_during_a_commit_cuts_nothing_in_two(interrupts: Interrupts) -> None:
    def interrupted(endings: Sequence[Ending]) -> None:
        if endings[0].task.step == "middle":
            signal.raise_signal(signal.SIGINT)

    recorder = Recorder(interrupted)
    outcome = play(LINE, reporting(LINE), recorder, interrupts)
    assert outcome.status == "interrupted"
    assert [(task.step, task.status) for task in recorder.tasks] == [
        ("start", "ok"),
        ("middle", "ok"),
    ]


def test_a_server_that_is_killed_between_two_tasks_fails_the_run(interrupts: Interrupts) -> None:
    server = TaskServer(reporting(LINE))

    def kill(endings: Sequence[Ending]) -> None:
        if endings[0].task.step == "start":
            os.kill(server.pid, signal.SIGKILL)
            os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)

    recorder = Recorder(kill)
    outcome = Engine(LINE, 1, server, recorder, Watcher(), interrupts).run()
    server.stop()
    assert outcome.status == "failed"
    assert outcome.failure is not None
    assert "the process that starts tasks was killed" in outcome.failure.message
    assert [task.step for task in recorder.tasks] == ["start"]
