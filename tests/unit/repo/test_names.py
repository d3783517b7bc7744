"""The fold of the log: what each kind of entry makes of the names."""

from __future__ import annotations

import random

from mfv.ids import OpeningId, PackId, RunId, TaskId
from mfv.manifest.records import TaskRef
from mfv.repo.entries import Body, Condemn, Entry, OpenRun, SealRun, TagRuns, Tasks
from mfv.repo.names import State

PACK = bytes(PackId(b"p" * 16))
OPENING, RUN = bytes(OpeningId.of(b"o")), bytes(RunId.of(b"r"))


def opened(number: int, flow: str = "Flow") -> OpenRun:
    return OpenRun(flow, number, OPENING, PACK, "lease", "host", ())


def sealed(number: int, flow: str = "Flow") -> SealRun:
    return SealRun(flow, number, "ok", RUN, PACK, ())


def ref(task: int) -> TaskRef:
    return TaskRef("start", task, 0, "ok", 1, 2, bytes(TaskId.of(b"t")), PACK)


def tag(*added: tuple[str, int, str], removed: tuple[tuple[str, int, str], ...] = ()) -> TagRuns:
    return TagRuns(removed, added)


def folded(*bodies: Body) -> State:
    state = State()
    for number, body in enumerate(bodies, 1):
        state.apply(Entry(number, state.head, 1000 * number, "", body), bytes([number]) * 32)
    return state


def names(state: State) -> list[str]:
    return [run.name for run in state]


def test_opening_gives_a_run_its_number_time_lease_and_host() -> None:
    run = folded(opened(1)).find("Flow", 1)
    assert run is not None
    assert (run.opened, run.time, run.status) == (1, 1000, "open")
    assert (run.opening, run.lease, run.host) == (OPENING, "lease", "host")
    assert (run.opening_id, run.run_id) == (OPENING, None)


def test_tasks_are_listed_in_the_order_of_their_entries() -> None:
    state = folded(
        opened(1), Tasks("Flow", 1, (ref(2), ref(1)), ()), Tasks("Flow", 1, (ref(3),), ())
    )
    run = state.find("Flow", 1)
    assert run is not None
    assert [task.id for task in run.tasks] == [2, 1, 3]


def test_sealing_gives_the_run_its_true_name_and_leaves_its_tasks_to_the_manifest() -> None:
    run = folded(opened(1), Tasks("Flow", 1, (ref(1),), ()), sealed(1)).find("Flow", 1)
    assert run is not None
    assert (run.status, run.run_id, run.pack, run.tasks) == ("ok", RUN, PACK, [])


def test_numbers_go_on_after_the_highest_of_the_flow() -> None:
    state = folded(opened(1), opened(2), opened(1, "Other"))
    assert [state.next_number(flow) for flow in ("Flow", "Other", "New")] == [3, 2, 1]


def test_runs_are_listed_newest_first_by_the_log_and_not_by_any_clock() -> None:
    state = State()
    for number, time in ((1, 9000), (2, 5), (3, 7000)):
        state.apply(Entry(number, state.head, time, "", opened(number)), bytes(32))
    assert names(state) == ["Flow/3", "Flow/2", "Flow/1"]


def test_a_tag_is_put_on_once_and_taken_off() -> None:
    state = folded(
        opened(1),
        opened(2),
        tag(("Flow", 1, "best"), ("Flow", 1, "best"), ("Flow", 2, "best")),
        tag(("Flow", 2, "new"), removed=(("Flow", 1, "best"), ("Flow", 1, "never"))),
    )
    assert {name: [run.name for run in runs] for name, runs in state.tags().items()} == {
        "best": ["Flow/2"],
        "new": ["Flow/2"],
    }


def test_a_tag_moved_in_one_entry_comes_off_before_it_goes_on() -> None:
    state = folded(
        opened(1),
        tag(("Flow", 1, "best")),
        tag(("Flow", 1, "best"), removed=(("Flow", 1, "best"),)),
    )
    assert list(state.tags()) == ["best"]


def test_tags_are_sorted_and_their_runs_newest_first() -> None:
    state = folded(opened(1), opened(2), tag(("Flow", 1, "b"), ("Flow", 2, "b"), ("Flow", 1, "a")))
    assert {name: [run.number for run in runs] for name, runs in state.tags().items()} == {
        "a": [1],
        "b": [2, 1],
    }
    assert list(state.tags()) == ["a", "b"]


def test_condemned_packs_stay_condemned() -> None:
    one, two, three = (PackId(bytes([i]) * 16) for i in range(3))
    state = folded(Condemn((bytes(one),)), opened(1), Condemn((bytes(two),)))
    assert state.condemned_among({one, two, three}) == {one, two}


def test_an_entry_of_a_run_whose_opening_is_lost_makes_it_known_as_the_oldest() -> None:
    state = folded(opened(2), tag(("Flow", 1, "best")), sealed(1))
    assert names(state) == ["Flow/2", "Flow/1"]
    run = state.find("Flow", 1)
    assert run is not None
    assert (run.status, run.opening, run.tags) == ("ok", None, ["best"])


def test_two_states_share_nothing() -> None:
    one, two = State(), State()
    one.apply(Entry(1, one.head, 1, "", opened(1)), bytes(32))
    one.apply(Entry(2, one.head, 1, "", tag(("Flow", 1, "best"))), bytes(32))
    assert (list(two), two.condemned) == ([], set())


def test_a_copy_of_the_fold_half_way_goes_on_to_the_same_state() -> None:
    import msgspec

    random.seed(3)
    bodies: list[Body] = [opened(1), opened(2), Tasks("Flow", 1, (ref(1),), ())]
    bodies += [tag(("Flow", random.choice((1, 2)), f"t{i}")) for i in range(6)] + [sealed(1)]
    half = msgspec.msgpack.decode(msgspec.msgpack.encode(folded(*bodies[:5])), type=State)
    for number, body in enumerate(bodies[5:], 6):
        half.apply(Entry(number, half.head, 1000 * number, "", body), bytes([number]) * 32)
    assert half == folded(*bodies)
