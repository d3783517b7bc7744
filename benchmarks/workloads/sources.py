"""Sixty versions of a source tree: the Python files of an installed package, edited as by commits.

A commit changes a few lines in one to six files; one in five adds a file, one in twenty removes
one, one in twenty renames one. New lines are lines of the same tree, so that they read (and
compress) as code does. What the tree holds depends on the package's version, what is done to it on
the seed alone.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterator
from pathlib import Path

Tree = dict[str, bytes]  # path below the root, `/`-separated -> content


def tree_of(package: str, most: int | None = None) -> Tree:
    """The `.py` files of an installed package, at most `most` of them, in order of their paths.

    ModuleNotFoundError if there is no such package; it is not imported.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no package {package!r} is installed")
    root = Path(spec.origin).parent
    paths = sorted(root.rglob("*.py"))[:most]
    return {path.relative_to(root.parent).as_posix(): path.read_bytes() for path in paths}


def versions(tree: Tree, seed: int, count: int) -> Iterator[Tree]:
    """`tree` and `count - 1` successors; contents that did not change are the same objects."""
    pool = [line for content in tree.values() for line in content.splitlines(keepends=True)]
    yield tree
    for number in range(1, count):
        draw = random.Random(f"sources {seed} {number}")
        tree = dict(tree)
        for path in draw.sample(sorted(tree), min(len(tree), draw.randint(1, 6))):
            tree[path] = _edited(tree[path], draw, pool)
        if draw.random() < 1 / 5:
            where = draw.choice(sorted(tree)).rpartition("/")[0]
            lines = draw.sample(pool, min(len(pool), draw.randint(20, 200)))
            tree[f"{where}/added_{number}.py"] = b"".join(lines)
        if draw.random() < 1 / 20:
            del tree[draw.choice(sorted(tree))]
        if draw.random() < 1 / 20:
            old = draw.choice(sorted(tree))
            tree[f"{old.removesuffix('.py')}_moved_{number}.py"] = tree.pop(old)
        yield tree


def _edited(content: bytes, draw: random.Random, pool: list[bytes]) -> bytes:
    """`content` with one to four places changed: lines put in, taken out or replaced."""
    lines = content.splitlines(keepends=True)
    for _ in range(draw.randint(1, 4)):
        place, length = draw.randint(0, len(lines)), draw.randint(1, 8)
        kind = draw.choice(["insert", "delete", "replace"])
        new = [] if kind == "delete" else draw.choices(pool, k=length)
        lines[place : place if kind == "insert" else place + length] = new
    return b"".join(lines)
