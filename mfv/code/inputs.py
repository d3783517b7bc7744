"""What a join reads of its inputs."""

from __future__ import annotations

import ast

from mfv.code.mentions import chain_of

Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_of_inputs(node: Function) -> frozenset[str] | None:
    """The attributes that a join may read of its inputs; None where that cannot be told.

    It can where the inputs, and what a loop over them gives, are used for nothing but their
    attributes.
    """
    me, inputs = (argument.arg for argument in [*node.args.posonlyargs, *node.args.args][:2])
    found = _Inputs(me, inputs)
    found.visit_all(node.body)
    return frozenset(found.names) if found.known else None


class _Inputs:
    def __init__(self, me: str, inputs: str) -> None:
        self._me, self._inputs = me, inputs
        self.names: set[str] = set()
        self.known = True
        self._items: set[str] = set()  # what a loop over the inputs is called

    def visit_all(self, body: list[ast.stmt]) -> None:
        for statement in body:
            for node in ast.walk(statement):
                if isinstance(node, ast.For | ast.comprehension) and self._is_inputs(node.iter):
                    if isinstance(node.target, ast.Name):
                        self._items.add(node.target.id)
                    else:
                        self.known = False
        for statement in body:
            self._visit(statement)

    def _is_inputs(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self._inputs

    def _is_input(self, node: ast.AST) -> bool:
        """Whether it is one of the inputs."""
        if isinstance(node, ast.Name):
            return node.id in self._items
        if isinstance(node, ast.Subscript):
            return self._is_inputs(node.value) and not isinstance(node.slice, ast.Slice)
        return isinstance(node, ast.Attribute) and self._is_inputs(node.value)

    def _visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute) and self._is_input(node.value):
            self.names.add(node.attr)
            if isinstance(node.value, ast.Subscript):
                self._visit(node.value.slice)
            return
        if isinstance(node, ast.Call):
            chain = chain_of(node.func)
            if chain == ("len",) and len(node.args) == 1 and self._is_inputs(node.args[0]):
                return
            if chain == (self._me, "merge_artifacts"):
                self._merge(node)
                return
        if isinstance(node, ast.For | ast.comprehension) and self._is_inputs(node.iter):
            parts = (
                [*node.ifs] if isinstance(node, ast.comprehension) else [*node.body, *node.orelse]
            )
            for part in parts:
                self._visit(part)
            return
        if isinstance(node, ast.Name) and (node.id == self._inputs or node.id in self._items):
            self.known = False
        for child in ast.iter_child_nodes(node):
            self._visit(child)

    def _merge(self, node: ast.Call) -> None:
        for word in node.keywords:
            if word.arg == "include" and isinstance(word.value, ast.List | ast.Tuple):
                texts = [one.value for one in word.value.elts if isinstance(one, ast.Constant)]
                if texts and len(texts) == len(word.value.elts):
                    self.names |= {text for text in texts if isinstance(text, str)}
                    return
        self.known = False
