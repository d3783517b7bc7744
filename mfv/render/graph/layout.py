"""Where the boxes of a layered drawing stand, and which way its lines go.

Layers by the longest way from the top; an order within each that crosses few lines, by sweeps of
medians; places by least squares between neighbours that keep their distance. Lines that span
several layers get a place in each. All of it is deterministic, and bounded for graphs of any size.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

_SWEEPS = 12  # over the order, and as many over the places
_LARGE = 3000  # boxes and bends beyond which it is swept twice only
_MANY_BENDS = 20000  # beyond which lines go straight, whatever stands there
_BEND = 16.0  # width kept free for a line that passes a layer


class Box(NamedTuple):
    """What is to be placed."""

    name: str
    width: float
    height: float


class Point(NamedTuple):
    x: float
    y: float


class Layout(NamedTuple):
    """Places in a picture whose origin is its upper left corner."""

    width: float
    height: float
    centers: dict[str, Point]
    lines: dict[tuple[str, str], list[Point]]  # from box to box: top to bottom, or round the right


class _Node:
    """A box, or the bend of a line in a layer that it passes."""

    __slots__ = ("above", "anchor", "below", "box", "layer", "width", "x")

    def __init__(self, box: Box | None, layer: int, anchor: _Node | None = None) -> None:
        """`anchor`: the box in the same layer to whose right it keeps."""
        self.box, self.layer, self.anchor = box, layer, anchor
        self.width = _BEND if box is None else box.width
        self.x = 0.0
        self.above: list[_Node] = []
        self.below: list[_Node] = []

    @property
    def height(self) -> float:
        return 0.0 if self.box is None else self.box.height


def lay_out(
    boxes: Sequence[Box],
    edges: Sequence[tuple[str, str]],
    back: Sequence[tuple[str, str]],
    *,
    gap_x: float = 28.0,
    gap_y: float = 46.0,
    margin: float = 16.0,
) -> Layout:
    """Places `boxes`, each above those that it has an edge to.

    `boxes` stand in such an order; `back`: the edges that lead up again, drawn round the right.
    """
    layers_of = _layers([box.name for box in boxes], edges)
    nodes = {box.name: _Node(box, layers_of[box.name]) for box in boxes}
    chains = _chains(nodes, edges)
    loops = _loops(nodes, back)
    layers = _fill(nodes, loops)
    _order(layers)
    _place(layers, gap_x)
    left = min((n.x - n.width / 2 for layer in layers for n in layer), default=0.0)
    for layer in layers:
        for node in layer:
            node.x += margin - left
    tops, heights = _rows(layers, gap_y, margin)
    centers = {
        name: Point(node.x, tops[node.layer] + heights[node.layer] / 2)
        for name, node in nodes.items()
    }
    lines = {
        (source, target): [
            Point(nodes[source].x, centers[source].y + nodes[source].height / 2),
            *_passed(bends, tops, heights),
            Point(nodes[target].x, centers[target].y - nodes[target].height / 2),
        ]
        for (source, target), bends in chains.items()
    }
    for (source, target), bends in loops.items():
        lines[source, target] = _round(nodes[source], nodes[target], bends, centers, tops)
    width = max((n.x + n.width / 2 for layer in layers for n in layer), default=0.0) + margin
    height = tops[-1] + heights[-1] + margin if layers else 2 * margin
    return Layout(width, height, centers, lines)


def _layers(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    above: dict[str, list[str]] = defaultdict(list)
    below: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        above[target].append(source)
        below[source].append(target)
    found: dict[str, int] = {}
    for name in names:
        found[name] = max((found[one] + 1 for one in above[name]), default=0)
    for name in reversed(names):  # what nothing leads to stands close to what it leads to
        if not above[name] and below[name]:
            found[name] = min(found[one] for one in below[name]) - 1
    return found


def _chains(
    nodes: Mapping[str, _Node], edges: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[_Node]]:
    """The bends of each edge, from top to bottom, linked to each other and to their ends."""
    spans = [nodes[target].layer - nodes[source].layer - 1 for source, target in edges]
    straight = sum(spans) > _MANY_BENDS
    found = {}
    for source, target in edges:
        first, last = nodes[source], nodes[target]
        bends = [] if straight else [_Node(None, at) for at in range(first.layer + 1, last.layer)]
        if not straight or last.layer == first.layer + 1:
            _link([first, *bends, last])
        found[source, target] = bends
    return found


def _loops(
    nodes: Mapping[str, _Node], back: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[_Node]]:
    """For each edge that leads up, a bend in every layer from its upper end to its lower one."""
    found = {}
    spans = [abs(nodes[source].layer - nodes[target].layer) for source, target in back]
    for source, target in back:
        upper, lower = sorted((nodes[target], nodes[source]), key=lambda node: node.layer)
        between = range(upper.layer + 1, lower.layer) if sum(spans) <= _MANY_BENDS else ()
        bends = [_Node(None, upper.layer, upper), *(_Node(None, layer) for layer in between)]
        if lower is not upper:
            bends.append(_Node(None, lower.layer, lower))
        if len(bends) == lower.layer - upper.layer + 1:
            _link(bends)
        found[source, target] = bends
    return found


def _link(way: Sequence[_Node]) -> None:
    for one, other in itertools.pairwise(way):
        one.below.append(other)
        other.above.append(one)


def _fill(
    nodes: Mapping[str, _Node], loops: Mapping[tuple[str, str], Sequence[_Node]]
) -> list[list[_Node]]:
    """The nodes by layer, in the order of a walk from the top that keeps branches together."""
    depth = max((node.layer for node in nodes.values()), default=-1) + 1
    layers: list[list[_Node]] = [[] for _ in range(depth)]
    beside: dict[int, list[_Node]] = defaultdict(list)
    for bend in (bend for bends in loops.values() for bend in bends):
        if bend.anchor is not None:
            beside[id(bend.anchor)].append(bend)
    seen: set[int] = set()
    for start in nodes.values():
        stack = [start]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            layers[node.layer].append(node)
            stack += reversed([*node.below, *beside[id(node)]])
    for bend in (bend for bends in loops.values() for bend in bends if id(bend) not in seen):
        seen.add(id(bend))
        layers[bend.layer].append(bend)
    for layer in layers:  # each loop begins and ends right beside its box
        _sort_by(layer, {id(node): (float(at), at) for at, node in enumerate(layer)})
    return layers


def _order(layers: list[list[_Node]]) -> None:
    """Reorders each layer so that few lines cross."""
    size = sum(map(len, layers))
    best, least = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(2 if size > _LARGE else _SWEEPS):
        if not least:
            break
        down = sweep % 2 == 0
        for layer in layers[1:] if down else layers[-2::-1]:
            _sort(layer, layers[layer[0].layer + (-1 if down else 1)], down)
        crossings = _crossings(layers)
        if crossings < least:
            best, least = [list(layer) for layer in layers], crossings
    for layer, nodes in zip(layers, best, strict=True):
        layer[:] = nodes


def _sort(layer: list[_Node], fixed: Sequence[_Node], down: bool) -> None:
    """Sorts one layer by the mean place of each node's neighbours in a fixed one."""
    places = {id(node): at for at, node in enumerate(fixed)}
    keys = {}
    for at, node in enumerate(layer):
        near = [places[id(one)] for one in (node.above if down else node.below)]
        keys[id(node)] = (sum(near) / len(near) if near else float(at), at)
    _sort_by(layer, keys)


