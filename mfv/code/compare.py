"""Two snapshots of a flow's code: what of it that a step depends on is another now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mfv.code.parts import TOP, Part
from mfv.code.reach import Code, Reach
from mfv.code.walk import Key


class Carrier(NamedTuple):
    """A class or a function that changed, and that a stored value can be an instance of."""

    module: str  # the last part of its dotted name
    name: str
    why: str


def changed(old: Code, new: Code, step: str) -> str | None:
    """What changed of all that a step depends on, in words; None if nothing did."""
    before, now = old.reach(step), new.reach(step)
    why = _units(before.units, now.units, step, new)
    if why is not None:
        return why
    return _files(old.project.files, new.project.files, before, now, new)


def carriers(old: Code, new: Code) -> list[Carrier]:
    """The classes and functions that changed, with all that they reach."""
    before = {(part.path, part.name): part for part in old.definitions()}
    return list(_carriers(before, {(p.path, p.name): p for p in new.definitions()}, old, new))


def _carriers(
    before: Mapping[Key, Part], now: Mapping[Key, Part], old: Code, new: Code
) -> Iterator[Carrier]:
    for key, part in before.items():
        if key in now and old.closure(part) == new.closure(now[key]):
            continue
        path, name = key
        stem = path.removesuffix("/__init__.py").rpartition("/")[2].removesuffix(".py")
        word = "changed" if key in now else "is gone"
        module = "__main__" if path == old.project.script else stem
        yield Carrier(module, name, f"{name} in {path} {word}")


def _units(old: Mapping[Key, str], new: Mapping[Key, str], step: str, code: Code) -> str | None:
    found = [(key, "changed") for key in new if key in old and old[key] != new[key]]
    found += [(key, "is new") for key in new if key not in old]
    found += [(key, "is gone") for key in old if key not in new]
    if not found:
        return None
    ranked = sorted(found, key=lambda one: _rank(one, step))
    (path, name), word = ranked[0]
    if name.rpartition(".")[2] == step and word == "changed" and "." in name:
        why = "its code changed"
    elif name == TOP:
        why = f"{path} {word}" if code.reach(step).everything else f"top level of {path} {word}"
    else:
        why = f"{name} in {path} {word}"
    # An import that is new or gone goes with what it imports.
    others = len({key for key, _ in found if not key[1].startswith("import ")} - {ranked[0][0]})
    return f"{why}, and {others} more" if others > 0 else why


def _rank(one: tuple[Key, str], step: str) -> tuple[bool, bool, int, Key]:
    (path, name), word = one
    words = ["changed", "is new", "is gone"]
    is_own = name.rpartition(".")[2] == step and "." in name
    return not is_own, name.startswith("import "), words.index(word), (path, name)


def _files(
    old: Mapping[str, str], new: Mapping[str, str], before: Reach, now: Reach, code: Code
) -> str | None:
    for path in sorted({*old, *new}):
        if old.get(path) == new.get(path):
            continue
        if path.endswith(".py") and not now.everything and not _named(path, before, now):
            continue
        if before.may_read(path) or now.may_read(path):
            word = "changed" if path in old and path in new else "is new"
            word = word if path in new else "is gone"
            return f"it may read {path}, which {word}"
    return None


def _named(path: str, before: Reach, now: Reach) -> bool:
    """Whether a source file is read by its name."""
    name = path.rpartition("/")[2]
    return any(name in text for text in before.files | now.files | before.texts | now.texts)
