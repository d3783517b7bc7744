"""What happens when modules are imported, which counts for every step: it may change anything."""

from __future__ import annotations

import ast
import copy

from mfv.code.mentions import Chain, chain_of
from mfv.code.names import Names
from mfv.code.parts import QUIET, Function, Part, is_inert, is_quiet_base, last_of, only_wraps


def does_something(names: Names, part: Part) -> bool:
    """Whether more happens when a part of a module is run than that its name gets a value.

    Somebody may keep a function that is decorated, or hear of a class that is derived from his.
    """
    node = part.nodes[0] if part.nodes else None
    if isinstance(node, Function):
        bare = copy.copy(node)
        bare.decorator_list = []
        return not is_inert(bare) or any(
            is_ours(names, part, one)
            or not (_is_wrapper(names, part, one) or last_of(one) in QUIET)
            for one in node.decorator_list
        )
    if isinstance(node, ast.ClassDef):
        return not _is_quiet(names, part, set())
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        called = part.mentions.calls
        return not is_inert(node) or any(any(names.definitions(part, one)) for one in called)
    return not (isinstance(node, ast.stmt) and is_inert(node))


def is_ours(names: Names, part: Part, decorator: ast.expr) -> bool:
    """Whether a decorator is of the project, and does more than to wrap a function."""
    chain = _chain_of(decorator)
    known = chain is not None and any(names.definitions(part, chain))
    return known and not _is_wrapper(names, part, decorator)


def _is_wrapper(names: Names, part: Part, decorator: ast.expr) -> bool:
    chain, levels = _chain_of(decorator), 2 if isinstance(decorator, ast.Call) else 1
    found = [] if chain is None else list(names.definitions(part, chain))
    return bool(found) and all(
        isinstance(one.nodes[0], Function) and only_wraps(one.nodes[0], levels) for one in found
    )


def _chain_of(decorator: ast.expr) -> Chain | None:
    return chain_of(decorator.func if isinstance(decorator, ast.Call) else decorator)


def _is_quiet(names: Names, part: Part, seen: set[int]) -> bool:
    """Whether nothing of the project, or from outside, hears of a class when it is defined."""
    node = part.class_node
    if node is None or not is_inert(node):
        return False
    seen.add(id(part))
    for base in node.bases:
        chain = chain_of(base.value if isinstance(base, ast.Subscript) else base)
        if chain is None:
            return False
        ours = list(names.definitions(part, chain))
        if not ours and not is_quiet_base(chain[-1]):
            return False
        if not all(id(one) in seen or _is_quiet(names, one, seen) for one in ours):
            return False
    return True
