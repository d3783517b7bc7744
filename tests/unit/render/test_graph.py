"""The graph of a run drawn: lanes of text, places of boxes, and names that mean harm."""

from __future__ import annotations

import re
import unicodedata
from xml.etree import ElementTree

import pytest
from graphs import DIAMOND, DIAMOND_RAN, LOOP, graph, node, task
from hostile import EVERYTHING
from hypothesis import given
from hypothesis import strategies as st

from mfv.manifest.records import Failure, Read
from mfv.render.graph.dot import graph_dot
from mfv.render.graph.layout import Box, lay_out
from mfv.render.graph.svg import graph_svg
from mfv.render.graph.text import graph_text
from mfv.render.terminal import Paint

PLAIN = Paint(on=False)


def test_branches_get_lanes_of_their_own_and_come_together_where_they_join() -> None:
    text = graph_text(graph(DIAMOND, DIAMOND_RAN), width=80, paint=PLAIN)
    assert text.split("\n") == [
        "F/1  ok in 1.50s",
        "o   start  1 task   1.00s  ok",
        "|\\",
        "o | left   1 task   1.00s  ok",
        "| o right  1 task   1.00s  ok",
        "|/",
        "o   join   1 task   1.00s  ok  join",
        "o   end    1 task   1.00s  ok",
    ]


def test_a_lane_that_merges_passes_those_between() -> None:
    nodes = [
        node("start", "a", "b", "c"),
        node("a", "ac"),
        node("c", "ac"),
        node("b", "end"),
        node("ac", "end"),
        node("end"),
    ]
    text = graph_text(graph(nodes), width=80, paint=PLAIN)
    assert [line[:5].rstrip() for line in text.split("\n")[1:]] == [
        *("!", "|\\", "|\\ \\"),
        *("- | |", "| - |", "| | -"),
        *("|_|/", "- |", "|/", "-"),
    ]


def test_a_switch_says_how_often_it_took_each_way() -> None:
    tasks = [task("start", 1, "body"), task("body", 2, "check"), task("check", 3, "body")]
    tasks += [task("body", 4, "check"), task("check", 5, "end"), task("end", 6)]
    text = graph_text(graph(LOOP, tasks), width=100, paint=PLAIN)
    assert "switch: back to body 1x, end 1x, other" in text
    assert "| - other" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("ways", [2, 5, 60])
def test_text_fits_any_width_however_many_ways_go_side_by_side(width: int, ways: int) -> None:
    names = [f"branch_with_a_long_name_{i}" for i in range(ways)]
    nodes = [node("start", *names), *(node(name, "end") for name in names), node("end")]
    text = graph_text(graph(nodes), width=width, paint=PLAIN)
    assert max(map(len, text.split("\n"))) <= width
    assert all(name in text for name in names)
    assert text.count("skipped") == ways + 1


boxes = st.integers(1, 14)


@st.composite
def drawings(draw: st.DrawFn) -> tuple[list[Box], list[tuple[str, str]], list[tuple[str, str]]]:
    """Boxes in order, edges down and edges up."""
    count = draw(boxes)
    sizes = st.floats(30, 200)
    found = [Box(f"b{i}", draw(sizes), draw(sizes) / 3) for i in range(count)]
    pairs = [(f"b{i}", f"b{j}") for i in range(count) for j in range(i + 1, count)]
    down = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=24)) if pairs else []
    up = [(f"b{j}", f"b{i}") for i in range(count) for j in range(i, count)]
    back = draw(st.lists(st.sampled_from(up), unique=True, max_size=4))
    return found, down, back


@given(drawings())
def test_boxes_never_touch_and_lines_lead_down_but_for_those_that_lead_back(
    drawing: tuple[list[Box], list[tuple[str, str]], list[tuple[str, str]]],
) -> None:
    given_boxes, down, back = drawing
    placed = lay_out(given_boxes, down, back)
    around = []
    for box in given_boxes:
        x, y = placed.centers[box.name]
        left, top = x - box.width / 2, y - box.height / 2
        right, bottom = left + box.width, top + box.height
        assert left >= 0
        assert top >= 0
        assert right <= placed.width + 1e-6
        assert bottom <= placed.height + 1e-6
        around.append((left, top, right, bottom))
    for at, (left, top, right, bottom) in enumerate(around):
        for other in around[:at]:
            apart = left >= other[2] or right <= other[0] or top >= other[3] or bottom <= other[1]
            assert apart
    for edge in down:
        heights = [point.y for point in placed.lines[edge]]
        assert heights == sorted(heights)
        assert len(heights) > 1
    for edge in back:
        assert len(placed.lines[edge]) >= 4


