"""Which tasks a run needs next: every shape, in every order of finishing."""

from __future__ import annotations

import random

from flowgraphs import Played, graph_of, node, play, ref_of
from hypothesis import given
from hypothesis import strategies as st

from mfv.flow.graph import Graph, Node
from mfv.flow.order import NUM_PARALLEL, Frame, Gang, Order, Transition
from mfv.flow.plan import Plan

LINE = graph_of(node("start", "middle"), node("middle", "end"), node("end"))
BRANCH = graph_of(
    node("start", "a", "b", "c"),
    node("a", "join"),
    node("b", "join"),
    node("c", "join"),
    node("join", "end", join=True),
    node("end"),
)
FOREACH = graph_of(
    node("start", "each", foreach="items"),
    node("each", "join"),
    node("join", "end", join=True),
    node("end"),
)
NESTED = graph_of(
    node("start", "outer", foreach="letters"),
    node("outer", "inner", foreach="numbers"),
    node("inner", "gather"),
    node("gather", "collect", join=True),
    node("collect", "end", join=True),
    node("end"),
)
MIXED = graph_of(  # a branch in a foreach in a branch
    node("start", "fan", "plain"),
    node("plain", "join"),
    node("fan", "split", foreach="items"),
    node("split", "up", "down"),
    node("up", "meet"),
    node("down", "meet"),
    node("meet", "gather", join=True),
    node("gather", "join", join=True),
    node("join", "end", join=True),
    node("end"),
)


def three(order: Order) -> int:
    return 3


def ids(played: Played) -> list[int]:
    return [order.id for order in played.orders]


def test_a_line_is_one_task_after_the_other() -> None:
    played = play(LINE, three)
    assert [order.step for order in played.orders] == ["start", "middle", "end"]
    assert played.parents("middle") == [[("start", 1)]]
    assert all(order.run == 7 and order.frames == () for order in played.orders)


def test_the_first_task_has_no_parents() -> None:
    assert play(LINE, three).orders[0] == Order(7, 1, "start")


def test_a_branch_is_joined_once_with_parents_as_the_source_names_them() -> None:
    for seed in range(20):
        played = play(BRANCH, three, random.Random(seed))
        assert [[step for step, _ in parents] for parents in played.parents("join")] == [
            ["a", "b", "c"]
        ]
        assert played.of("join")[0].frames == ()


def test_a_static_branch_is_no_foreach_in_the_record() -> None:
    played = play(BRANCH, three)
    (frame,) = played.of("b")[0].frames
    assert (frame.step, frame.index, frame.total, frame.variable) == ("start", 1, 3, None)
    assert played.of("b")[0].splits == ()


def test_a_foreach_has_one_task_for_each_item_and_a_join_in_split_order() -> None:
    for seed in range(20):
        played = play(FOREACH, three, random.Random(seed))
        by_index = {order.frames[-1].index: order.id for order in played.of("each")}
        assert set(by_index) == {0, 1, 2}
        assert played.parents("join") == [[("each", by_index[index]) for index in range(3)]]


def test_a_foreach_says_what_each_item_is_and_where_it_lies() -> None:
    played = play(FOREACH, three)
    frame = played.of("each")[1].frames[0]
    assert (frame.step, frame.task, frame.index, frame.total) == ("start", 1, 1, 3)
    assert (frame.variable, frame.value) == ("items", "item 1")
    assert frame.ref is not None
    assert (frame.ref.step, frame.ref.id) == ("start", 1)
    (split,) = played.of("each")[1].splits
    assert (split.step, split.variable, split.index, split.total) == ("start", "items", 1, 3)


def test_nested_foreaches_are_gathered_each_by_its_own_join() -> None:
    for seed in range(20):
        played = play(NESTED, lambda order: 1 + order.id % 3, random.Random(seed))
        letters = len(played.of("outer"))
        assert len(played.of("gather")) == letters
        assert [len(parents) for parents in played.parents("collect")] == [letters]
        for order, parents in zip(played.of("gather"), played.parents("gather"), strict=True):
            mine = [one for one in played.of("inner") if one.frames[0] == order.frames[0]]
            in_order = sorted(mine, key=lambda one: one.frames[1].index)
            assert parents == [("inner", one.id) for one in in_order]
        outer = played.parents("collect")[0]
        frames = {order.id: order.frames[-1].index for order in played.of("gather")}
        assert [frames[task] for _, task in outer] == list(range(letters))


def test_a_branch_in_a_foreach_in_a_branch_comes_together_again() -> None:
    for seed in range(20):
        played = play(MIXED, three, random.Random(seed))
        assert len(played.of("meet")) == 3
        for parents in played.parents("meet"):
            assert [step for step, _ in parents] == ["up", "down"]
        assert [[step for step, _ in parents] for parents in played.parents("gather")] == [
            ["meet"] * 3
        ]
        assert [[step for step, _ in parents] for parents in played.parents("join")] == [
            ["gather", "plain"]
        ]
        assert len(played.of("end")) == 1


def test_task_ids_are_dense_and_begin_with_one() -> None:
    for graph in (LINE, BRANCH, FOREACH, NESTED, MIXED):
        played = play(graph, three, random.Random(3))
        assert ids(played) == list(range(1, len(played.orders) + 1))


def test_a_join_that_waits_keeps_waiting_until_the_last_of_its_parents() -> None:
    plan = Plan(FOREACH, 1)
    each = plan.finished(plan.start(), ref_of(Order(1, 1, "start")), Transition(("each",), "x", 3))
    assert plan.finished(each[2], ref_of(each[2]), Transition(("join",))) == []
    assert plan.finished(each[0], ref_of(each[0]), Transition(("join",))) == []
    (join,) = plan.finished(each[1], ref_of(each[1]), Transition(("join",)))
    assert [ref.id for ref in join.parents] == [order.id for order in each]


