"""Artifacts in words: from their records alone, without loading anything."""

from __future__ import annotations

from typing import Any

from mfv.manifest.artifact import SCALAR, Artifact
from mfv.render.text import cut, escape, shown
from mfv.render.units import count, number, size

_GLANCE = 24  # columns of a short repr in a comparison
_ARRAYS = {"numpy.ndarray": "", "torch.Tensor": "tensor "}


def scalar_text(artifact: Artifact) -> str:
    """An inline value as one would type it: numbers short, text without quotes."""
    value = artifact.value
    if isinstance(value, float):
        return number(value)
    return shown(value) if isinstance(value, str) else str(value)


def kind_text(artifact: Artifact) -> str:
    """What it is in a few words: `float64[450, 64]`, `DataFrame 178 x 14`, `dict of 5`."""
    summary = artifact.summary
    if artifact.serializer == SCALAR:
        return shown(artifact.type)
    if summary.dtype is not None and summary.shape is not None:
        prefix = _ARRAYS.get(artifact.type, f"{_short(artifact.type)} ")
        dims = ", ".join(map(str, summary.shape))
        return shown(f"{prefix}{summary.dtype}[{dims}]")
    if summary.shape is not None:
        return shown(f"{_short(artifact.type)} {' x '.join(map(str, summary.shape))}")
    if summary.media is not None:
        return shown(summary.media)
    if artifact.type in ("bytes", "str") or summary.length is None:
        return shown(_short(artifact.type))
    return shown(f"{_short(artifact.type)} of {summary.length}")


def value_text(artifact: Artifact, width: int = 60) -> str:
    """A glance at the value: the scalar, the statistics, or a short repr."""
    if artifact.serializer == SCALAR:
        return cut(scalar_text(artifact), width)
    summary = artifact.summary
    if summary.media is not None:
        return ""  # its first bytes say no more than its type
    if summary.low is not None and summary.high is not None and summary.mean is not None:
        low, high, mean = number(summary.low), number(summary.high), number(summary.mean)
        nulls = f", {count(summary.nulls, 'null')}" if summary.nulls else ""
        return cut(f"{low} … {high}, mean {mean}{nulls}", width)
    if summary.columns and not summary.text:
        return cut(", ".join(escape(column.name) for column in summary.columns), width)
    return cut(escape(summary.text), width)


def change_text(before: Artifact, after: Artifact) -> str:
    """What differs between two recorded values, as far as their records tell."""
    if before.serializer == after.serializer == SCALAR:
        if before.type != after.type:
            kinds = kind_text(before), kind_text(after)
            return f"{kinds[0]} {scalar_text(before)} -> {kinds[1]} {scalar_text(after)}"
        return f"{scalar_text(before)} -> {scalar_text(after)}"
    facts = []
    old, new = kind_text(before), kind_text(after)
    facts.append(old if old == new else f"{old} -> {new}")
    if before.summary.mean is not None and after.summary.mean is not None:
        mean, then = number(before.summary.mean), number(after.summary.mean)
        facts.append(f"mean {mean} -> {then}" if mean != then else f"mean {mean}")
    if before.size != after.size:
        facts.append(f"{size(before.size)} -> {size(after.size)}")
    else:
        facts.append(size(after.size))
    facts += _changed_text(before, after)
    old_columns = {column.name: column.kind for column in before.summary.columns}
    new_columns = {column.name: column.kind for column in after.summary.columns}
    changed = [
        f"{escape(name)}: {escape(old_columns.get(name, '(none)'))} -> "
        f"{escape(new_columns.get(name, '(none)'))}"
        for name in dict.fromkeys([*old_columns, *new_columns])
        if old_columns.get(name) != new_columns.get(name)
    ]
    facts.extend(changed[:4])
    if len(changed) > 4:
        facts.append(f"and {len(changed) - 4} more")
    return ", ".join(facts)


def _changed_text(before: Artifact, after: Artifact) -> list[str]:
    """Short reprs of both, where they are short enough to tell the two apart."""
    if before.summary.mean is not None or before.summary.media is not None:
        return []
    old, new = (cut(escape(one.summary.text), _GLANCE) for one in (before, after))
    return [f"{old} -> {new}"] if old != new else []


def difference_text(before: Artifact, after: Artifact) -> str:
    """`  +0.0022 (+0.2 %)` for two numbers, nothing for anything else."""
    if not (before.is_number and after.is_number):
        return ""
    old: Any = before.value
    new: Any = after.value
    change = new - old
    sign = "+" if change >= 0 else ""
    percent = change / abs(old) * 100 if old else 0.0
    digits = ".0f" if 1000 <= abs(percent) < 1e15 else ".3g"
    share = f" ({sign}{percent:{digits}} %)" if old else ""
    return f"  {sign}{number(change, 3)}{share}"


def artifact_json(artifact: Artifact) -> dict[str, Any]:
    """An artifact for `--json`: everything its record says but the frames' bytes."""
    found: dict[str, Any] = {
        "name": artifact.name,
        "type": artifact.type,
        "size": artifact.size,
        "id": artifact.id.hex(),
    }
    if artifact.serializer == SCALAR:
        found["value"] = artifact.value
        return found
    found["frames"] = [{"blob": f.id.hex(), "size": f.size} for f in artifact.frames]
    summary = artifact.summary
    for name in ("text", "shape", "dtype", "length", "low", "high", "mean", "nulls", "media"):
        value = getattr(summary, name)
        if value not in (None, ""):
            found[name] = value
    if summary.columns:
        found["columns"] = {column.name: column.kind for column in summary.columns}
    return found


def _short(type_name: str) -> str:
    """The class without its modules."""
    return type_name.rpartition(".")[2]
