"""The graph of a flow, read from the source of its steps; no step is run for it.

What one `self.next` says is settled here, and refused here where it cannot be read. Whether the
steps fit together is `mfv.flow.lint`'s question: `read_graph` also returns a graph with missing
or unjoined steps.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import NamedTuple, NoReturn

from mfv.errors import FlowError, did_you_mean


class Kind(enum.StrEnum):
    """How a step ends. Whether it joins is a question of how it begins: `Node.is_join`."""

    LINEAR = "linear"
    SPLIT = "split"
    FOREACH = "foreach"
    SWITCH = "switch"
    PARALLEL = "parallel"
    END = "end"


class Node(NamedTuple):
    """One step, as its source tells it."""

    name: str
    kind: Kind
    next: tuple[str, ...]  # distinct for a switch, as written otherwise; () where none is named
    foreach: str | None  # the attribute that is iterated
    condition: str | None  # the attribute that a switch looks at
    cases: tuple[tuple[str, str], ...]  # of a switch: value as text, step; in order
    num_parallel: bool
    is_join: bool  # takes a second argument
    file: str
    line: int  # of the `def`, 1-based
    next_line: int  # of self.next; 0 where there is none
    doc: str
    previous: tuple[str, ...]  # steps that lead here, in order of definition
    split_path: tuple[str, ...]  # splits open while this step runs, outermost first
    closes: str | None  # the split that a join ends; no longer part of its split_path


class Graph:
    """All steps of one flow. Equal graphs have equal values; nothing in one can be set.

    Iteration gives the nodes with each step before those that it leads to (a step back, through a
    switch, does not count), unreachable ones after the others and the end last.
    """

    __slots__ = ("doc", "end", "file", "flow", "nodes", "order", "start")

    flow: str  # name of the class
    file: str  # "" where the class has none
    doc: str
    nodes: dict[str, Node]  # in order of definition, inherited steps first
    start: str  # name of the first step; "" where there is none
    end: str  # name of the last step; "" where there is none
    order: tuple[str, ...]  # names in order of iteration

    def __init__(
        self, flow: str, file: str, doc: str, nodes: dict[str, Node], start: str, end: str
    ) -> None:
        values = (doc, end, file, flow, nodes, _order(nodes, start, end), start)
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Graph cannot be changed: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Graph cannot be changed: {name}")

    def __reduce__(self) -> tuple[type[Graph], tuple[object, ...]]:
        return Graph, (self.flow, self.file, self.doc, self.nodes, self.start, self.end)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash((self.flow, self.file, self.order))

    def __repr__(self) -> str:
        return f"Graph({self.flow}: {', '.join(self.order)})"

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.nodes

    def __iter__(self) -> Iterator[Node]:
        return (self.nodes[name] for name in self.order)

    def __len__(self) -> int:
        return len(self.nodes)


def read_graph(flow_class: type) -> Graph:
    """The graph of `flow_class`: its own and inherited functions with `is_step` set to True.

    FlowError, with file and line, where a step's source cannot be found, or its arguments or its
    self.next cannot be understood. The graph as a whole is unchecked: see `mfv.flow.lint.check`.
    """
    import inspect

    steps = _steps(flow_class)
    parsed: dict[str, dict[tuple[str, int], _Definition]] = {}
    sources = {name: _Source.of(name, inspect.unwrap(step), parsed) for name, step in steps.items()}
    start = _edge(steps, sources, "start")
    end = _edge(steps, sources, "end")
    if len(steps) == 1:
        # Metaflow lets a lone step be both; one that leads on is still looking for its `end`.
        (name,) = steps
        if not list(_next_calls(sources[name])):
            start = end = name
    nodes = {
        name: _node(source, steps[name].__doc__, name == end) for name, source in sources.items()
    }
    return Graph(
        flow=flow_class.__name__,
        file=_file_of(flow_class, sources),
        doc=inspect.cleandoc(flow_class.__doc__ or ""),
        nodes=_placed(nodes, start),
        start=start,
        end=end,
    )


# A way to a step: the splits that are open on it, outermost first, each with the branch taken.
Way = tuple[tuple[str, str], ...]


def arrivals(nodes: Mapping[str, Node], start: str) -> dict[str, list[Way]]:
    """The distinct ways on which each step is reached from `start`; none if it is unreachable.

    In a sound flow a join has one way per branch and every other step has one. Beyond a step, only
    its first way is followed: a second one is an error there already, and following all of them
    doubles at every unjoined split.
    """
    found: dict[str, list[Way]] = {name: [] for name in nodes}
    followed: set[str] = set()
    todo: list[tuple[str, Way]] = [(start, ())]
    while todo:
        name, way = todo.pop()
        if name not in nodes:
            continue
        if way not in found[name]:
            found[name].append(way)
        if name in followed:
            continue
        followed.add(name)
        node = nodes[name]
        if node.is_join:
            way = way[:-1]
        opens = node.kind in (Kind.SPLIT, Kind.FOREACH, Kind.PARALLEL)
        for target in reversed(node.next):
            todo.append((target, (*way, (name, target)) if opens else way))
    return found


def _placed(nodes: dict[str, Node], start: str) -> dict[str, Node]:
    """`nodes` with what follows from the others filled in."""
    previous: dict[str, list[str]] = {name: [] for name in nodes}
    for node in nodes.values():
        for target in dict.fromkeys(node.next):
            if target in previous:
                previous[target].append(node.name)
    ways = arrivals(nodes, start)
    placed = {}
    for name, node in nodes.items():
        path = tuple(split for split, _ in ways[name][0]) if ways[name] else ()
        closes = None
        if node.is_join and path:
            *outer, closes = path
            path = tuple(outer)
        placed[name] = node._replace(previous=tuple(previous[name]), split_path=path, closes=closes)
    return placed


def _order(nodes: Mapping[str, Node], start: str, end: str) -> tuple[str, ...]:
    # Reverse postorder; with a stack of its own, because a flow may have more steps than Python
    # has frames.
    done: list[str] = []
    seen = {start}
    stack = [(start, iter(reversed(nodes[start].next)))] if start in nodes else []
    while stack:
        name, rest = stack[-1]
        target = next(rest, None)
        if target is None:
            done.append(name)
            stack.pop()
        elif target in nodes and target not in seen:
            seen.add(target)
            stack.append((target, iter(reversed(nodes[target].next))))
    names = [*reversed(done), *(name for name in nodes if name not in seen)]
    if end in nodes:
        # A switch that leads back can put the end before the loop's body.
        names.remove(end)
        names.append(end)
    return tuple(names)


def _steps(flow_class: type) -> dict[str, FunctionType]:
    found: dict[str, FunctionType] = {}
    for cls in reversed(flow_class.__mro__):
        for name, value in vars(cls).items():
            if isinstance(value, FunctionType) and getattr(value, "is_step", None) is True:
                found[name] = value
            else:
                found.pop(name, None)
    return found


def _edge(steps: dict[str, FunctionType], sources: dict[str, _Source], edge: str) -> str:
    """The step marked as the `edge` ("start" or "end") of the flow, or of that name, or ""."""
    marked = [name for name, step in steps.items() if getattr(step, f"is_{edge}_step", False)]
    if edge in steps and edge not in marked:
        marked.append(edge)
    if len(marked) > 1:
        listed = " and ".join(f"'{name}'" for name in marked)
        raise sources[marked[1]].wrong(
            f"{listed} both want to be the {edge} of the flow",
            hint=f"mark one step only with @step({edge}=True), or name one step only '{edge}'",
        )
    return marked[0] if marked else ""


def _file_of(flow_class: type, sources: dict[str, _Source]) -> str:
    import sys

    own = [source.file for name, source in sources.items() if name in vars(flow_class)]
    module = sys.modules.get(flow_class.__module__)
    return own[0] if own else getattr(module, "__file__", None) or ""


_Definition = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class _Source(NamedTuple):
    """Where one step is written."""

    name: str
    file: str
    tree: _Definition
    me: str  # what the step calls its flow: "self"
    is_join: bool

    @classmethod
    def of(
        cls, name: str, step: object, parsed: dict[str, dict[tuple[str, int], _Definition]]
    ) -> _Source:
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


def _definitions(file: str, namespace: dict[str, object]) -> dict[tuple[str, int], _Definition]:
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


def _check_runnable(name: str, code: CodeType, tree: _Definition) -> None:
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


def _arguments(name: str, file: str, tree: _Definition) -> tuple[str, bool]:
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


class _Transition(NamedTuple):
    """What one self.next says."""

    kind: Kind
    targets: tuple[str, ...]
    foreach: str | None = None
    condition: str | None = None
    cases: tuple[tuple[str, str], ...] = ()


def _node(source: _Source, doc: str | None, is_end: bool) -> Node:
    import inspect

    call = _next_call(source, is_end)
    transition = _Transition(Kind.LINEAR, ()) if call is None else _transition(source, call)
    return Node(
        name=source.name,
        kind=Kind.END if is_end else transition.kind,
        next=transition.targets,
        foreach=transition.foreach,
        condition=transition.condition,
        cases=transition.cases,
        num_parallel=transition.kind is Kind.PARALLEL,
        is_join=source.is_join,
        file=source.file,
        line=source.tree.lineno,
        next_line=call.lineno if call else 0,
        doc=inspect.cleandoc(doc or ""),
        previous=(),
        split_path=(),
        closes=None,
    )


def _next_calls(source: _Source) -> Iterator[tuple[ast.stmt, ast.Call]]:
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


def _next_call(source: _Source, is_end: bool) -> ast.Call | None:
    """The self.next that ends the step; FlowError if there is one anywhere else."""
    calls = list(_next_calls(source))
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


def _attribute(source: _Source, node: ast.expr | None) -> str | None:
    """`x` where the node is `self.x`, else None."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return None
    return node.attr if node.value.id == source.me else None


