"""The classes of a flow, taken apart: a step depends on the members that it uses, not on all."""

from __future__ import annotations

import ast
from collections import defaultdict

from mfv.code.atimport import is_ours
from mfv.code.mentions import chain_of
from mfv.code.names import Names
from mfv.code.parts import Function, Part, is_inert, last_of, split_statement


class FlowClasses:
    """The class of a flow, and those of the project that it derives from."""

    def __init__(self, names: Names, path: str, flow: str) -> None:
        """`flow`: the name of the class, at the top of the file at `path`."""
        self._names = names
        self.members: dict[str, list[Part]] = defaultdict(list)  # steps, methods, attributes
        # What happens when each class is defined, by the id of its part; its decorators, bases.
        self.heads: dict[int, list[Part]] = {}
        if path in names.project.files:
            for part in names.project.module(path).parts.get(flow, []):
                self._add(part)

    def __contains__(self, part: Part) -> bool:
        return id(part) in self.heads

    def _add(self, part: Part) -> None:
        node = part.class_node
        if node is None or id(part) in self.heads:
            return
        parts = self.heads[id(part)] = []
        heads: list[ast.AST] = [*node.decorator_list, *node.bases, *node.keywords]
        parts.append(Part(part.path, node.name, heads))
        for statement in node.body:
            for made in split_statement(part.path, f"{node.name}.", statement):
                if made.name != f"{node.name}." and made.name:
                    self.members[made.name.partition(".")[2]].append(made)
                    made.at_class = made if not isinstance(statement, Function) else None
                elif not isinstance(statement, ast.Expr) or not isinstance(
                    statement.value, ast.Constant
                ):
                    parts.append(Part(part.path, node.name, [statement]))
            if isinstance(statement, Function):
                nodes = _of_the_class(statement)
                if nodes:
                    name = f"{node.name}.{statement.name}"
                    self.members[statement.name][-1].at_class = Part(part.path, name, nodes)
                ours = any(is_ours(self._names, part, one) for one in statement.decorator_list)
                if ours or not is_inert(statement):
                    parts.append(Part(part.path, node.name, [*statement.decorator_list, *nodes]))
            elif not is_inert(statement) and not isinstance(statement, ast.Expr):
                parts.append(Part(part.path, node.name, [statement]))
        for base in node.bases:
            chain = chain_of(base.value if isinstance(base, ast.Subscript) else base)
            for target in () if chain is None else self._names.resolve(part.path, chain, ()):
                if target.part is not None and not target.rest:
                    self._add(target.part)


def _of_the_class(node: Function) -> list[ast.AST]:
    """What of a method is evaluated in the body of its class."""
    found: list[ast.AST] = [one for one in node.decorator_list if last_of(one) != "step"]
    found += [one for one in (*node.args.defaults, *node.args.kw_defaults) if one is not None]
    return found
