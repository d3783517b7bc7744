"""A source file taken apart into what can be used, and so can change, on its own."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from mfv.code.mentions import Binding, Mentions, bindings, chain_of

Function = ast.FunctionDef | ast.AsyncFunctionDef

TOP = ""
"""The name of what runs when a module is imported."""


class Part:
    """One definition or statement: what it is, normalised, and what it mentions."""

    def __init__(
        self,
        path: str,
        name: str,
        nodes: Sequence[ast.AST],
        *,
        me: str | None = None,
        binding: Binding | None = None,
        doc: str = "",
    ) -> None:
        self.path, self.name, self.nodes = path, name, nodes
        self.me, self.binding = me, binding
        self.at_class: Part | None = None  # of a method: what the body of its class evaluates
        self._doc = doc
        self._mentions: Mentions | None = None
        self._digest: str | None = None

    @property
    def mentions(self) -> Mentions:
        if self._mentions is None:
            found = Mentions(self.me)
            if self.binding is None:
                for node in self.nodes:
                    found.add(node)
            self._mentions = found
        return self._mentions

    def digest(self, with_doc: bool) -> str:
        """The same for code that differs in comments and layout only."""
        if self._digest is None:
            if self.binding is not None:
                text = repr(tuple(self.binding))
            else:
                text = "\n".join(map(ast.dump, self.nodes))
            self._digest = digest_of(text.encode("utf-8", "surrogatepass"))
        return f"{self._digest} {self._doc}" if with_doc else self._digest

    @property
    def is_at_class(self) -> bool:
        """Whether it runs when its module is imported, and is no definition."""
        return not self.is_definition

    @property
    def class_node(self) -> ast.ClassDef | None:
        node = self.nodes[0] if self.nodes else None
        return node if isinstance(node, ast.ClassDef) else None

    @property
    def is_definition(self) -> bool:
        """Whether it is a function or a class, which a value can lead to."""
        node = self.nodes[0] if self.nodes else None
        return isinstance(node, ast.ClassDef | Function)


class Module:
    """One source file."""

    def __init__(self, path: str, source: bytes) -> None:
        """A file that is no valid Python is one part."""
        self.path = path
        self.parts: dict[str, list[Part]] = defaultdict(list)  # by the name that they bind
        self.effects: list[Part] = []  # what binds no name, in order
        self.stars: list[Binding] = []
        self.modules: list[tuple[str, int]] = []  # imported when this one is
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            opaque = ast.Expr(ast.Constant(digest_of(source)))
            self.effects.append(Part(path, TOP, [opaque]))
            return
        body = tree.body
        if body and _is_text(body[0]):
            self.parts["__doc__"].append(Part(path, "__doc__", [body[0]]))
            body = body[1:]
        for statement in body:
            self._add(statement)
        gathered = Mentions()
        for node in _at_import(body):
            gathered.add(node)
        self.modules = gathered.modules

    def _add(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for binding in bindings(statement):
                part = Part(self.path, f"import {binding.name}", [], binding=binding)
                if binding.name == "*":
                    self.stars.append(binding)
                    self.effects.append(part)
                else:
                    self.parts[binding.name].append(part)
            return
        for part in split_statement(self.path, "", statement):
            if part.name:
                self.parts[part.name].append(part)
            else:
                self.effects.append(part)
        if not _is_simple(statement):
            # Names that are bound somewhere inside: by the whole statement.
            found = Mentions()
            found.add(statement)
            for binding in found.bindings:
                if binding.name == "*":
                    self.stars.append(binding)
                else:
                    name = f"import {binding.name}"
                    self.parts[binding.name].append(Part(self.path, name, [], binding=binding))

    def everything(self) -> Iterator[Part]:
        """All parts."""
        for parts in self.parts.values():
            yield from parts
        yield from self.effects


def split_statement(path: str, prefix: str, statement: ast.stmt) -> Iterator[Part]:
    """The parts of a statement of a module, or with a `prefix` of a class of the flow.

    One for each name that it binds; one that binds none has the name TOP.
    """
    if isinstance(statement, Function):
        node, doc = plain(statement, INERT if prefix else frozenset())
        own = me_of(statement) if prefix else None
        yield Part(path, prefix + statement.name, [node], me=own, doc=doc)
    elif isinstance(statement, ast.ClassDef):
        kind, doc = _plain_class(statement)
        yield Part(path, prefix + statement.name, [kind], doc=doc)
    else:
        names = list(_bound(statement))
        for name in names:
            yield Part(path, prefix + name, [statement])
        if not names:
            yield Part(path, TOP, [statement])


def plain(node: Function, without: frozenset[str] = frozenset()) -> tuple[Function, str]:
    """A function without its docstring and the decorators of these names; the docstring."""
    made = copy.copy(node)
    made.decorator_list = [one for one in node.decorator_list if last_of(one) not in without]
    doc = ""
    if node.body and _is_text(node.body[0]):
        doc = ast.get_docstring(node, clean=False) or ""
        # One that somebody decorates may be read, and so may that of a tool.
        if made.decorator_list and not all(last_of(d) in QUIET for d in made.decorator_list):
            return made, ""
        made.body = node.body[1:] or [ast.Pass()]
    return made, doc


def _plain_class(node: ast.ClassDef) -> tuple[ast.ClassDef, str]:
    made = copy.copy(node)
    doc = ""
    body: list[ast.stmt] = list(node.body)
    # Some frameworks take the docstring of a class for what it is to do.
    outside = node.bases or node.keywords or node.decorator_list
    if body and _is_text(body[0]) and not outside:
        doc = ast.get_docstring(node, clean=False) or ""
        body = body[1:] or [ast.Pass()]
    made.body = []
    for one in body:
        if isinstance(one, Function) and not outside:
            inner, text = plain(one)
            doc += text
            made.body.append(inner)
        else:
            made.body.append(one)
    return made, doc


# Decorators that say how often, how long and where a step runs, not what it does.
INERT = frozenset({"step", "retry", "timeout", "resources", "card"})
# Decorators that are not interested in docstrings, and have no effect when they are applied.
QUIET = frozenset(
    {
        *("staticmethod", "classmethod", "property", "cached_property", "setter", "wraps"),
        *("cache", "lru_cache", "contextmanager", "dataclass", "total_ordering", "overload"),
        *("abstractmethod", "catch", "environment", "secrets", "project", "parallel"),
        *("no_grad", "inference_mode", "jit", "njit", "final", "override", "singledispatch"),
        *("vectorize", "compile", "remote", "profile", "typechecked", "beartype", "wraps"),
    }
)
# Calls that do nothing but give a value.
_PURE = frozenset(
    {
        *("int", "float", "str", "bool", "bytes", "complex", "dict", "list", "tuple", "set"),
        *("frozenset", "range", "len", "min", "max", "sum", "sorted", "abs", "round", "zip"),
        *("enumerate", "reversed", "object", "slice", "ord", "chr", "divmod", "pow", "type"),
        *("Path", "PurePath", "getenv", "getLogger", "namedtuple", "TypeVar", "NewType"),
        *("timedelta", "datetime", "Decimal", "Fraction", "Counter", "OrderedDict", "deque"),
        *(
            "defaultdict",
            "partial",
            "Field",
            "Column",
            "auto",
            "itemgetter",
            "attrgetter",
            "MappingProxyType",
            "field",
        ),
        *("Parameter", "Config", "IncludeFile", "config_expr", "array", "arange", "linspace"),
        *("zeros", "ones", "dirname", "abspath", "basename", "realpath", "Lock", "RLock"),
        *("split", "strip", "lower", "upper", "resolve", "with_name", "with_suffix", "keys"),
        *("items", "format", "replace", "encode", "decode", "dedent", "join"),
    }
)
# Classes that keep no list of those that are made of them.
_QUIET_BASES = frozenset(
    {
        *("object", "ABC", "Protocol", "Generic", "NamedTuple", "TypedDict", "Enum", "IntEnum"),
        *("StrEnum", "Flag", "dict", "list", "tuple", "set", "int", "str", "float", "bytes"),
        *("BaseModel", "Module", "Dataset", "IterableDataset", "LightningModule", "Struct"),
        *("BaseEstimator", "TransformerMixin", "ClassifierMixin", "RegressorMixin", "Thread"),
        *("LightningDataModule", "Callback", "Optimizer", "Sampler", "NodeVisitor", "FlowSpec"),
    }
)


def is_inert(statement: ast.stmt) -> bool:
    """Whether nothing happens when a statement is run but that names get values."""
    if isinstance(statement, Function):
        return all(last_of(one) in INERT | QUIET for one in statement.decorator_list) and all(
            _is_inert_value(one)
            for one in (*statement.args.defaults, *statement.args.kw_defaults)
            if one is not None
        )
    if isinstance(statement, ast.ClassDef):
        if not all(last_of(one) in QUIET for one in statement.decorator_list):
            return False
        return not statement.keywords and all(
            (is_inert(one) and not (isinstance(one, Function) and one.name in _HOOKS))
            or _is_text(one)
            for one in statement.body
        )
    if isinstance(statement, ast.Assign):
        return all(map(_is_plain_target, statement.targets)) and _is_inert_value(statement.value)
    if isinstance(statement, ast.AnnAssign):
        return _is_plain_target(statement.target) and (
            statement.value is None or _is_inert_value(statement.value)
        )
    if isinstance(statement, ast.AugAssign):
        return _is_plain_target(statement.target) and _is_inert_value(statement.value)
    is_nothing = isinstance(statement, ast.Pass) or _is_text(statement)
    return is_nothing or type(statement).__name__ == "TypeAlias"


def only_wraps(node: Function, levels: int) -> bool:
    """Whether a decorator does nothing, when it is applied, but to make functions and return one.

    `levels`: how many functions deep that is: 2 for one that is called with arguments first.
    """
    for statement in node.body:
        if isinstance(statement, Function):
            quiet = all(last_of(one) in QUIET for one in statement.decorator_list)
            if not quiet or (levels > 1 and not only_wraps(statement, levels - 1)):
                return False
        elif isinstance(statement, ast.Return):
            if not isinstance(statement.value, ast.Name):
                return False
        elif not _is_text(statement):
            return False
    return True


# By these a class hears of those that are derived from it.
_HOOKS = ("__init_subclass__", "__set_name__")


def is_quiet_base(name: str) -> bool:
    """Whether a class from outside of the project, of this name, lists its subclasses nowhere."""
    return name in _QUIET_BASES or name.endswith(("Error", "Exception", "Warning", "Mixin"))


def _is_inert_value(node: ast.expr) -> bool:
    for child in ast.walk(node):
        if isinstance(child, ast.Call):
            chain = chain_of(child.func)
            last = child.func.attr if isinstance(child.func, ast.Attribute) else ""
            last = chain[-1] if chain else last
            if last not in _PURE and chain not in _PURE_CHAINS:
                return False
        elif isinstance(child, ast.Await | ast.Yield | ast.YieldFrom):
            return False
    return True


_PURE_CHAINS = frozenset({("re", "compile"), ("os", "environ", "get"), ("os", "path", "join")})


def _is_plain_target(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple | ast.List):
        return all(map(_is_plain_target, node.elts))
    if isinstance(node, ast.Starred):
        return _is_plain_target(node.value)
    return isinstance(node, ast.Name)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement binds, whatever it is."""
    for node in _at_import([statement]):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, Function | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.ExceptHandler):
            yield from [node.name] if node.name else []


def _at_import(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Every node that is run where the statements are; of a function only that it is there."""
    todo: list[ast.AST] = list(reversed(body))
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, Function | ast.Lambda):
            continue
        todo.extend(reversed(list(ast.iter_child_nodes(node))))


def _is_simple(statement: ast.stmt) -> bool:
    simple = ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Expr | ast.ClassDef | Function
    return isinstance(statement, simple)


def me_of(node: Function) -> str | None:
    """What a method calls its object, or its class."""
    if any(last_of(one) == "staticmethod" for one in node.decorator_list):
        return None
    names = [*node.args.posonlyargs, *node.args.args]
    return names[0].arg if names else None


def last_of(node: ast.expr) -> str:
    """The last name of a decorator or a base, called or not: `step` of `@mfv.step`."""
    if isinstance(node, ast.Call):
        node = node.func
    chain = chain_of(node)
    return chain[-1] if chain else ""


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def digest_of(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