_KEYWORDS = ("foreach", "condition", "num_parallel")


def _transition(source: _Source, call: ast.Call) -> _Transition:
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
        return _Transition(Kind.SPLIT if len(targets) > 1 else Kind.LINEAR, targets)
    ((word, value),) = keywords.items()
    if len(targets) > 1:
        raise source.wrong(
            f"{me}.next of step '{name}' has {word} and {len(targets)} targets",
            line=call.lineno,
            hint=f"name one step, and let that one branch: {me}.next({me}.{targets[0]}, "
            f"{ast.unparse(call.keywords[0])})",
        )
    if word == "foreach":
        return _Transition(Kind.FOREACH, targets, foreach=_named(source, call, word, value))
    constant = value.value if isinstance(value, ast.Constant) else 1
    if type(constant) is not int or constant < 1:
        raise source.wrong(
            f"num_parallel of step '{name}' is {ast.unparse(value)}",
            line=call.lineno,
            hint="give a whole number of tasks, 1 or more, or an attribute that holds one",
        )
    return _Transition(Kind.PARALLEL, targets)


def _named(source: _Source, call: ast.Call, word: str, value: ast.expr) -> str:
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


def _target(source: _Source, call: ast.Call, node: ast.expr) -> str:
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


def _switch(source: _Source, call: ast.Call, condition: ast.expr | None) -> _Transition:
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
    return _Transition(
        Kind.SWITCH,
        tuple(dict.fromkeys(target for _, target in cases.values())),
        condition=attribute,
        cases=tuple(cases.values()),
    )


def _case(source: _Source, call: ast.Call, key: ast.expr | None) -> tuple[object, str]:
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
