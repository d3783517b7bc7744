"""The scheduler with real processes, and a recorder that is a list."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flowgraphs import graph_of, node

from mfv.errors import StorageError
from mfv.flow.engine import Engine
from mfv.flow.graph import Graph
from mfv.flow.interrupts import Interrupts
from mfv.flow.order import Order, Report, Transition
from mfv.flow.policy import Policy
from mfv.flow.seams import Clone, Ending, Limits, Outcome, StoreAgainError
from mfv.flow.source import Kind
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
                *(ending.task.step, ending.task.id, ending.task.attempt, ending.task.status),
                *(0, 0, bytes(32), bytes(16)),
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
    if found.kind is Kind.PARALLEL:
        return Transition(found.next, total=ITEMS)
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
    **options: Any,
) -> Outcome:
    server = TaskServer(run)
    try:
        engine = Engine(graph, 1, server, recorder, watcher or Watcher(), interrupts, **options)
        return engine.run()
    finally:
        server.stop()


def test_a_foreach_wider_than_allowed_ends_the_run_and_its_step_is_kept(
    interrupts: Interrupts,
) -> None:
    recorder, watcher = Recorder(), Watcher()
    limits = Limits(max_num_splits=ITEMS - 1)
    outcome = play(WIDE, reporting(WIDE), recorder, interrupts, watcher, limits=limits)
    assert (outcome.status, outcome.failed_step) == ("failed", "start")
    assert outcome.failure is not None
    assert f"--max-num-splits {ITEMS}" in outcome.failure.message
    assert [(task.step, task.status) for task in recorder.tasks] == [("start", "ok")]


def test_a_foreach_as_wide_as_allowed_runs(interrupts: Interrupts) -> None:
    limits = Limits(max_num_splits=ITEMS)
    assert play(WIDE, reporting(WIDE), Recorder(), interrupts, limits=limits).status == "ok"


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
    play(WIDE, slow, Recorder(), interrupts, watcher, limits=Limits(2))
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
    outcome = play(WIDE, reporting(WIDE, act), recorder, interrupts, watcher, limits=Limits(2))
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
    return Report("ok", 1, 2, 0.0, 0, transition, (), (), (), None, delivery=b"first")


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


# Attempts


def failing_until(attempt: int, step: str = "middle") -> Act:
    """Lets a step fail in each attempt before `attempt`."""

    def act(order: Order) -> None:
        if order.step == step and order.attempt < attempt:
            raise ValueError(f"attempt {order.attempt}")

    return act


def attempts_of(recorder: Recorder, step: str) -> list[tuple[int, int, str]]:
    """Id, attempt and status of every attempt of a step, in the order of the commits."""
    return [(t.id, t.attempt, t.status) for t in recorder.tasks if t.step == step]


def test_a_task_that_fails_is_tried_again_under_its_id(interrupts: Interrupts) -> None:
    recorder, watcher = Recorder(), Watcher()
    run = reporting(LINE, failing_until(2))
    policies = {"middle": Policy(retries=2)}
    outcome = play(LINE, run, recorder, interrupts, watcher, policies=policies)
    assert outcome.status == "ok"
    assert attempts_of(recorder, "middle") == [(2, 0, "failed"), (2, 1, "failed"), (2, 2, "ok")]
    notes = [text for kind, _, text in watcher.said if kind == "note"]
    assert notes == [
        "middle/2 is tried again: attempt 2 of 3",
        "middle/2 is tried again: attempt 3 of 3",
    ]


def test_after_the_last_attempt_the_run_fails(interrupts: Interrupts) -> None:
    recorder = Recorder()
    run = reporting(LINE, failing_until(9))
    outcome = play(LINE, run, recorder, interrupts, policies={"middle": Policy(retries=1)})
    assert (outcome.status, outcome.failed_step) == ("failed", "middle")
    assert outcome.failure == Failure("ValueError", "attempt 1", "")
    assert attempts_of(recorder, "middle") == [(2, 0, "failed"), (2, 1, "failed")]


def test_a_retry_waits_for_its_time_and_others_run_meanwhile(interrupts: Interrupts) -> None:
    recorder = Recorder()

    def act(order: Order) -> None:
        if order.step == "each" and order.frames[-1].index == 0 and order.attempt == 0:
            raise ValueError("once")

    policies = {"each": Policy(retries=1, wait=0.3)}
    outcome = play(
        WIDE, reporting(WIDE, act), recorder, interrupts, policies=policies, limits=Limits(1)
    )
    assert outcome.status == "ok"
    each = [task for task in recorder.tasks if task.step == "each"]
    assert [(task.id, task.attempt) for task in each] == [
        (2, 0),
        (3, 0),
        (4, 0),
        (5, 0),
        (6, 0),
        (2, 1),
    ]
    assert each[-1].started - each[0].ended >= 290_000


def test_a_task_that_keeps_dying_gets_the_attempts_of_its_fallback(interrupts: Interrupts) -> None:
    def act(order: Order) -> None:
        if order.step == "middle" and order.attempt < 2:
            os.kill(os.getpid(), signal.SIGKILL)

    recorder = Recorder()
    policies = {"middle": Policy(retries=1, fallbacks=3)}
    outcome = play(LINE, reporting(LINE, act), recorder, interrupts, policies=policies)
    assert outcome.status == "ok"
    assert [status for _, _, status in attempts_of(recorder, "middle")] == [
        "failed",
        "failed",
        "ok",
    ]


def test_a_step_that_does_not_heed_its_time_limit_is_killed(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mfv.flow.engine._GRACE", 0.1)

    def act(order: Order) -> None:
        if order.step == "middle":
            signal.pause()

    recorder = Recorder()
    policies = {"middle": Policy(timeout=0.1)}
    outcome = play(LINE, reporting(LINE, act), recorder, interrupts, policies=policies)
    assert outcome.status == "failed"
    assert outcome.failure is not None
    assert outcome.failure.type == "timeout"
    assert "longer than 0.1 s" in outcome.failure.message
    assert recorder.ending("middle").task.signal == signal.SIGKILL


# Gangs

GANG = graph_of(
    node("start", "work", parallel=True),
    node("work", "join"),
    node("join", "end", join=True),
    node("end"),
)


def test_a_gang_starts_as_one_whatever_the_number_of_workers(
    interrupts: Interrupts, tmp_path: Path
) -> None:
    def act(order: Order) -> None:
        if order.gang is None:
            return
        (tmp_path / str(order.gang.node_index)).touch()
        while len(list(tmp_path.iterdir())) < order.gang.num_nodes:
            time.sleep(0.005)

    recorder = Recorder()
    assert play(GANG, reporting(GANG, act), recorder, interrupts, limits=Limits(1)).status == "ok"
    assert recorder.ending("join").task.parents == tuple(range(2, 2 + ITEMS))


def test_a_gang_fails_as_one_and_is_tried_again_as_one(interrupts: Interrupts) -> None:
    def act(order: Order) -> None:
        if order.gang is None or order.attempt:
            return
        if order.gang.node_index == 1:
            raise ValueError("one of them")
        signal.pause()  # for ever, were it not ended

    recorder = Recorder()
    policies = {"work": Policy(retries=1)}
    outcome = play(GANG, reporting(GANG, act), recorder, interrupts, policies=policies)
    assert outcome.status == "ok"
    work = attempts_of(recorder, "work")
    assert [status for _, attempt, status in work if attempt == 0] == ["failed"] * ITEMS
    assert [status for _, attempt, status in work if attempt == 1] == ["ok"] * ITEMS
    reasons = {task.failure.message for task in recorder.tasks if task.failure}
    assert reasons == {"one of them", "task 3, which ran beside it, failed"}


def test_of_a_gang_that_fails_the_run_tells_what_happened_first(interrupts: Interrupts) -> None:
    def act(order: Order) -> None:
        if order.gang is not None:
            if order.gang.node_index == 2:
                raise ValueError("the first")
            signal.pause()

    outcome = play(GANG, reporting(GANG, act), Recorder(), interrupts)
    assert (outcome.status, outcome.failed_step) == ("failed", "work")
    assert outcome.failure == Failure("ValueError", "the first", "")


# Clones


class Earlier:
    """An earlier run that has done some steps."""

    def __init__(self, graph: Graph, done: Callable[[Order], bool]) -> None:
        self.graph, self.done = graph, done
        self.heard: list[str] = []  # the steps of tasks that ran

    def ran(self, task: Task) -> None:
        self.heard.append(task.step)

    def clone(self, order: Order) -> Clone | None:
        if not self.done(order):
            return None
        transition = transition_of(self.graph, order.step)
        task = Task(
            flow="F",
            run=1,
            step=order.step,
            id=order.id,
            status="ok",
            started=1,
            ended=2,
            parents=tuple(ref.id for ref in order.parents),
            splits=order.splits,
            origin=(7, order.id),
        )
        return Clone(task, transition)


def cloned(recorder: Recorder) -> set[tuple[str, int]]:
    return {(task.step, task.id) for task in recorder.tasks if task.origin is not None}


def test_what_an_earlier_run_has_done_is_cloned_and_the_rest_runs(interrupts: Interrupts) -> None:
    recorder = Recorder()
    earlier = Earlier(WIDE, lambda order: order.step != "each" or order.frames[-1].index != 2)
    outcome = play(WIDE, reporting(WIDE), recorder, interrupts, origin=earlier)
    assert outcome.status == "ok"
    # Whether what comes after a task that ran is taken over is for the earlier run to say: it is
    # told of the task before it is asked.
    assert earlier.heard == ["each"]
    each = {("each", 2), ("each", 3), ("each", 5), ("each", 6)}
    assert cloned(recorder) == {("start", 1), *each, ("join", 7), ("end", 8)}
    assert recorder.ending("join").task.parents == (2, 3, 4, 5, 6)


def test_a_run_that_was_done_whole_is_cloned_whole_without_a_process(
    interrupts: Interrupts,
) -> None:
    recorder, watcher = Recorder(), Watcher()
    earlier = Earlier(WIDE, lambda order: True)
    outcome = play(WIDE, reporting(WIDE), recorder, interrupts, watcher, origin=earlier)
    assert (outcome.status, outcome.sealed) == ("ok", True)
    assert len(cloned(recorder)) == ITEMS + 3
    told = ["took over start", f"took over each ({ITEMS} tasks)", "took over join", "took over end"]
    assert watcher.said == [("note", 0, text) for text in told]


def test_a_gang_is_cloned_whole_or_runs_whole(interrupts: Interrupts) -> None:
    recorder = Recorder()
    earlier = Earlier(GANG, lambda order: order.gang is None or order.gang.node_index != 3)
    assert play(GANG, reporting(GANG), recorder, interrupts, origin=earlier).status == "ok"
    assert not any(step == "work" for step, _ in cloned(recorder))
