"""`mfv log`: runs as a table, as one line each, as JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from mfv.manifest.artifact import Artifact
from mfv.render.shown import ShownRun
from mfv.render.terminal import Paint
from mfv.render.text import columns, cut, escape, pad, table
from mfv.render.units import age, duration, number
from mfv.render.values import scalar_text

SYMBOLS = {"open": "@", "ok": "o", "failed": "x", "interrupted": "-", "crashed": "!"}
_STYLES = {
    "open": ("cyan",),
    "ok": ("green",),
    "failed": ("red",),
    "interrupted": ("yellow",),
    "crashed": ("red",),
}


def log_blocks(
    runs: Sequence[ShownRun],
    earlier: Mapping[str, ShownRun],
    *,
    width: int,
    paint: Paint,
) -> list[list[str]]:
    """One line a run, two where one would be too long: what it is, and what it was given and made.

    `earlier`: for each run's name the run of its flow before it, whose parameters are compared.
    """
    heads = table([_head(run) for run in runs], width=width)
    details = [_details(run, earlier.get(run.name)) for run in runs]
    longest = max(map(columns, heads), default=0)
    together = all(longest + 2 + columns(text) <= width for text in details)
    blocks = []
    for run, head, detail in zip(runs, heads, details, strict=True):
        shown = paint(head[:1], *_STYLES.get(run.status, ())) + head[1:]
        if together and detail:
            blocks.append([f"{shown}{' ' * (longest - columns(head))}  {detail}"])
            continue
        blocks.append([shown])
        if detail:
            blocks[-1].append("   " + paint(cut(detail, max(20, width - 3)), "dim"))
    return blocks


def oneline_blocks(runs: Sequence[ShownRun], *, width: int) -> list[list[str]]:
    """One short line a run."""
    rows = []
    for run in runs:
        tags = " ".join(f"[{escape(tag)}]" for tag in run.tags)
        rows.append((_short_id(run), escape(run.name), run.status, tags))
    return [[line.rstrip()] for line in table(rows, width=width)]


def run_json(run: ShownRun) -> dict[str, Any]:
    """One run for `--json`; what is damaged is null, and `damaged` says so."""
    found: dict[str, Any] = {
        "run": run.name,
        "flow": run.flow,
        "number": run.number,
        "id": run.run_id,
        "status": run.status,
        "started": run.started,
        "ended": None,
        "seconds": None,
        "tags": list(run.tags),
        "note": run.state.note or None,
        "removed": run.state.removed or None,
        "swept": run.state.swept,
        "dropped": list(run.state.dropped),
    }
    if run.trouble is not None:
        return {**found, "damaged": run.trouble}
    opening = run.opening
    return {
        **found,
        "ended": run.ended,
        "seconds": run.seconds,
        "parameters": values_json(run.parameters),
        "metrics": values_json(run.metrics),
        "user": opening.user,
        "host": opening.host,
        "code": opening.tree.hex(),
        "environment": opening.environment.hex(),
        "commit": opening.git.commit if opening.git else None,
        "dirty": opening.git.dirty if opening.git else None,
        "version": opening.version,
    }


def values_json(artifacts: Mapping[str, Artifact]) -> dict[str, Any]:
    """Inline values by name; what is not inline as the id of its bytes."""
    return {
        name: a.value if not a.frames else {"type": a.type, "id": a.id.hex()}
        for name, a in artifacts.items()
    }


def status_text(status: str, paint: Paint) -> str:
    return paint(status, *_STYLES.get(status, ()))


def parameter_text(artifact: Artifact) -> str:
    """A parameter's value in the space that a list has for it."""
    text = artifact.summary.text if artifact.frames else scalar_text(artifact)
    return cut(escape(text), 24)


def _head(run: ShownRun) -> tuple[str, ...]:
    symbol = SYMBOLS.get(run.status, "?")
    when = age(time.time() - run.started / 1e6)
    took = "" if run.trouble else duration(run.seconds)
    return symbol, _short_id(run), escape(run.name), when, pad(took, 6, right=True), run.status


def _short_id(run: ShownRun) -> str:
    return "-" * 8 if run.run_id is None else run.run_id[:8]


def _details(run: ShownRun, before: ShownRun | None) -> str:
    if run.trouble is not None:
        return f"damaged: {escape(run.trouble)}"
    pieces = [f"[{escape(tag)}]" for tag in run.tags]
    if run.status == "open":
        pieces.append(_progress(run))
    pieces += _parameters(run, before)
    pieces += [f"{escape(name)} {_metric_text(a)}" for name, a in list(run.metrics.items())[:4]]
    if run.manifest is not None and run.manifest.failure is not None:
        failure = run.manifest.failure
        text = f"{run.manifest.failed_step}: {failure.type}: {failure.message}"
        pieces.append(escape(text.splitlines()[0]))
    return "  ".join(pieces)


def _progress(run: ShownRun) -> str:
    """How far an open run is: its tasks done, step by step, the latest step last."""
    steps = [f"{escape(step)} {len(refs)}" for step, refs in run.steps().items()]
    return f"done: {', '.join(steps[-3:])}" if steps else "just begun"


def _metric_text(artifact: Artifact) -> str:
    """Four digits: a list is for telling runs apart; `show` has all of them."""
    value = artifact.value
    return number(value, 4) if isinstance(value, float) else scalar_text(artifact)


def _parameters(run: ShownRun, before: ShownRun | None) -> list[str]:
    """`lr=0.3 (was 0.2)`: all parameters, with the value before where it was another."""
    past = {} if before is None or before.trouble else before.parameters
    shown = []
    for name, artifact in run.parameters.items():
        text = f"{escape(name)}={parameter_text(artifact)}"
        if name in past and past[name].id != artifact.id:
            text += f" (was {parameter_text(past[name])})"
        shown.append(text)
    return shown
