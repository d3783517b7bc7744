"""One step, read from its source: what it takes, and what its `self.next` says.

What cannot be read without running the step is refused here, with the line.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import NamedTuple

from mfv.errors import FlowError, did_you_mean


class Kind(enum.StrEnum):
    """How a step ends. Whether it joins is a question of how it begins: `Node.is_join`."""

    LINEAR = "linear"
    SPLIT = "split"
    FOREACH = "foreach"
    SWITCH = "switch"
    PARALLEL = "parallel"
    END = "end"


Definition = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class Source(NamedTuple):
    """Where one step is written."""

    name: str
    file: str
    tree: Definition
    me: str  # what the step calls its flow: "self"
    is_join: bool

    @classmethod
    def of(
        cls, name: str, step: object, parsed: dict[str, dict[tuple[str, int], Definition]]
    ) -> Source:
        if not isinstance(step, FunctionType):
            raise FlowError(
                f"step '{name}' is no function but a {type(step).__name__}",
                hint="put @step directly above the def",
            )
        code, file = step.__code__, step.__code__.co_filename
        if file not in parsed:
            parsed[file] = _definitions(file, step.__globals__)
        tree = parsed[file].get((code.co_name, code.co_firstlineno))
        if tree is None:
            raise FlowError(
                f"the source of step '{name}' is not where it was loaded from",
                file=file,
                line=code.co_firstlineno,
                hint="keep the flow in a file, and start again if the file changed meanwhile",
            )
        _check_runnable(name, code, tree)
        return cls(name, file, tree, *_arguments(name, file, tree))

    def wrong(self, message: str, *, line: int | None = None, hint: str) -> FlowError:
        """The error for something in this step, at its `def` if no other line is given."""
        return FlowError(message, file=self.file, line=line or self.tree.lineno, hint=hint)


def _definitions(file: str, namespace: dict[str, object]) -> dict[tuple[str, int], Definition]:
    """Every function of a file by its name and its first line, decorators included."""
    import linecache

    linecache.checkcache(file)
    try:
        tree = ast.parse("".join(linecache.getlines(file, namespace)))
    except SyntaxError:  # edited since it was loaded
        return {}
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            found[node.name, first] = node
    return found


def _check_runnable(name: str, code: CodeType, tree: Definition) -> None:
    import inspect

    lazy = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
    if code.co_flags & lazy:
        word = "async def" if isinstance(tree, ast.AsyncFunctionDef) else "yield"
        raise FlowError(
            f"step '{name}' uses `{word}`: calling it would run nothing",
            file=code.co_filename,
            line=tree.lineno,
            hint=f"move that part into a function of its own and call it from `def {name}(self):`",
        )


def _arguments(name: str, file: str, tree: Definition) -> tuple[str, bool]:
    """What the step calls its flow, and whether it takes inputs."""
    arguments = tree.args
    plain = [*arguments.posonlyargs, *arguments.args]
    if len(plain) in (1, 2) and not (arguments.vararg or arguments.kwonlyargs or arguments.kwarg):
        return plain[0].arg, len(plain) == 2
    hint = f"write `def {name}(self):`, or `def {name}(self, inputs):` if it is a join"
    if tree.name != name:
        hint = "a decorator between @step and the step has to use functools.wraps"
    raise FlowError(
        f"step '{name}' takes ({ast.unparse(arguments)}); a step takes only self, a join self "
        "and inputs",
        file=file,
        line=tree.lineno,
        hint=hint,
    )


class Transition(NamedTuple):
    """What one self.next says."""

    kind: Kind
    targets: tuple[str, ...]
    foreach: str | None = None
    condition: str | None = None
    cases: tuple[tuple[str, str], ...] = ()


def next_calls(source: Source) -> Iterator[tuple[ast.stmt, ast.Call]]:
    """Every self.next of the step itself, with the statement of its body that holds it."""
    for statement in source.tree.body:
        todo: list[ast.AST] = [statement]
        while todo:
            node = todo.pop()
            if isinstance(node, _SCOPES):
                continue  # a nested function has a self of its own, or runs at another time
            if isinstance(node, ast.Call) and _attribute(source, node.func) == "next":
                yield statement, node
            todo.extend(reversed(list(ast.iter_child_nodes(node))))


def next_call(source: Source, is_end: bool) -> ast.Call | None:
    """The self.next that ends the step; FlowError if there is one anywhere else."""
    calls = list(next_calls(source))
    if not calls:
        return None
    name, me = source.name, source.me
    last = source.tree.body[-1]
    if is_end:
        raise source.wrong(
            f"the end step '{name}' calls {me}.next, but nothing comes after it",
            line=calls[0][1].lineno,
            hint=f"remove the call, or move it to a step before '{name}'",
        )
    for statement, call in calls:
        if isinstance(statement, ast.Expr) and statement.value is call:
            continue
        raise source.wrong(
            f"step '{name}' calls {me}.next {_inside(statement)}; what follows a step must not "
            "depend on how it runs",
            line=call.lineno,
            hint=f"call it once, as the last line; to choose between steps set an attribute and "
            f'write {me}.next({{"a": {me}.one, "b": {me}.other}}, condition="attribute")',
        )
    if len(calls) > 1:
        raise source.wrong(
            f"step '{name}' calls {me}.next {len(calls)} times",
            line=calls[1][1].lineno,
            hint=f"call it once, with all targets: {me}.next({me}.one, {me}.other)",
        )
    if calls[0][0] is not last:
        raise source.wrong(
            f"{me}.next is not the last statement of step '{name}'",
            line=calls[0][1].lineno,
            hint=f"move what follows it (line {last.lineno}) before it",
        )
    return calls[0][1]


def _inside(statement: ast.stmt) -> str:
    words = {
        ast.If: "inside an `if`",
        ast.For: "inside a `for`",
        ast.While: "inside a `while`",
        ast.Try: "inside a `try`",
        ast.With: "inside a `with`",
        ast.Match: "inside a `match`",
        ast.Return: "in a `return`",
    }
    return words.get(type(statement), "inside another statement")


def _attribute(source: Source, node: ast.expr | None) -> str | None:
    """`x` where the node is `self.x`, else None."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return None
    return node.attr if node.value.id == source.me else None