def test_a_switch_leads_to_the_step_it_chose_also_to_one_that_has_run() -> None:
    graph = graph_of(node("start", "loop"), node("loop", "loop", "end", switch=True), node("end"))
    plan = Plan(graph, 1)
    order = plan.start()
    steps = []
    for chosen in ("loop", "loop", "loop", "end"):
        (order,) = plan.finished(order, ref_of(order), Transition((chosen,)))
        steps.append((order.step, order.id))
    assert steps == [("loop", 2), ("loop", 3), ("loop", 4), ("end", 5)]


def test_a_foreach_that_is_repeated_is_joined_anew_each_time() -> None:
    graph = graph_of(
        node("start", "fan"),
        node("fan", "each", foreach="items"),
        node("each", "join"),
        node("join", "decide", join=True),
        node("decide", "fan", "end", switch=True),
        node("end"),
    )
    plan = Plan(graph, 1)
    (fan,) = plan.finished(plan.start(), ref_of(Order(1, 1, "start")), Transition(("fan",)))
    for total in (2, 3):
        tasks = plan.finished(fan, ref_of(fan), Transition(("each",), "items", total))
        joins = [plan.finished(one, ref_of(one), Transition(("join",))) for one in tasks]
        (join,) = joins[-1]
        assert len(join.parents) == total
        (decide,) = plan.finished(join, ref_of(join), Transition(("decide",)))
        assert decide.frames == ()
        (fan,) = plan.finished(decide, ref_of(decide), Transition(("fan",)))


def test_parallel_tasks_know_their_place_and_the_first_of_them() -> None:
    graph = graph_of(
        node("start", "work", parallel=True),
        node("work", "join"),
        node("join", "end", join=True),
        node("end"),
    )
    plan = Plan(graph, 1)
    orders = plan.finished(
        plan.start(), ref_of(Order(1, 1, "start")), Transition(("work",), total=3)
    )
    assert [order.gang for order in orders] == [Gang(3, index, "2") for index in range(3)]
    assert [order.splits[0].index for order in orders] == [0, 1, 2]
    assert {order.splits[0].variable for order in orders} == {NUM_PARALLEL}
    joins = [plan.finished(one, ref_of(one), Transition(("join",))) for one in reversed(orders)]
    assert [ref.id for ref in joins[-1][0].parents] == [order.id for order in orders]


# Random graphs: a shape is a list of parts, and a part is a plain step, a branch or a foreach.
Shape = list[object]

SHAPES: st.SearchStrategy[Shape] = st.recursive(
    st.lists(st.just("step"), min_size=1, max_size=2),
    lambda shape: st.lists(
        st.one_of(
            st.just("step"),
            st.tuples(st.just("branch"), st.lists(shape, min_size=2, max_size=3)),
            st.tuples(st.just("foreach"), shape, st.integers(1, 3)),
        ),
        min_size=1,
        max_size=3,
    ),
    max_leaves=6,
)


class Drawn:
    """A graph built from a shape, with how many items each foreach has."""

    def __init__(self, shape: Shape) -> None:
        self.nodes: list[Node] = []
        self.items: dict[str, int] = {}
        self.joins: dict[str, tuple[str, int]] = {}  # join -> its split, number of parents
        first = self.build(shape, "end")
        self.nodes.append(node("start", first))
        self.nodes.append(node("end"))
        self.graph: Graph = graph_of(*self.nodes)

    def name(self) -> str:
        return f"s{len(self.nodes)}_{len(self.joins)}"

    def build(self, shape: Shape, after: str) -> str:
        """Adds the steps of `shape`, which lead to `after`; returns the first."""
        for part in reversed(shape):
            if part == "step":
                name = self.name()
                self.nodes.append(node(name, after))
                after = name
                continue
            assert isinstance(part, tuple)
            join = f"join_{self.name()}"
            self.joins[join] = ("", 0)
            self.nodes.append(node(join, after, join=True))
            if part[0] == "branch":
                heads = [self.build(branch, join) for branch in part[1]]
                after, count = f"split_{self.name()}", len(heads)
                self.nodes.append(node(after, *heads))
            else:
                head = self.build(part[1], join)
                after, count = f"each_{self.name()}", part[2]
                self.nodes.append(node(after, head, foreach="items"))
                self.items[after] = count
            self.joins[join] = (after, count)
        return after


def outside(frames: tuple[Frame, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((frame.task, frame.index) for frame in frames)


@given(SHAPES, st.randoms(use_true_random=False))
def test_any_nested_flow_ends_and_each_join_waits_for_exactly_its_parents(
    shape: Shape, chance: random.Random
) -> None:
    drawn = Drawn(shape)
    played = play(drawn.graph, lambda order: drawn.items[order.step], chance)
    assert len(played.of("end")) == 1
    assert sorted(ids(played)) == list(range(1, len(played.orders) + 1))
    by_id = {order.id: order for order in played.orders}
    for join, (split, count) in drawn.joins.items():
        joins = played.of(join)
        # One join for each task of its split, in the same place among the splits around it.
        assert sorted(outside(order.frames) for order in joins) == sorted(
            outside(order.frames) for order in played.of(split)
        )
        for order in joins:
            last = [by_id[ref.id].frames[-1] for ref in order.parents]
            assert [frame.index for frame in last] == list(range(count))
            assert {frame.step for frame in last} == {split}
            assert {outside(by_id[ref.id].frames[:-1]) for ref in order.parents} == {
                outside(order.frames)
            }
