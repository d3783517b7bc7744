"""The graph of a run in the language of Graphviz."""

from __future__ import annotations

from collections import defaultdict

from mfv.lineage.steps import Edge, RunGraph, Step
from mfv.manifest.records import RunName
from mfv.render.graph import labels
from mfv.render.text import cut, escape

_COLOURS = {
    "o": "#2e7d32",
    "=": "#00838f",
    "x": "#c62828",
    "@": "#1565c0",
    "!": "#ef6c00",
    "-": "#9e9e9e",
    ".": "#9e9e9e",
}
_LONGEST = 60  # columns of a line of a label


def graph_dot(graph: RunGraph) -> str:
    """A digraph whose nodes have names of ours; what the run named stands in labels."""
    names = {step.name: f"s{place}" for place, step in enumerate(graph.steps)}
    leading: dict[str, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        leading[edge.source].append(edge)
    lines = [
        "digraph run {",
        f"  label={_quoted(labels.title(graph))};",
        '  labelloc="t";',
        '  node [fontname="Helvetica" shape="box" style="rounded"];',
        '  edge [fontname="Helvetica" fontsize="10"];',
    ]
    sources: dict[RunName, str] = {}
    for step in graph.steps:
        shape = ' shape="hexagon" style=""' if step.kind == "switch" else ""
        many = ' peripheries="2"' if step.expected > 1 else ""
        text = _quoted("\n".join(words(step, leading[step.name])))
        colour = _COLOURS[labels.symbol(step)]
        lines.append(f'  {names[step.name]} [label={text} color="{colour}"{shape}{many}];')
        for one in step.sources:
            text = escape(f"{one.run.flow}/{one.run.number}")
            if one.run not in sources:
                sources[one.run] = f"r{len(sources)}"
                lines.append(f'  {sources[one.run]} [label={_quoted(text)} style="dashed"];')
            way = f"{sources[one.run]} -> {names[step.name]}"
            what = _quoted(cut(escape(", ".join(one.artifacts)), _LONGEST))
            lines.append(f'  {way} [label={what} style="dashed"];')
    for edge in graph.edges:
        more = ' constraint="false"' if edge.is_back else ""
        if not edge.times:
            more += ' style="dotted"'
        text = _quoted(f"{edge.times}x" if edge.times > 1 else "")
        lines.append(f"  {names[edge.source]} -> {names[edge.target]} [label={text}{more}];")
    return "\n".join([*lines, "}"])


def words(step: Step, leading: list[Edge]) -> list[str]:
    """The lines of a step's label: its name, how it went, and what else there is to say."""
    facts = (labels.tasks(step), labels.took(step), labels.state(step))
    notes = [note for note in labels.notes(step, leading) if not note.startswith("switch: ")]
    found = [escape(step.name), " · ".join(fact for fact in facts if fact), " · ".join(notes)]
    found.append(labels.failure(step))
    return [cut(line, _LONGEST) for line in found if line]


def _quoted(text: str) -> str:
    """A label that shows `text` as it is: a backslash is none of Graphviz's own."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