_KEYWORDS = ("foreach", "condition", "num_parallel")


def transition_of(source: Source, call: ast.Call) -> Transition:
    name, me = source.name, source.me
    keywords: dict[str, ast.expr] = {}
    for keyword in call.keywords:
        if keyword.arg not in _KEYWORDS:
            raise source.wrong(
                f"{me}.next of step '{name}' has an unknown argument {ast.unparse(keyword)}",
                line=call.lineno,
                hint=did_you_mean(keyword.arg or "", _KEYWORDS)
                or f"it knows {', '.join(_KEYWORDS)}",
            )
        keywords[keyword.arg] = keyword.value
    if len(keywords) > 1:
        raise source.wrong(
            f"{me}.next of step '{name}' has {' and '.join(keywords)} at once",
            line=call.lineno,
            hint="keep one of them and do the other in a step of its own",
        )
    if not call.args:
        raise source.wrong(
            f"{me}.next of step '{name}' names no step",
            line=call.lineno,
            hint=f"name the step that follows: {me}.next({me}.end)",
        )
    if "condition" in keywords or any(isinstance(arg, ast.Dict) for arg in call.args):
        return _switch(source, call, keywords.get("condition"))
    targets = tuple(_target(source, call, arg) for arg in call.args)
    if not keywords:
        return Transition(Kind.SPLIT if len(targets) > 1 else Kind.LINEAR, targets)
    ((word, value),) = keywords.items()
    if len(targets) > 1:
        raise source.wrong(
            f"{me}.next of step '{name}' has {word} and {len(targets)} targets",
            line=call.lineno,
            hint=f"name one step, and let that one branch: {me}.next({me}.{targets[0]}, "
            f"{ast.unparse(call.keywords[0])})",
        )
    if word == "foreach":
        return Transition(Kind.FOREACH, targets, foreach=_named(source, call, word, value))
    constant = value.value if isinstance(value, ast.Constant) else 1
    if type(constant) is not int or constant < 1:
        raise source.wrong(
            f"num_parallel of step '{name}' is {ast.unparse(value)}",
            line=call.lineno,
            hint="give a whole number of tasks, 1 or more, or an attribute that holds one",
        )
    return Transition(Kind.PARALLEL, targets)


