"""What a step may do with its flow: attributes, inputs, merges, its place in the splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from dictstore import DictStore

from mfv.flow.parameters import Parameter
from mfv.flow.spec import (
    FlowSpec,
    FlowStateError,
    Inputs,
    InputView,
    Leaving,
    MergeConflictError,
    Place,
    TaskState,
    constants_of,
    steps_of,
)
from mfv.flow.spec import step as a_step


class Base(FlowSpec):
    SIZE = 3
    LABELS = ("a", "b")
    _hidden = 1
    alpha = Parameter("alpha", default=1)

    @a_step
    def start(self) -> None:
        self.next(self.end)

    @a_step
    def end(self) -> None:
        pass

    def helper(self) -> int:
        return self.SIZE

    @property
    def derived(self) -> int:
        return 2


class Child(Base):
    SIZE = 4
    EXTRA = None

    @a_step
    def middle(self) -> None:
        self.next(self.end)


def running(
    inherited: Mapping[str, object] | None = None,
    *,
    stack: Sequence[Place] = (),
    **constants: object,
) -> tuple[Base, DictStore]:
    """A flow as a step sees it."""
    store = DictStore()
    artifacts = {name: store.artifact(name, value) for name, value in (inherited or {}).items()}
    state = TaskState(
        step="join", constants=constants, inherited=artifacts, values=store, stack=stack
    )
    flow = Base(use_cli=False)
    flow.__dict__.update(constants)
    flow.__dict__["_mfv"] = state
    return flow, store


def view(store: DictStore, step: str, index: int | None = None, /, **values: object) -> InputView:
    artifacts = {name: store.artifact(name, value) for name, value in values.items()}
    return InputView(step, index, artifacts, {"alpha": 1}, store)


def inherited(flow: Base) -> set[str]:
    return set(flow.__dict__["_mfv"].inherited)


# Attributes


def test_an_inherited_attribute_is_loaded_when_it_is_first_read_and_only_then() -> None:
    flow, store = running({"model": [1], "other": [2]})
    assert store.loaded == []
    assert flow.model == [1]
    assert flow.model is flow.model
    assert store.loaded == ["model"]


def test_a_value_that_is_read_and_changed_in_place_is_the_flows_own() -> None:
    flow, _ = running({"numbers": [1]})
    flow.numbers.append(2)
    assert flow.__dict__["numbers"] == [1, 2]


def test_an_attribute_that_is_set_hides_the_inherited_one_without_loading_it() -> None:
    flow, store = running({"model": "old"})
    flow.model = "new"
    assert flow.model == "new"
    assert store.loaded == []


def test_a_deleted_attribute_is_gone_whether_it_was_read_set_or_neither() -> None:
    for prepare in (lambda flow: None, lambda flow: flow.x, lambda flow: setattr(flow, "x", 2)):
        flow, _ = running({"x": 1})
        prepare(flow)
        del flow.x
        assert not hasattr(flow, "x")
        assert "x" not in inherited(flow)
        with pytest.raises(AttributeError):
            del flow.x


def test_parameters_and_constants_can_neither_be_set_nor_deleted() -> None:
    flow, _ = running(alpha=5, SIZE=3)
    for name in ("alpha", "SIZE"):
        with pytest.raises(AttributeError, match="read-only"):
            setattr(flow, name, 1)
        with pytest.raises(AttributeError, match="read-only"):
            delattr(flow, name)
    assert (flow.alpha, flow.SIZE) == (5, 3)


def test_a_missing_attribute_names_near_ones() -> None:
    flow, _ = running({"accuracy": 1.0})
    flow.model_name = "x"
    with pytest.raises(AttributeError, match="did you mean 'accuracy'"):
        _ = flow.acuracy
    with pytest.raises(AttributeError, match="did you mean 'model_name'"):
        _ = flow.modelname
    with pytest.raises(AttributeError, match=r"no attribute or artifact 'zzz'$"):
        _ = flow.zzz


def test_what_every_flow_has_cannot_be_set_by_mistake() -> None:
    flow, _ = running()
    for name in ("next", "input", "index", "merge_artifacts", "foreach_stack"):
        with pytest.raises(AttributeError, match="choose another name"):
            setattr(flow, name, 1)


def test_a_flow_has_the_name_of_its_class_unless_it_is_given_another() -> None:
    flow, _ = running()
    assert flow.name == "Base"
    flow.name = "mine"
    assert flow.name == "mine"
    assert running({"name": "handed on"})[0].name == "handed on"


# What a class declares


def test_steps_are_found_in_base_classes_too() -> None:
    assert set(steps_of(Child)) == {"start", "middle", "end"}
    assert {step.name for step in Child(use_cli=False)} == {"start", "middle", "end"}


def test_constants_are_the_public_plain_values_of_the_class_and_its_bases() -> None:
    assert constants_of(Child) == {"SIZE": 4, "LABELS": ("a", "b"), "EXTRA": None}
    assert constants_of(Base) == {"SIZE": 3, "LABELS": ("a", "b")}


def test_a_constant_that_a_subclass_makes_a_parameter_is_no_constant() -> None:
    class Tuned(Base):
        SIZE = Parameter("size", default=9)

    assert "SIZE" not in constants_of(Tuned)


# self.next


def test_next_notes_where_to_go() -> None:
    flow, _ = running()
    flow.next(flow.start, flow.end)
    assert flow.__dict__["_mfv"].transition == Leaving(("start", "end"))
    flow, _ = running()
    flow.next(flow.end, foreach="items")
    assert flow.__dict__["_mfv"].transition == Leaving(("end",), "items")
    flow, _ = running()
    flow.next(flow.end, num_parallel=3)
    assert flow.__dict__["_mfv"].transition == Leaving(("end",), None, 3)


@pytest.mark.parametrize("value", [0, -1, 2.0, "2", True])
def test_a_number_of_parallel_tasks_is_a_whole_one(value: object) -> None:
    flow, _ = running()
    with pytest.raises(FlowStateError, match="asks for num_parallel"):
        flow.next(flow.end, num_parallel=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["a", 3, 2.5, True])
def test_a_switch_takes_the_step_of_the_value(value: object) -> None:
    flow, _ = running()
    flow.__dict__["kind"] = value
    flow.next({value: flow.end, "other": flow.start}, condition="kind")
    assert flow.__dict__["_mfv"].transition == Leaving(("end",))


def test_a_switch_also_goes_by_what_was_passed_on() -> None:
    flow, _ = running({"kind": "b"})
    flow.next({"a": flow.start, "b": flow.end}, condition="kind")
    assert flow.__dict__["_mfv"].transition == Leaving(("end",))


@pytest.mark.parametrize("value", ["c", None, ["a"], 1])
def test_a_value_without_a_case_is_told_with_the_cases(value: object) -> None:
    flow, _ = running()
    flow.__dict__["kind"] = value
    with pytest.raises(FlowStateError, match=r"chooses by self\.kind") as caught:
        flow.next({"a": flow.start, "b": flow.end}, condition="kind")
    assert caught.value.hint == "the cases are 'a', 'b'"
    assert flow.__dict__["_mfv"].transition is None


def test_a_switch_without_its_attribute_or_its_cases_is_told() -> None:
    flow, _ = running()
    with pytest.raises(FlowStateError, match=r"chooses by self\.kind, which is not set"):
        flow.next({"a": flow.start, "b": flow.end}, condition="kind")
    with pytest.raises(FlowStateError, match="not one dict of cases"):
        flow.next(flow.start, condition="kind")


def test_next_is_called_once_and_only_with_what_it_knows() -> None:
    flow, _ = running()
    with pytest.raises(FlowStateError, match="does not know speed"):
        flow.next(flow.end, speed=2)
    with pytest.raises(FlowStateError, match="as text"):
        flow.next(flow.end, foreach=[1, 2])  # type: ignore[arg-type]
    flow.next(flow.end)
    with pytest.raises(FlowStateError, match="more than once"):
        flow.next(flow.end)


def test_outside_of_a_running_step_there_is_nothing_to_ask() -> None:
    flow = Base(use_cli=False)
    for ask in (lambda: flow.next(flow.end), lambda: flow.index, flow.foreach_stack):
        with pytest.raises(FlowStateError, match="only inside a running step"):
            ask()
    assert not hasattr(flow, "anything")


# Splits


def test_input_index_and_stack_say_where_a_task_is_innermost_last() -> None:
    stack = [Place(1, 2, lambda: "y"), Place(2, 3, lambda: 30)]
    flow, _ = running(stack=stack)
    assert (flow.index, flow.input) == (2, 30)
    assert flow.foreach_stack() == [(1, 2, "y"), (2, 3, 30)]


def test_outside_of_a_foreach_there_is_no_input() -> None:
    flow, _ = running()
    assert (flow.index, flow.input, flow.foreach_stack()) == (None, None, [])


# Inputs of a join


def test_inputs_are_had_by_place_by_step_and_in_order() -> None:
    store = DictStore()
    inputs = Inputs([view(store, "b", x=2), view(store, "a", x=1)])
    assert len(inputs) == 2
    assert [one.x for one in inputs] == [2, 1]
    assert inputs[0].x == inputs[-2].x == inputs.b.x == 2
    assert [one.x for one in inputs[1:]] == [1]
    with pytest.raises(AttributeError, match="only from b, a"):
        _ = inputs.c
    with pytest.raises(IndexError):
        _ = inputs[2]


def test_an_input_loads_what_is_read_and_knows_parameters_and_its_index() -> None:
    store = DictStore()
    one = view(store, "each", 4, model=[1], other=[2])
    assert store.loaded == []
    assert one.model is one.model
    assert store.loaded == ["model"]
    assert (one.index, one.alpha) == (4, 1)
    assert "other" in one
    assert "nothing" not in one
    with pytest.raises(AttributeError, match="'each' has no artifact 'modell'; did you mean"):
        _ = one.modell
    assert not hasattr(one, "__array__")


# merge_artifacts


def test_a_merge_takes_over_what_the_inputs_agree_on_without_loading_it() -> None:
    flow, store = running()
    flow.merge_artifacts(Inputs([view(store, "a", same=[1], a=1), view(store, "b", same=[1], b=2)]))
    assert store.loaded == []
    assert inherited(flow) == {"same", "a", "b"}
    assert (flow.same, flow.a, flow.b) == ([1], 1, 2)


def test_a_merge_that_conflicts_lists_all_names_and_sets_nothing() -> None:
    flow, store = running()
    inputs = Inputs([view(store, "a", x=1, y=1, z=1), view(store, "b", x=2, y=2, z=1)])
    with pytest.raises(MergeConflictError, match="step 'join' differ in x, y\n") as caught:
        flow.merge_artifacts(inputs)
    assert caught.value.hint
    assert inherited(flow) == set()


def test_a_merge_skips_what_is_set_already_and_what_is_excluded() -> None:
    flow, store = running()
    inputs = Inputs([view(store, "a", x=1, y=1, z=1), view(store, "b", x=2, y=2, z=1)])
    flow.x = 0
    flow.merge_artifacts(inputs, exclude=["y"])
    assert inherited(flow) == {"z"}
    assert flow.x == 0


def test_a_merge_may_be_limited_to_some_names() -> None:
    flow, store = running()
    inputs = Inputs([view(store, "a", x=1, y=1), view(store, "b", x=2, y=1)])
    flow.merge_artifacts(inputs, include=["y"])
    assert inherited(flow) == {"y"}


def test_a_merge_of_names_that_no_input_has_is_refused() -> None:
    flow, store = running()
    with pytest.raises(FlowStateError, match="has lost"):
        flow.merge_artifacts(Inputs([view(store, "a", x=1)]), include=["x", "lost"])
    assert inherited(flow) == set()
    with pytest.raises(FlowStateError, match="include or exclude"):
        flow.merge_artifacts(Inputs([]), include=["x"], exclude=["y"])