def test_what_follows_one_on_one_stands_straight_below_and_a_split_in_the_middle() -> None:
    names = ("start", "left", "right", "left2", "right2", "join", "end")
    made = [Box(name, 80, 30) for name in names]
    edges = [("start", "left"), ("start", "right"), ("left", "left2"), ("right", "right2")]
    edges += [("left2", "join"), ("right2", "join"), ("join", "end")]
    at = lay_out(made, edges, []).centers
    assert at["left"].x == pytest.approx(at["left2"].x)
    assert at["start"].x == pytest.approx(at["join"].x) == pytest.approx(at["end"].x)
    assert at["start"].x == pytest.approx((at["left"].x + at["right"].x) / 2, abs=1)


def test_branches_do_not_cross_where_they_need_not() -> None:
    names = [f"a{i}" for i in range(6)]
    lower = [f"b{(i * 5) % 6}" for i in range(6)]  # given in another order
    made = [Box(name, 60, 20) for name in ("start", *names, *lower, "end")]
    edges = [("start", name) for name in names] + [(f"b{i}", "end") for i in range(6)]
    edges += [(f"a{i}", f"b{i}") for i in range(6)]
    at = lay_out(made, edges, []).centers
    upper = sorted(range(6), key=lambda i: at[f"a{i}"].x)
    assert upper == sorted(range(6), key=lambda i: at[f"b{i}"].x)


def test_a_graph_of_thousands_of_steps_is_placed_in_bounded_time() -> None:
    made = [Box(f"b{i}", 50, 20) for i in range(4000)]
    edges = [(f"b{i}", f"b{j}") for i in range(3999) for j in {i + 1, min(3999, i + 700)} if j > i]
    assert len(lay_out(made, edges, [("b3999", "b0")]).centers) == 4000


def hostile_graph() -> list[str]:
    """Each form of a graph whose every text means harm."""
    mark = EVERYTHING + '</text><script>alert("&")</script>\\N"];}'
    nodes = [node(mark, f"{mark}2", kind="foreach"), node(f"{mark}2")]
    reads = (Read(bytes(16), mark, 3, mark, 4, mark, bytes(32)),)
    failure = Failure(mark, mark, mark)
    tasks = [
        task(mark, 1, f"{mark}2", items=2, reads=reads),
        task(f"{mark}2", 2, status="failed", failure=failure, reads=reads),
    ]
    made = graph(nodes, tasks, "failed")
    return [graph_text(made, width=90, paint=PLAIN), graph_dot(made), graph_svg(made)]


@pytest.mark.parametrize("form", [0, 1, 2])
def test_names_that_mean_harm_are_shown_as_what_they_are(form: int) -> None:
    text = hostile_graph()[form]
    assert {c for c in text if c not in " \n" and unicodedata.category(c)[0] in "CZ"} == set()


def test_markup_in_a_name_stays_text_in_a_picture() -> None:
    tree = ElementTree.fromstring(hostile_graph()[2])
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert tags <= {"svg", "g", "title", "defs", "marker", "path", "rect", "text"}
    assert any("<script>" in (element.text or "") for element in tree.iter())


def test_a_name_cannot_end_the_label_that_it_stands_in() -> None:
    for line in hostile_graph()[1].split("\n")[1:-1]:
        without = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
        assert '"' not in without
        assert re.fullmatch(r"  \w+( -> \w+)?( \[[\w= ]*\])?;|  \w+=;", without), line


def test_a_picture_shows_what_failed_and_how_many_tasks_took_an_edge() -> None:
    nodes = [node("start", "work", kind="foreach"), node("work")]
    tasks = [
        task("start", 1, "work", items=12),
        task("work", 2, status="failed", failure=Failure("ValueError", "no data", "")),
    ]
    tree = ElementTree.fromstring(graph_svg(graph(nodes, tasks, "failed")))
    texts = [element.text for element in tree.iter() if element.tag.endswith("text")]
    assert "×12" in texts
    assert "ValueError: no data" in texts
    assert "1 of 12 tasks" in " ".join(text or "" for text in texts)