def _named(source: Source, call: ast.Call, word: str, value: ast.expr) -> str:
    """The attribute that a keyword names."""
    name, me = source.name, source.me
    text = value.value if isinstance(value, ast.Constant) else None
    if isinstance(text, str) and text.isidentifier():
        return text
    hint = f'set {me}.items before and write {word}="items"'
    if attribute := _attribute(source, value):
        hint = f'write {word}="{attribute}"'
    elif isinstance(text, str) and text.removeprefix(f"{me}.").isidentifier():
        hint = f'write {word}="{text.removeprefix(f"{me}.")}"'
    raise source.wrong(
        f"{word} of step '{name}' must be the name of an attribute in quotes, not "
        f"{ast.unparse(value)}",
        line=call.lineno,
        hint=hint,
    )


def _target(source: Source, call: ast.Call, node: ast.expr) -> str:
    """The step that an argument of self.next, or a value of its switch, means."""
    me = source.me
    target = _attribute(source, node)
    if target is not None:
        return target
    hint = f"write {me}. and the name of a step: {me}.next({me}.end)"
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
        hint = f"write {me}.{node.value}, without quotes"
    elif isinstance(node, ast.Name):
        hint = f"write {me}.{node.id}"
    elif isinstance(node, ast.Call) and _attribute(source, node.func):
        hint = f"write {ast.unparse(node.func)} without brackets: the step is named, not called"
    elif isinstance(node, ast.Starred):
        hint = "name every step: the graph is read without running the flow"
    raise source.wrong(
        f"{me}.next of step '{source.name}' takes steps, not {ast.unparse(node)}",
        line=call.lineno,
        hint=hint,
    )


def _switch(source: Source, call: ast.Call, condition: ast.expr | None) -> Transition:
    name, me = source.name, source.me
    example = f'{me}.next({{"a": {me}.one, "b": {me}.other}}, condition="attribute")'
    if condition is None:
        raise source.wrong(
            f"{me}.next of step '{name}' has a dict and no condition",
            line=call.lineno,
            hint=f"name the attribute that decides: {example}",
        )
    table = call.args[0]
    if len(call.args) > 1 or not isinstance(table, ast.Dict):
        raise source.wrong(
            f"{me}.next of step '{name}' has a condition, but not one dict of cases",
            line=call.lineno,
            hint=f"give each value its step: {example}",
        )
    attribute = _named(source, call, "condition", condition)
    cases: dict[object, tuple[str, str]] = {}
    for key, value in zip(table.keys, table.values, strict=True):
        case, text = _case(source, call, key)
        if case in cases:
            raise source.wrong(
                f"the switch of step '{name}' has two cases for {text!r}",
                line=call.lineno,
                hint="remove one of them; the first would never be taken",
            )
        cases[case] = (text, _target(source, call, value))
    if len(cases) < 2:
        raise source.wrong(
            f"the switch of step '{name}' has {len(cases)} case{'s' * (not cases)}; it takes two "
            "or more",
            line=call.lineno,
            hint=f"add a case, or name the step alone: {me}.next({me}.one)",
        )
    return Transition(
        Kind.SWITCH,
        tuple(dict.fromkeys(target for _, target in cases.values())),
        condition=attribute,
        cases=tuple(cases.values()),
    )


def _case(source: Source, call: ast.Call, key: ast.expr | None) -> tuple[object, str]:
    """What tells one case from another, and the text for it."""
    if key is not None:
        try:
            value = ast.literal_eval(key)
        except ValueError:
            value = None
        if isinstance(value, str | int | float):
            return value, str(value)
        if isinstance(key, ast.Attribute) and _attribute(source, key.value):
            text = ast.unparse(key)  # self.config.key: settled before the run, as a literal is
            return ("config", text), text
    shown = "**" if key is None else ast.unparse(key)
    raise source.wrong(
        f"the switch of step '{source.name}' has a case that only a run could know: {shown}",
        line=call.lineno,
        hint=f"write the value itself, in quotes or as a number, or {source.me}.config.key",
    )