def _sort_by(layer: list[_Node], keys: Mapping[int, tuple[float, int]]) -> None:
    layer.sort(key=lambda node: _rank(node, keys))


def _rank(node: _Node, keys: Mapping[int, tuple[float, int]]) -> tuple[float, int, bool]:
    """What stands beside a box comes right after it."""
    at = node if node.anchor is None else node.anchor
    return keys[id(at)][0], keys[id(at)][1], node.anchor is not None


def _crossings(layers: Sequence[Sequence[_Node]]) -> int:
    """How many lines cross between neighbouring layers."""
    found = 0
    for upper, lower in itertools.pairwise(layers):
        places = {id(node): at for at, node in enumerate(lower)}
        seen: list[int] = []
        for node in upper:
            ends = sorted(places[id(one)] for one in node.below if id(one) in places)
            for end in ends:
                found += len(seen) - bisect_left(seen, end + 1)
            for end in ends:
                insort(seen, end)
    return found


def _place(layers: Sequence[Sequence[_Node]], gap: float) -> None:
    """Gives each node its x, close to its neighbours' and in order."""
    for layer in layers:
        at = 0.0
        for node in layer:
            node.x = at + node.width / 2
            at += node.width + gap
    size = sum(map(len, layers))
    sweeps = 2 if size > _LARGE else _SWEEPS
    for sweep in range(sweeps):
        for layer in layers:
            _settle(layer, gap, up=False)
        for layer in reversed(layers):
            _settle(layer, gap, up=True)
        if sweep >= sweeps - 4:  # in the end, both sides have their say
            for layer in layers:
                _settle(layer, gap, up=None)
    if size <= _LARGE:
        for _ in range(_SWEEPS):
            _straighten(layers, gap)


def _settle(layer: Sequence[_Node], gap: float, *, up: bool | None) -> None:
    """Moves one layer as close to its neighbours as order and distance allow: least squares.

    `up`: whether those below count; None: those on both sides.
    """
    offsets, wishes, weights = [], [], []
    offset = 0.0
    for at, node in enumerate(layer):
        if at:
            offset += (layer[at - 1].width + node.width) / 2 + gap
        near = [*(node.below if up is not False else ()), *(node.above if up is not True else ())]
        if node.anchor is not None:
            near.append(node.anchor)
        pulls = [_pull(node, one) for one in near]
        total = sum(pulls)
        wish = (
            sum(p * one.x for p, one in zip(pulls, near, strict=True)) / total if near else node.x
        )
        offsets.append(offset)
        wishes.append(wish - offset)
        weights.append(total if near else 0.1)
    for node, offset, value in zip(layer, offsets, _rising(wishes, weights), strict=True):
        node.x = value + offset


