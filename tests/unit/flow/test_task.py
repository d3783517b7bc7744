"""One attempt of one task, against a store that is a dict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from dictstore import DictStore, Refused
from flowgraphs import graph_of, node

from mfv.errors import StorageError
from mfv.flow.current import current
from mfv.flow.order import Frame, Order, Report, Transition
from mfv.flow.spec import FlowSpec
from mfv.flow.task import Attempt, FlowRun

GRAPH = graph_of(
    node("start", "fan"),
    node("fan", "each", foreach="items"),
    node("each", "join"),
    node("join", "end", join=True),
    node("end"),
)


@pytest.fixture(autouse=True)
def nothing_runs_afterwards() -> Iterator[None]:
    yield
    current._set()


class F(FlowSpec):
    """A flow whose steps are given by the tests."""

    def fan(self) -> None: ...
    def each(self) -> None: ...
    def join(self) -> None: ...
    def end(self) -> None: ...


def attempt(
    order: Order,
    body: Callable[..., None],
    store: DictStore,
    parameters: Mapping[str, object] | None = None,
) -> Attempt:
    """An attempt of `order`, whose step does `body`."""
    flow = type("F", (F,), {order.step: body})
    run = FlowRun(flow, GRAPH, parameters or {}, {"SIZE": 3}, {"username": "ana"})
    return Attempt(run, order, store)


def first(
    body: Callable[..., None], store: DictStore | None = None, **parameters: object
) -> Report:
    """The report on a first step that does `body`."""
    tried = attempt(Order(1, 1, "start"), body, store or DictStore(), parameters)
    tried.run()
    return tried.report()


def after(
    body: Callable[..., None], values: Mapping[str, object], store: DictStore | None = None
) -> Report:
    """The report on a task whose parent left `values`."""
    store = store or DictStore()
    parent = store.add_task(Order(1, 1, "fan"), values)
    frame = Frame("fan", 1, 0, 1, "items", "", parent)
    tried = attempt(Order(1, 2, "each", (parent,), (frame,)), body, store)
    tried.run()
    return tried.report()


def names(report: Report) -> list[str]:
    return [artifact.name for artifact in report.artifacts]


# What is stored


def test_every_attribute_is_stored_private_ones_too() -> None:
    def body(self: Any) -> None:
        self.z, self.a, self._private, self.nothing = [1], 2, {"x"}, None
        self.next(self.fan)

    report = first(body, alpha=1)
    assert names(report) == ["_private", "a", "nothing", "z"]
    assert (report.status, report.failure) == ("ok", None)
    assert report.transition == Transition(("fan",))
    assert report.delivery == b"delivered"
    assert 0 < report.started <= report.ended
    assert report.peak_memory > 1 << 20


def test_parameters_constants_and_names_with_two_underscores_are_not_stored() -> None:
    def body(self: Any) -> None:
        self.__dict__["__dunder"] = 1
        self.sum = self.alpha + self.SIZE
        self.next(self.fan)

    store = DictStore()
    report = first(body, store, alpha=1)
    assert names(report) == ["sum"]
    assert list(store.values.values()) == [4]


def test_functions_are_left_out_and_said_to_be() -> None:
    def body(self: Any) -> None:
        self.score = lambda x: x
        self.method = self.fan
        self.builtin = len
        self.kind = dict  # a class is no function
        self.next(self.fan)

    report = first(body)
    assert names(report) == ["kind"]
    dropped = dict(report.dropped)
    assert set(dropped) == {"score", "method", "builtin"}
    assert dropped["score"] == "self.score is a function, and functions are code, not results"


def test_what_the_store_refuses_is_dropped_and_the_rest_is_kept() -> None:
    def body(self: Any) -> None:
        self.bad, self.good = Refused(), 1
        self.next(self.fan)

    report = first(body)
    assert report.status == "ok"
    assert names(report) == ["good"]
    assert report.dropped == (("bad", "self.bad is refused"),)


def test_a_failure_keeps_what_was_set_and_inherited() -> None:
    def body(self: Any) -> None:
        self.half = 1
        raise ValueError("no")

    report = after(body, {"items": [1], "old": [2]})
    assert report.status == "failed"
    assert report.failure is not None
    assert (report.failure.type, report.failure.message) == ("ValueError", "no")
    assert names(report) == ["half", "items", "old"]
    assert report.transition == Transition()


def test_a_store_that_fails_fails_the_task() -> None:
    def body(self: Any) -> None:
        self.x = 1
        self.next(self.fan)

    store = DictStore()
    store.trouble = StorageError("the disk is full", hint="free some space")
    report = first(body, store)
    assert report.status == "failed"
    assert report.failure is not None
    assert report.failure.message == "the disk is full"
    assert report.artifacts == ()


def test_asked_again_an_attempt_stores_everything_again_without_the_packs_to_avoid() -> None:
    def body(self: Any) -> None:
        self.x = [1]
        self.next(self.fan)

    store = DictStore()
    tried = attempt(Order(1, 1, "start"), body, store)
    tried.run()
    before = tried.report()
    again = tried.report(frozenset({b"pack"}))
    assert again.artifacts == before.artifacts
    assert store.saved == [["x"], ["x"]]
    assert store.avoided == [frozenset(), frozenset({b"pack"})]


# What is inherited


def test_what_was_never_read_is_passed_on_by_id() -> None:
    def body(self: Any) -> None:
        self.new = 1
        self.next(self.join)

    store = DictStore()
    values = {"items": [5], "big": [1, 2]}
    report = after(body, values, store)
    assert names(report) == ["big", "items", "new"]
    assert report.inherited == ("big", "items")
    assert store.saved == [["new"]]
    assert store.loaded == []
    assert report.artifacts[0].id == store.artifact("big", [1, 2]).id


def test_what_was_read_is_stored_again_and_counts_as_inherited_if_it_stayed_the_same() -> None:
    def body(self: Any) -> None:
        self.seen = len(self.same)
        self.changed.append(3)
        self.next(self.join)

    store = DictStore()
    report = after(body, {"items": [5], "same": [1], "changed": [2]}, store)
    assert store.saved == [["changed", "same", "seen"]]
    assert report.inherited == ("items", "same")


def test_what_was_deleted_is_not_passed_on() -> None:
    def body(self: Any) -> None:
        del self.old
        self.next(self.join)

    assert names(after(body, {"items": [5], "old": 1})) == ["items"]


def test_a_join_begins_with_nothing_and_merges_by_id() -> None:
    store = DictStore()
    order = Order(1, 1, "fan")
    source = store.add_task(order, {"items": [7, 8]})
    refs = []
    for index in range(2):
        frame = Frame("fan", 1, index, 2, "items", "", source)
        refs.append(
            store.add_task(
                Order(1, 2 + index, "each", (source,), (frame,)), {"same": [0], "own": index}
            )
        )

    def body(self: Any, inputs: Any) -> None:
        self.had = hasattr(self, "same")
        self.owns = [(one.index, one.own) for one in inputs]
        self.merge_artifacts(inputs, exclude=["own"])
        self.next(self.end)

    tried = attempt(Order(1, 4, "join", tuple(refs)), body, store)
    assert tried.run()
    report = tried.report()
    assert names(report) == ["had", "owns", "same"]
    assert report.inherited == ("same",)
    values = {artifact.name: store.values[artifact.id] for artifact in report.artifacts}
    assert values == {"had": False, "owns": [(0, 0), (1, 1)], "same": [0]}


# Where a step goes on


def failing(body: Callable[..., None], step: str = "start") -> str:
    store = DictStore()
    tried = attempt(Order(1, 1, step), body, store)
    tried.run()
    report = tried.report()
    assert report.status == "failed"
    assert report.failure is not None
    return report.failure.message


def test_a_step_without_next_fails() -> None:
    assert failing(lambda self: None) == "step 'start' ended without self.next"


def test_a_step_that_calls_next_twice_fails() -> None:
    def body(self: Any) -> None:
        self.next(self.fan)
        self.next(self.fan)

    assert failing(body) == "step 'start' calls self.next more than once"


def test_a_step_that_goes_where_its_source_does_not_say_fails() -> None:
    assert "unlike in its source" in failing(lambda self: self.next(self.end))


def test_the_last_step_needs_no_next() -> None:
    tried = attempt(Order(1, 9, "end"), lambda self: None, DictStore())
    assert tried.run()
    assert tried.report().transition == Transition()


def fan_over(items: object) -> Callable[..., None]:
    def body(self: Any) -> None:
        self.items = items
        self.next(self.each, foreach="items")

    return body


def test_a_foreach_says_how_many_items_there_are_and_shows_them_short() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    tried = attempt(Order(1, 1, "fan"), fan_over(["a\nb", "x" * 500, Odd(), "\udcff"]), DictStore())
    assert tried.run()
    transition = tried.report().transition
    assert (transition.next, transition.variable, transition.total) == (("each",), "items", 4)
    assert transition.values[0] == r"'a\nb'"
    assert transition.values[1] == "'" + "x" * 59
    assert transition.values[2] == "<Odd>"
    assert all(value.encode() for value in transition.values)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "self.items, which is empty"),
        ({}, "self.items, which is empty"),
        (5, "self.items, a int, which has no items"),
        (None, "self.items, a NoneType, which has no items"),
        (iter([1]), "which can be gone over only once"),
        (Refused(), "which has no items"),
    ],
)
def test_a_foreach_over_nothing_that_can_be_gone_over_fails(items: object, said: str) -> None:
    assert said in failing(fan_over(items), "fan")


def test_a_foreach_over_what_cannot_be_stored_fails_where_it_was_made() -> None:
    class RefusedList(Refused, list):  # type: ignore[type-arg]
        pass

    message = failing(fan_over(RefusedList([1, 2])), "fan")
    assert message == "step 'fan' goes over self.items, but self.items is refused"


def test_the_items_are_read_once_and_only_when_asked_for() -> None:
    def reads(self: Any) -> None:
        self.got = (self.input, self.input, self.index, self.foreach_stack())
        self.next(self.join)

    store = DictStore()
    report = after(reads, {"items": ["the item"]}, store)
    assert store.loaded == ["items"]
    got = next(artifact for artifact in report.artifacts if artifact.name == "got")
    assert store.values[got.id] == ("the item", "the item", 0, [(0, 1, "the item")])


# Errors


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (SystemExit(3), "SystemExit", "3"),
        (KeyboardInterrupt(), "KeyboardInterrupt", ""),
        (GeneratorExit("g"), "GeneratorExit", "g"),
        (StorageError("full", hint="free"), "mfv.errors.StorageError", "full"),
        (ValueError("a\udcff"), "ValueError", r"a\udcff"),
        (ValueError("x" * 10_000), "ValueError", "x" * 4096),
    ],
)
def test_whatever_a_step_raises_is_recorded(
    error: BaseException, kind: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def body(self: Any) -> None:
        self.kept = 1
        raise error

    report = first(body)
    assert report.failure is not None
    assert (report.failure.type, report.failure.message) == (kind, message)
    assert names(report) == ["kept"]
    assert report.failure.traceback.startswith("Traceback (most recent call last):\n")
    assert "in body" in report.failure.traceback
    assert "mfv/flow/task.py" not in report.failure.traceback
    assert "Traceback" in capfd.readouterr().err


# current


def test_outside_of_a_task_the_facts_are_none_and_other_names_an_error() -> None:
    assert not current.is_running_flow
    assert (current.run_id, current.task, current.tags) == (None, None, None)
    assert "run_id" not in current
    with pytest.raises(AttributeError, match="outside of a running task"):
        _ = current.project_name


def test_decorators_add_facts_to_current_while_a_task_runs() -> None:
    def body(self: Any) -> None:
        current._update({"project_name": "demo", "is_production": False})
        assert current.project_name == "demo"
        assert current.is_production is False
        assert current.step_name == "start"
        self.next(self.fan)

    assert first(body).failure is None


def test_what_is_made_for_current_is_made_once_and_only_when_asked_for() -> None:
    made: list[str] = []

    def make() -> str:
        made.append("once")
        return "the run"

    current._set({"run": make}, run_id="1")
    assert made == []
    assert (current.run, current.run, made) == ("the run", "the run", ["once"])


def test_current_knows_the_task_and_the_run() -> None:
    seen: dict[str, object] = {}

    def body(self: Any) -> None:
        seen.update(
            {name: getattr(current, name) for name in ("pathspec", "username", "task_id", "run_id")}
        )
        assert current.is_running_flow
        assert "pathspec" in current
        assert current.get("nothing", 5) == 5
        with pytest.raises(AttributeError, match="read-only"):
            current.run_id = "9"
        with pytest.raises(AttributeError, match="has no 'nothing' here"):
            _ = current.nothing
        self.next(self.fan)

    assert first(body).failure is None
    assert seen == {"pathspec": "F/1/start/1", "username": "ana", "task_id": "1", "run_id": "1"}
