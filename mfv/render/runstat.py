"""`mfv log --stat`: what a run changed against the one before, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence

from mfv.diff.code import FileChange
from mfv.diff.runs import RunDiff, ValueChange
from mfv.render.terminal import Paint
from mfv.render.text import cut, escape, shown
from mfv.render.units import count
from mfv.render.values import change_text, difference_text, scalar_text

_NAMED = 3  # files that are named


def stat_lines(diff: RunDiff | None, *, width: int, paint: Paint) -> list[str]:
    """Lines to stand under a run; `diff` is None for the first run of a flow."""
    if diff is None:
        return [paint("   first run of its flow", "dim")]
    lines = []
    if diff.files:
        lines.append(("code", _files(diff.files)))
    lines += [("params", _change(one)) for one in (*diff.parameters, *diff.constants)]
    lines += [("metrics", _change(one)) for one in diff.metrics]
    if diff.packages:
        texts = [f"{one.name} {one.before or '-'} -> {one.after or '-'}" for one in diff.packages]
        lines.append(("packages", escape(", ".join(texts))))
    if diff.environment:
        lines.append(("machine", escape(", ".join(one.name for one in diff.environment))))
    if not lines:
        return [paint(f"   nothing changed since {escape(diff.before)}", "dim")]
    return [
        f"   {paint(f'{title:8}', 'cyan')} {cut(text, max(20, width - 12))}"
        for title, text in lines
    ]


def _files(files: Sequence[FileChange]) -> str:
    added, removed = (sum(getattr(one, which) for one in files) for which in ("added", "removed"))
    paths = [escape(one.path.decode("utf-8", "surrogateescape")) for one in files]
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return f"{count(len(files), 'file')}, +{added} -{removed}: {', '.join(paths[:_NAMED])}{more}"


def _change(change: ValueChange) -> str:
    name = escape(change.name)
    if change.before is None or change.after is None:
        one, word = (change.after, "new") if change.before is None else (change.before, "gone")
        assert one is not None
        return f"{name} {scalar_text(one) if not one.frames else shown(one.type)} ({word})"
    text = change_text(change.before, change.after)
    return f"{name} {text}{difference_text(change.before, change.after)}"
