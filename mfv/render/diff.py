"""`mfv diff`: a comparison as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mfv.diff.code import FileChange
from mfv.diff.runs import RunDiff, TextChange, ValueChange
from mfv.render.content import content_json, content_lines
from mfv.render.facts import file_name
from mfv.render.terminal import Paint
from mfv.render.text import cut, escape, pad, wrap
from mfv.render.units import count, size
from mfv.render.values import artifact_json, change_text, difference_text, kind_text, scalar_text

_MOST = 6  # parts of one artifact beside many; `diff A/step/name B/step/name` tells more
_LONG_LINE = 400  # characters of one line of code that are shown


def diff_text(diff: RunDiff, *, width: int, paint: Paint, stat: bool = False) -> str:
    """What is the same in a line, then a block for everything that is not.

    `stat`: files with counts of lines instead of the lines.
    """
    title = f"{escape(diff.before)} -> {escape(diff.after)}"
    blocks = [[paint(title, "bold"), *_verdict(diff, width)]]
    if diff.status is not None:
        blocks.append([paint("status", "bold"), f"  {diff.status.before} -> {diff.status.after}"])
    blocks.append(_values("parameters", diff.parameters, width, paint, with_difference=False))
    blocks.append(_values("constants", diff.constants, width, paint, with_difference=False))
    blocks.append(_values("metrics", diff.metrics, width, paint))
    blocks.append(code_lines(diff.files, paint, stat))
    blocks.append(artifact_lines(diff.artifacts, width, paint, stat=stat, most=_MOST))
    blocks.append(_texts("read from other runs", diff.reads, width, paint))
    blocks.append(_texts("steps (tasks)", diff.steps, width, paint))
    blocks.append(_texts("packages", diff.packages, width, paint))
    blocks.append(_texts("package sources", diff.sources, width, paint))
    blocks.append(_texts("environment", diff.environment, width, paint))
    blocks.append(_texts("git", diff.git, width, paint))
    blocks.append(_texts("tags", diff.tags, width, paint))
    return "\n\n".join("\n".join(block) for block in blocks if block)


def diff_json(diff: RunDiff) -> dict[str, Any]:
    """A comparison for `--json`."""
    return {
        "before": diff.before,
        "after": diff.after,
        "same": not diff,
        "status": None if diff.status is None else [diff.status.before, diff.status.after],
        "parameters": [value_json(change) for change in diff.parameters],
        "constants": [value_json(change) for change in diff.constants],
        "metrics": [value_json(change) for change in diff.metrics],
        "artifacts": [value_json(change) for change in diff.artifacts],
        "code": [file_json(change) for change in diff.files],
        "packages": [_text_json(change) for change in diff.packages],
        "sources": [_text_json(change) for change in diff.sources],
        "environment": [_text_json(change) for change in diff.environment],
        "git": [_text_json(change) for change in diff.git],
        "reads": [_text_json(change) for change in diff.reads],
        "steps": [_text_json(change) for change in diff.steps],
        "tags": [_text_json(change) for change in diff.tags],
        "unchanged": {
            "parameters": diff.same.parameters,
            "metrics": diff.same.metrics,
            "artifacts": diff.same.artifacts,
            "files": diff.same.files,
            "packages": diff.same.packages,
        },
    }


def _verdict(diff: RunDiff, width: int) -> list[str]:
    same, different = [], []
    sections: tuple[tuple[str, Sequence[object], int], ...] = (
        ("parameter", diff.parameters, diff.same.parameters),
        ("constant", diff.constants, 0),
        ("metric", diff.metrics, diff.same.metrics),
        ("file", diff.files, diff.same.files),
        ("artifact", diff.artifacts, diff.same.artifacts),
        ("package", diff.packages, diff.same.packages),
        ("package source", diff.sources, 0),
    )
    for word, changes, unchanged in sections:
        if changes:
            different.append(count(len(changes), word))
        if unchanged:
            same.append(count(unchanged, word))
    for name, texts in (("machine", diff.environment), ("git state", diff.git)):
        (different if texts else same).append(name)
    if diff.steps:
        different.append("tasks of steps")
    if diff.reads:
        different.append("reads of other runs")
    return [
        *wrap(", ".join(same) or "nothing", "  same:      ", width),
        *wrap(", ".join(different) or "nothing", "  different: ", width),
    ]


def _values(
    title: str,
    changes: Iterable[ValueChange],
    width: int,
    paint: Paint,
    *,
    with_difference: bool = True,
) -> list[str]:
    rows = [(escape(change.name), _value_text(change, with_difference)) for change in changes]
    return _block(title, rows, width, paint)


def _texts(title: str, changes: Iterable[TextChange], width: int, paint: Paint) -> list[str]:
    rows = []
    for change in changes:
        before, after = (escape(text or "") for text in (change.before, change.after))
        if change.before is None:
            rows.append((escape(change.name), f"only after: {after}"))
        elif change.after is None:
            rows.append((escape(change.name), f"only before: {before}"))
        else:
            rows.append((escape(change.name), f"{before} -> {after}"))
    return _block(title, rows, width, paint)


def _block(title: str, rows: list[tuple[str, str]], width: int, paint: Paint) -> list[str]:
    if not rows:
        return []
    room = min(max(len(name) for name, _ in rows), max(16, width // 3))
    lines = [paint(title, "bold")]
    for name, text in rows:
        if len(name) > room:
            lines += [f"  {name}", f"      {text}"]
        else:
            lines.append(f"  {pad(name, room)}  {text}")
    return [line if chr(27) in line else cut(line, max(width, 40)) for line in lines]


def _value_text(change: ValueChange, with_difference: bool) -> str:
    if change.before is None and change.after is not None:
        return f"only after: {_glance(change.after)}"
    if change.after is None and change.before is not None:
        return f"only before: {_glance(change.before)}"
    assert change.before is not None and change.after is not None
    text = change_text(change.before, change.after)
    return text + difference_text(change.before, change.after) if with_difference else text


def _glance(artifact: Any) -> str:
    if not artifact.frames:
        return scalar_text(artifact)
    return f"{kind_text(artifact)}, {size(artifact.size)}"


def artifact_lines(
    changes: Iterable[ValueChange],
    width: int,
    paint: Paint,
    *,
    stat: bool = False,
    most: int = 40,
) -> list[str]:
    """Artifacts that differ, each with what differs inside it: at most so many parts and lines."""
    changes = list(changes)
    rows = [(escape(change.name), _value_text(change, True)) for change in changes]
    block = _block("artifacts", rows, width, paint)
    if not any(change.content for change in changes):
        return block
    lines = block[:1]
    for change, row in zip(changes, rows, strict=True):
        lines += _block("", [row], width, paint)[1:]
        if change.content is not None:
            inner = content_lines(
                change.content, width=max(34, width - 6), paint=paint, stat=stat, most=most
            )
            lines += [f"      {line}" for line in inner]
    return lines


def code_lines(files: Sequence[FileChange], paint: Paint, stat: bool) -> list[str]:
    """Files that differ, with their lines unless `stat`."""
    lines = [paint("code", "bold")] if files else []
    for change in files:
        lines.append(f"  {file_name(change.path)}  {_file_text(change)}")
        if stat:
            continue
        for line in change.hunks:
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            text = cut(escape(line, keep="\t"), _LONG_LINE)
            lines.append(f"    {paint(text, style) if style else text}")
    return lines


def _file_text(change: FileChange) -> str:
    if change.status == "mode":
        assert change.before is not None and change.after is not None
        return f"mode {change.before.mode:o} -> {change.after.mode:o}"
    word = "" if change.status == "changed" else f"{change.status}, "
    if not change.text:
        before, after = (size(f.size) if f else "nothing" for f in (change.before, change.after))
        return f"{word}binary, {before} -> {after}"
    return f"{word}+{change.added} -{change.removed}"


def value_json(change: ValueChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "before": None if change.before is None else artifact_json(change.before),
        "after": None if change.after is None else artifact_json(change.after),
        "difference": change.difference,
        "content": content_json(change.content),
    }


def _text_json(change: TextChange) -> dict[str, Any]:
    return {"name": change.name, "before": change.before, "after": change.after}


def file_json(change: FileChange) -> dict[str, Any]:
    return {
        "path": change.path.decode("utf-8", "backslashreplace"),
        "status": change.status,
        "added": change.added,
        "removed": change.removed,
        "text": change.text,
        "hunks": [line.encode("utf-8", "backslashreplace").decode() for line in change.hunks],
    }
