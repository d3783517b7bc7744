"""The graph of a run as a picture: SVG that stands alone, without scripts, links or fonts."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mfv.lineage.steps import Edge, RunGraph, Step
from mfv.render.graph import labels
from mfv.render.graph.dot import words
from mfv.render.graph.layout import Box, Layout, Point, lay_out
from mfv.render.text import columns, cut, escape

_COLOURS = {
    "o": ("#e8f5e9", "#2e7d32"),
    "=": ("#e0f7fa", "#00838f"),
    "x": ("#ffebee", "#c62828"),
    "@": ("#e3f2fd", "#1565c0"),
    "!": ("#fff3e0", "#ef6c00"),
    "-": ("#fafafa", "#9e9e9e"),
    ".": ("#fafafa", "#9e9e9e"),
}
_SIZE, _SMALL = 13, 11  # px
_LINE = 16.0  # from one line of text to the next
_ADVANCE = 0.58  # of the size: what a column takes in a common sans serif
_PADDING = 12.0
_SLANT = 10.0  # of the ends of a switch
_LONGEST = 36  # columns of a line
_RUNS = 8  # other runs that are drawn for one step
_STACK = 4.0  # by which the boxes behind one of many tasks stand out


def graph_svg(graph: RunGraph) -> str:
    """One picture, each step with a tooltip that leaves nothing out."""
    leading: dict[str, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        leading[edge.source].append(edge)
    texts, drawn = _runs(graph)
    for step in graph.steps:
        lines = words(step, leading[step.name])
        texts[f"s {step.name}"] = [cut(line, _LONGEST) for line in lines]
    down = [(f"s {e.source}", f"s {e.target}") for e in graph.edges if not e.is_back]
    back = [(f"s {e.source}", f"s {e.target}") for e in graph.edges if e.is_back]
    steps = {f"s {step.name}": step for step in graph.steps}
    boxes = [_box(name, text, steps.get(name)) for name, text in texts.items()]
    placed = lay_out(boxes, [*drawn, *down], back)
    return _drawing(graph, placed, texts, {b.name: b for b in boxes}, leading, set(drawn))


def _runs(graph: RunGraph) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """A box for each run that was read, and its edges."""
    texts: dict[str, list[str]] = {}
    edges: list[tuple[str, str]] = []
    for step in graph.steps:
        for place, one in enumerate(step.sources):
            name = f"r {one.run.origin.hex()} {one.run.flow}/{one.run.number}"
            text = escape(f"{one.run.flow}/{one.run.number}")
            if place == _RUNS - 1 and len(step.sources) > _RUNS:
                name, text = f"m {step.name}", f"and {len(step.sources) - place} more runs"
            texts.setdefault(name, [cut(text, _LONGEST)])
            edges.append((name, f"s {step.name}"))
            if name[0] == "m":
                break
    return texts, edges


def _box(name: str, text: Sequence[str], step: Step | None) -> Box:
    is_switch = step is not None and step.kind == "switch"
    behind = _behind(step) * _STACK
    wide = max(
        columns(line) * (_SMALL if place else _SIZE * 1.06) * _ADVANCE
        for place, line in enumerate(text)
    )
    width = max(70.0, wide + 2 * _PADDING + (2 * _SLANT if is_switch else 0.0))
    return Box(name, width + behind, _LINE * len(text) + _PADDING + behind)


def _drawing(
    graph: RunGraph,
    placed: Layout,
    texts: Mapping[str, Sequence[str]],
    boxes: Mapping[str, Box],
    leading: Mapping[str, Sequence[Edge]],
    dashed: set[tuple[str, str]],
) -> str:
    title = cut(labels.title(graph), 120)
    head = 28.0
    width = max(placed.width, columns(title) * _SIZE * 0.62 + 32)
    height = placed.height + head
    shift = (width - placed.width) / 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}" font-family="Helvetica, Arial, sans-serif">',
        f"<title>{_text(labels.title(graph))}</title>",
        "<defs>",
        *(_arrow(name, colour) for name, colour in (("a", "#616161"), ("u", "#bdbdbd"))),
        "</defs>",
        f'<rect width="{width:.1f}" height="{height:.1f}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="{_SIZE}" font-weight="bold" fill="#212121">'
        f"{_text(title)}</text>",
        f'<g transform="translate({shift:.1f} {head:.1f})">',
    ]
    labels_on_top: list[str] = []
    for edges in leading.values():
        for edge in edges:
            points = placed.lines[f"s {edge.source}", f"s {edge.target}"]
            lines.append(_line(points, used=edge.times > 0, is_back=edge.is_back))
            if edge.times > 1 or (edge.times and (edge.is_back)):
                labels_on_top.append(_times(points, edge))
    lines += [
        _line(placed.lines[edge], used=True, is_back=False, dashed=True) for edge in sorted(dashed)
    ]
    steps = {f"s {step.name}": step for step in graph.steps}
    for name, center in placed.centers.items():
        lines += _shape(center, boxes[name], texts[name], steps.get(name))
    return "\n".join([*lines, *labels_on_top, "</g>", "</svg>"])


def _shape(center: Point, box: Box, text: Sequence[str], step: Step | None) -> list[str]:
    behind = _behind(step)
    width, height = box.width - behind * _STACK, box.height - behind * _STACK
    x, y = center.x - box.width / 2, center.y - box.height / 2 + behind * _STACK
    fill, stroke = ("#f5f5f5", "#757575") if step is None else _COLOURS[labels.symbol(step)]
    style = f'fill="{fill}" stroke="{stroke}" stroke-width="1.5"'
    if step is None:
        style += ' stroke-dasharray="5 3"'
    found = ["<g>"]
    if step is not None:
        lines = [step.name, *text[1:], *map(labels.source, step.sources), labels.failure(step)]
        tip = "\n".join(escape(line) for line in lines if line)
        found.append(f"<title>{_text(tip)}</title>")
    if step is not None and step.kind == "switch":
        found.append(f'<path d="{_hexagon(x, y, width, height)}" {style}/>')
    else:
        for place in range(behind, -1, -1):
            at = place * _STACK
            found.append(
                f'<rect x="{x + at:.1f}" y="{y - at:.1f}" width="{width:.1f}" '
                f'height="{height:.1f}" rx="7" {style}/>'
            )
    first = y + _PADDING / 2 + _LINE * 0.75
    for place, line in enumerate(text):
        weight = ' font-weight="bold"' if not place and step is not None else ""
        colour = "#212121" if not place else "#424242"
        if step is not None and step.status == "failed" and place == len(text) - 1 and place > 1:
            colour = stroke
        found.append(
            f'<text x="{x + width / 2:.1f}" y="{first + place * _LINE:.1f}" text-anchor="middle" '
            f'font-size="{_SMALL if place else _SIZE}"{weight} fill="{colour}">{_text(line)}</text>'
        )
    return [*found, "</g>"]


def _behind(step: Step | None) -> int:
    """How many boxes stand behind that of a step, so that it is seen to have many tasks."""
    return 2 if step is not None and step.expected > 1 and step.kind != "switch" else 0


def _hexagon(x: float, y: float, width: float, height: float) -> str:
    right, bottom, middle = x + width, y + height, y + height / 2
    corners = [
        (x, middle),
        (x + _SLANT, y),
        (right - _SLANT, y),
        (right, middle),
        (right - _SLANT, bottom),
        (x + _SLANT, bottom),
    ]
    return "M" + " L".join(f"{a:.1f} {b:.1f}" for a, b in corners) + " Z"


def _line(points: Sequence[Point], *, used: bool, is_back: bool, dashed: bool = False) -> str:
    colour, mark = ("#616161", "a") if used else ("#bdbdbd", "u")
    dash = ' stroke-dasharray="5 3"' if dashed or not used else ""
    path = _rounded(points) if is_back else _curve(points)
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.4"{dash} '
        f'marker-end="url(#{mark})"/>'
    )


def _curve(points: Sequence[Point]) -> str:
    """Down from point to point, upright at each."""
    path = f"M{points[0].x:.1f} {points[0].y:.1f}"
    for before, point in itertools.pairwise(points):
        half = (before.y + point.y) / 2
        path += f" C{before.x:.1f} {half:.1f} {point.x:.1f} {half:.1f} {point.x:.1f} {point.y:.1f}"
    return path


def _rounded(points: Sequence[Point], radius: float = 8.0) -> str:
    """Straight from point to point, with round corners."""
    path = f"M{points[0].x:.1f} {points[0].y:.1f}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _toward(corner, before, radius), _toward(corner, after, radius)
        path += (
            f" L{start.x:.1f} {start.y:.1f} Q{corner.x:.1f} {corner.y:.1f} {end.x:.1f} {end.y:.1f}"
        )
    return path + f" L{points[-1].x:.1f} {points[-1].y:.1f}"


def _toward(corner: Point, other: Point, radius: float) -> Point:
    """The point that is `radius` from `corner` on the way to `other`, or half way."""
    length = max(abs(other.x - corner.x), abs(other.y - corner.y))
    if not length:
        return corner
    part = min(radius, length / 2) / length
    return Point(corner.x + (other.x - corner.x) * part, corner.y + (other.y - corner.y) * part)


def _times(points: Sequence[Point], edge: Edge) -> str:
    """How many tasks took the edge, beside its middle."""
    if edge.is_back:
        one, other = points[len(points) // 2 - 1], points[len(points) // 2]
    else:
        one, other = points[0], points[1]
    x, y = (one.x + other.x) / 2, (one.y + other.y) / 2
    text = f"×{edge.times}"
    width = len(text) * _SMALL * _ADVANCE + 4
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y - 7:.1f}" width="{width:.1f}" height="14" '
        f'fill="#ffffff"/><text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" '
        f'font-size="{_SMALL}" fill="#424242">{text}</text>'
    )


def _arrow(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7.2" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0.8 L8 4 L0 7.2 Z" fill="{colour}"/></marker>'
    )


def _text(text: str) -> str:
    """Text as XML shows it; characters that XML cannot have were escaped before."""
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(char, entity)
    return text
