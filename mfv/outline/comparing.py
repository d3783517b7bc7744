"""Two outlines side by side: which parts differ, and by how much."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mfv.diff.content import ContentDiff, PartChange, TableDiff
from mfv.outline.measure import measure, measure_lists
from mfv.outline.nodes import Block, Keyed, Listed, Opaque, Outline, Table
from mfv.outline.rows import compare_tables

_TOLD = 1000  # parts that differ are told one by one; of more the number
_MEASURED = 256 << 20  # bytes of blocks that are read to say how far they are apart
_NUMBERS = 16  # a list of so many numbers is told as one


def compare(before: Outline, after: Outline) -> ContentDiff:
    """What differs from one outline to another."""
    return _Comparison().run(before, after)


def glance(node: Outline) -> str:
    """What a part is, in a few words."""
    match node:
        case Block():
            dims = ", ".join(map(str, node.shape))
            return f"{node.dtype}[{dims}]"
        case Table():
            return f"table {node.rows} x {len(node.columns)}"
        case Keyed():
            return f"{_short(node.kind)} of {len(node.items)}"
        case Listed():
            if len(node.items) <= 3 and all(_is_scalar(one) for one in node.items):
                return f"[{', '.join(map(glance, node.items))}]"
            return f"{node.kind} of {len(node.items)}"
        case Opaque():
            return _short(node.kind)
        case bytes():
            return f"{len(node)} bytes"
        case str():
            return repr(node) if len(node) <= 40 else repr(node[:39])[:-1] + "…'"
    return repr(node)


class _Comparison:
    def __init__(self) -> None:
        self._parts: list[PartChange] = []
        self._tables: list[TableDiff] = []
        self._same = 0
        self._unknown = ""
        self._measured = 0  # bytes
        self._beyond = 0  # parts that differ and are not told

    def run(self, before: Outline, after: Outline) -> ContentDiff:
        # Without recursion, in order: values may be deep.
        waiting: list[tuple[str, Outline, Outline]] = [("", before, after)]
        while waiting:
            path, a, b = waiting.pop()
            waiting += reversed(self._look(path, a, b))
        if self._beyond:
            self._unknown = f"{self._beyond} more parts differ"
        return ContentDiff(
            tuple(sorted(self._parts, key=_in_order)),
            tuple(sorted(self._tables, key=lambda table: table.path)),
            (),
            self._same,
            self._unknown,
        )

    def _look(self, path: str, a: Any, b: Any) -> list[tuple[str, Outline, Outline]]:
        """Notes how two parts differ; returns the parts below that are to be looked at."""
        if type(a) is not type(b) and not (_is_number(a) and _is_number(b)):
            self._differ(path, a, b)
        elif isinstance(a, Keyed):
            return self._keyed(path, a, b)
        elif isinstance(a, Listed):
            return self._listed(path, a, b)
        elif isinstance(a, Table):
            self._table(path, a, b)
        elif isinstance(a, Block):
            self._block(path, a, b)
        elif isinstance(a, Opaque):
            self._opaque(path, a, b)
        elif a == b or (a != a and b != b):
            self._same += 1
        else:
            self._differ(path, a, b)
        return []

    def _keyed(self, path: str, a: Keyed, b: Keyed) -> list[tuple[str, Outline, Outline]]:
        if a.kind != b.kind:
            self._differ(path, a, b)
            return []
        for key in a.items.keys() - b.items.keys():
            self._note(PartChange(_below(path, key), glance(a.items[key]), None))
        for key in b.items.keys() - a.items.keys():
            self._note(PartChange(_below(path, key), None, glance(b.items[key])))
        common = [key for key in a.items if key in b.items]
        return [(_below(path, key), a.items[key], b.items[key]) for key in common]

    def _listed(self, path: str, a: Listed, b: Listed) -> list[tuple[str, Outline, Outline]]:
        if a.kind != b.kind:
            self._differ(path, a, b)
            return []
        if len(a.items) == len(b.items) >= _NUMBERS and _numbers(a.items) and _numbers(b.items):
            found = measure_lists(list(map(float, a.items)), list(map(float, b.items)))
            if found.changed:
                self._note(PartChange(path, glance(a), glance(b), found))
            else:
                self._same += 1
            return []
        both = min(len(a.items), len(b.items))
        for place, one in enumerate(a.items[both:], both):
            self._note(PartChange(_below(path, str(place)), glance(one), None))
        for place, one in enumerate(b.items[both:], both):
            self._note(PartChange(_below(path, str(place)), None, glance(one)))
        return [(_below(path, str(i)), a.items[i], b.items[i]) for i in range(both)]

    def _block(self, path: str, a: Block, b: Block) -> None:
        if a.identity == b.identity:
            self._same += 1
        elif (a.dtype, a.shape) != (b.dtype, b.shape):
            self._differ(path, a, b)
        elif self._measured > _MEASURED:
            self._unknown = "the rest was not read to say how far it is apart"
            self._note(PartChange(path, glance(a), glance(b)))
        else:
            found = measure(a, b)
            self._measured += 2 * a.numbers * 4
            if found is not None and not found.changed:
                self._same += 1  # laid out otherwise, or 0.0 and -0.0
            else:
                self._note(PartChange(path, glance(a), glance(b), found))

    def _table(self, path: str, a: Table, b: Table) -> None:
        found = compare_tables(path, a, b)
        if found is None:
            self._same += 1
        else:
            self._tables.append(found)

    def _opaque(self, path: str, a: Opaque, b: Opaque) -> None:
        if a.kind == b.kind and a.identity is not None and a.identity == b.identity:
            self._same += 1
        elif a.kind != b.kind or a.identity is not None:
            self._differ(path, a, b)
        else:
            self._unknown = f"{path or 'it'}: {a.why or 'what it holds is not known'}"

    def _differ(self, path: str, a: Outline, b: Outline) -> None:
        self._note(PartChange(path, glance(a), glance(b)))

    def _note(self, change: PartChange) -> None:
        if len(self._parts) < _TOLD:
            self._parts.append(change)
        else:
            self._beyond += 1


def _below(path: str, key: str) -> str:
    """Text keys without their quotes, where they are plain."""
    plain = key[1:-1] if len(key) > 2 and key[0] == key[-1] == "'" else key
    return f"{path}/{plain}" if path else plain


def _in_order(change: PartChange) -> list[tuple[int, str]]:
    """By path, `layer/2` before `layer/10`; the same whichever side is the first."""
    pieces = re.split(r"(\d{1,15})", change.path)
    return [(int(one), "") if one.isdecimal() else (-1, one) for one in pieces]


def _numbers(items: Sequence[Any]) -> bool:
    return all(_is_number(one) for one in items)


def _is_number(node: object) -> bool:
    return isinstance(node, (int, float)) and not isinstance(node, bool)


def _is_scalar(node: object) -> bool:
    return node is None or isinstance(node, (bool, int, float, str))


def _short(kind: str) -> str:
    return kind.rpartition(".")[2]