def _straighten(layers: Sequence[Sequence[_Node]], gap: float) -> None:
    """Puts what follows one on one straight below each other, as far as there is room."""
    beside: dict[int, tuple[_Node | None, _Node | None]] = {}
    for layer in layers:
        ends: list[_Node | None] = [None, *layer, None]
        for at, node in enumerate(layer):
            beside[id(node)] = ends[at], ends[at + 2]
    for layer in layers:
        for node in layer:
            if len(node.above) == 1 and len(node.above[0].below) == 1:
                continue  # in the middle of a way
            way = [node]
            while len(way[-1].below) == 1 and len(way[-1].below[0].above) == 1:
                way.append(way[-1].below[0])
            _align(way, beside, gap)


_Beside = Mapping[int, tuple[_Node | None, _Node | None]]


def _align(way: Sequence[_Node], beside: _Beside, gap: float) -> None:
    """Gives the nodes of a way one x; several where no x has room for all of them."""
    while way:
        count, low, high = _together(way, beside, gap)
        part, way = way[:count], way[count:]
        # Who leads to many stands in the middle of those, more than below the one that leads to it.
        sides = (part[0].above, part[-1].below)
        pulls = [(len(side), sum(one.x for one in side)) for side in sides]
        pulls += [(1, node.anchor.x) for node in part if node.anchor is not None]
        total = sum(count**2 for count, _ in pulls)
        wish = sum(count * places for count, places in pulls) / total if total else part[0].x
        for node in part:
            node.x = min(max(wish, low), high)


def _together(way: Sequence[_Node], beside: _Beside, gap: float) -> tuple[int, float, float]:
    """How many nodes from the top can have one x, and between which."""
    low, high = float("-inf"), float("inf")
    for place, node in enumerate(way):
        left, right = beside[id(node)]
        least = float("-inf") if left is None else left.x + (left.width + node.width) / 2 + gap
        most = float("inf") if right is None else right.x - (right.width + node.width) / 2 - gap
        if least > most:  # it stands between its neighbours without any play
            least = most = node.x
        if max(low, least) > min(high, most):
            return place, low, high
        low, high = max(low, least), min(high, most)
    return len(way), low, high


def _pull(one: _Node, other: _Node) -> float:
    """Long lines are to be straight rather than short ones."""
    return (1.0, 2.0, 8.0)[(one.box is None) + (other.box is None)]


def _rising(wishes: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The values closest to `wishes` of which none is less than the one before it."""
    pools: list[tuple[float, float, int]] = []  # value, weight, how many
    for wish, weight in zip(wishes, weights, strict=True):
        value, count = wish, 1
        while pools and pools[-1][0] > value:
            before, heavy, more = pools.pop()
            value = (before * heavy + value * weight) / (heavy + weight)
            weight, count = weight + heavy, count + more
        pools.append((value, weight, count))
    return [value for value, _, count in pools for _ in range(count)]


def _rows(
    layers: Sequence[Sequence[_Node]], gap: float, margin: float
) -> tuple[list[float], list[float]]:
    """The upper edge and the height of each layer."""
    tops, heights = [], []
    at = margin
    for layer in layers:
        height = max((node.box.height for node in layer if node.box is not None), default=0.0)
        tops.append(at)
        heights.append(height)
        at += height + gap
    return tops, heights


def _passed(
    bends: Sequence[_Node], tops: Sequence[float], heights: Sequence[float]
) -> Iterator[Point]:
    """The points that a line passes: where it comes into each layer, and where it leaves it."""
    for bend in bends:
        yield Point(bend.x, tops[bend.layer])
        yield Point(bend.x, tops[bend.layer] + heights[bend.layer])


def _round(
    source: _Node,
    target: _Node,
    bends: Sequence[_Node],
    centers: Mapping[str, Point],
    tops: Sequence[float],
) -> list[Point]:
    """From the right side of `source` by the bends to the right side of `target`."""
    assert source.box is not None
    assert target.box is not None
    start, end = centers[source.box.name], centers[target.box.name]
    apart = source.height / 4 if source is target else 0.0
    way = bends if source is target or source.layer < target.layer else bends[::-1]
    return [
        Point(start.x + source.width / 2, start.y + apart),
        Point(way[0].x, start.y + apart),
        *(Point(bend.x, tops[bend.layer]) for bend in way[1:-1]),
        Point(way[-1].x, end.y - apart),
        Point(end.x + target.width / 2, end.y - apart),
    ]
