"""The items of a foreach: told by the task that splits, found by each task after it."""

from __future__ import annotations

import pytest
from dictstore import DictStore, Refused

from mfv.flow.foreach import Places, shown_items
from mfv.flow.order import NUM_PARALLEL, Frame, Order
from mfv.flow.spec import FlowSpec, FlowStateError


def splitting(**values: object) -> FlowSpec:
    flow = FlowSpec(use_cli=False)
    flow.__dict__.update(values)
    return flow


def found(
    items: object, total: int, *, packed: bool, store: DictStore | None = None
) -> list[object]:
    """What each task of a foreach over `items` gets."""
    store = store or DictStore()
    ref = store.add_task(Order(1, 1, "start"), {"items": items})
    _, data = shown_items(splitting(items=items), "items", "start", store)
    places = Places(store, {})
    frames = [
        Frame("start", 1, i, total, "items", "", ref, data[i] if packed else b"")
        for i in range(total)
    ]
    return [places.of(frame).item() for frame in frames]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "items",
    [
        ["a", "b", "c"],
        ("a", "b", "c"),
        "abc",
        range(5, 8),
        {0: "zero", 1: "one", 2: "two"},  # a dict's items are its keys, even where they are numbers
        {2: "two", 1: "one", 0: "zero"},
        {"a": 1, "b": 2, "c": 3}.items(),
        frozenset({1, 2, 3}),
    ],
)
def test_the_items_are_those_that_an_iteration_gives_in_its_order(
    items: object, packed: bool
) -> None:
    assert found(items, 3, packed=packed) == list(items)  # type: ignore[call-overload]


@pytest.mark.parametrize("packed", [False, True])
def test_a_series_with_numbers_for_labels_is_gone_over_by_place(packed: bool) -> None:
    import pandas

    series = pandas.Series([10, 20, 30], index=[2, 0, 1])
    assert found(series, 3, packed=packed) == [10, 20, 30]


def test_small_items_travel_along_and_the_list_is_not_read() -> None:
    store = DictStore()
    assert found([1, 2], 2, packed=True, store=store) == [1, 2]
    assert store.loaded == []


def test_items_that_are_not_all_small_are_read_where_they_are() -> None:
    store = DictStore()
    _, data = shown_items(splitting(items=[1, Refused()]), "items", "start", store)
    assert data == ()


def test_an_item_is_read_once_and_only_when_it_is_asked_for() -> None:
    store = DictStore()
    ref = store.add_task(Order(1, 1, "start"), {"items": [5]})
    place = Places(store, {}).of(Frame("start", 1, 0, 1, "items", "", ref))
    assert store.loaded == []
    assert (place.item(), place.item()) == (5, 5)
    assert store.loaded == ["items"]


def test_a_parameter_can_be_gone_over() -> None:
    store = DictStore()
    ref = store.add_task(Order(1, 1, "start"), {})
    frame = Frame("start", 1, 1, 2, "letters", "", ref)
    assert Places(store, {"letters": "xy"}).of(frame).item() == "y"


def test_the_item_of_a_parallel_task_is_its_index() -> None:
    place = Places(DictStore(), {}).of(Frame("start", 1, 2, 4, NUM_PARALLEL, "2", None))
    assert (place.index, place.total, place.item()) == (2, 4, 2)


@pytest.mark.parametrize(
    ("items", "message"),
    [([], "is empty"), (5, "has no items"), (iter([1]), "only once")],
)
def test_what_cannot_be_gone_over_is_told(items: object, message: str) -> None:
    with pytest.raises(FlowStateError, match=message):
        shown_items(splitting(items=items), "items", "start", DictStore())


def test_a_foreach_over_nothing_that_was_set_is_told() -> None:
    with pytest.raises(FlowStateError, match=r"goes over self\.itmes, which is not set"):
        shown_items(splitting(items=[1]), "itmes", "start", DictStore())
