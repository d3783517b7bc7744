"""What a piece of code mentions: the names that it may use, and what of it cannot be known."""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Iterator
from typing import NamedTuple

Chain = tuple[str, ...]  # `util.helper` as ("util", "helper")


class Level(enum.IntEnum):
    """How far it is from being known what a piece of code uses."""

    KNOWN = 0
    LOADED = 1  # anything of the modules that are imported
    EVERYTHING = 2  # any file of the project


class Binding(NamedTuple):
    """A name that an import binds; `name` is "*" where it binds all names of a module."""

    name: str
    module: str  # dotted; empty for `from . import x`
    attribute: str | None  # of the module; None where the name is the module, or its package
    level: int  # of a relative import: how many dots


class Mentions:
    """Everything that is of interest in some pieces of code, gathered in one pass."""

    def __init__(self, me: str | None = None) -> None:
        """`me`: what methods of the flow call the flow; None outside of it."""
        self._me = me
        self.values: set[Chain] = set()  # names used as values
        self.calls: set[Chain] = set()  # names that are only called
        self.own: set[str] = set()  # attributes of the flow that may be read
        self.stored: set[str] = set()  # attributes of the flow that may be set or deleted
        self.escapes = False  # whether the flow itself is handed to somebody
        self.texts: set[str] = set()
        self.bindings: list[Binding] = []
        self.modules: list[tuple[str, int]] = []  # that are imported: dotted name and level
        self.level = Level.KNOWN
        self.computed: list[Chain | None] = []  # of which attributes are read by computed names
        # Calls that may read a file: what is called, and the file, where that is known.
        self.readers: set[tuple[Chain | None, str | None]] = set()
        self.reads_docs = False

    def add(self, node: ast.AST) -> None:
        """Adds what `node` and all below it mention."""
        method = getattr(self, f"_in_{type(node).__name__.lower()}", None)
        if method is None or not method(node):
            for child in ast.iter_child_nodes(node):
                self.add(child)

    def _in_name(self, node: ast.Name) -> bool:
        if node.id == self._me:
            self.escapes = True
        elif not isinstance(node.ctx, ast.Del):
            self._chain((node.id,), self.values)
        return True

    def _in_attribute(self, node: ast.Attribute, *, called: bool = False) -> bool:
        chain = _chain_of(node)
        if node.attr in _NEED_DOCS:
            self.reads_docs = True
        if node.attr in _NEED_LOADED:
            self.level = max(self.level, Level.LOADED)
        if chain is None:
            if _is_super(node.value):
                self.own.add(node.attr)
                return True
            self.add(node.value)
        elif chain[0] == self._me:
            self._of_me(chain, node.ctx)
        else:
            self._chain(chain, self.calls if called else self.values)
        return True

    def _of_me(self, chain: Chain, context: ast.expr_context) -> None:
        name = chain[1]
        if name in ("__dict__", "__class__", "__getattribute__", "__doc__"):
            self.escapes = True
        elif len(chain) > 2 or isinstance(context, ast.Load):
            self.own.add(name)
        else:
            self.stored.add(name)

    def _in_call(self, node: ast.Call) -> bool:
        chain = _chain_of(node.func)
        if chain is not None and len(chain) == 2 and chain == (self._me, "next"):
            # The steps that it names are not called, but what it goes over or chooses by is read.
            self.own |= {
                word.value.value
                for word in node.keywords
                if isinstance(word.value, ast.Constant) and isinstance(word.value.value, str)
            }
            for word in node.keywords:
                self.add(word.value)
            return True
        self._reads(node, chain)
        done: list[ast.AST] = []
        if chain is not None:
            done = self._special(node, chain)
            if isinstance(node.func, ast.Attribute):
                self._in_attribute(node.func, called=True)
            else:
                self._chain(chain, self.calls)
                self.escapes = self.escapes or chain[0] == self._me
        else:
            self.add(node.func)
        for child in (*node.args, *node.keywords):
            if child not in done:
                self.add(child)
        return True

    def _special(self, node: ast.Call, chain: Chain) -> list[ast.AST]:
        """Calls that use attributes or modules by a name in a string; returns what is done with."""
        last, arguments = chain[-1], node.args
        if len(chain) == 1 and last in _BY_NAME and len(arguments) >= 2:
            name, target = _text(arguments[1]), _chain_of(arguments[0])
            if target == (self._me,):
                if name is None:
                    self.escapes = True
                elif last in ("setattr", "delattr"):
                    self.stored.add(name)
                else:
                    self.own.add(name)
                return [arguments[0]]
            if name is not None and target is not None and last not in ("setattr", "delattr"):
                self.add_attribute(target, name)
                return [arguments[0]]
            if name is None and last not in ("setattr", "delattr"):
                self.computed.append(target)
        elif last in ("import_module", "__import__"):
            module = _text(arguments[0]) if arguments else None
            if module is None:
                self.level = Level.EVERYTHING
            else:
                level = len(module) - len(module.lstrip("."))
                self.modules.append((module.lstrip("."), level))
                # What is done with it cannot be followed.
                self.level = max(self.level, Level.LOADED)
        elif last in ("attrgetter", "methodcaller") and not all(map(_text, arguments[:1])):
            self.computed.append(None)
        elif last in ("load", "loads", "Unpickler") and chain[0] in _UNPICKLERS:
            self.level = max(self.level, Level.LOADED)
        return []

    def add_attribute(self, target: Chain, name: str) -> None:
        """`getattr(target, "name")`"""
        if target[0] == self._me:
            self.own.add(target[1])
        else:
            self._chain((*target, *name.split(".")), self.values)

    def _reads(self, node: ast.Call, chain: Chain | None) -> None:
        """Takes note of a call that may read a file."""
        func = node.func
        last = func.attr if isinstance(func, ast.Attribute) else chain[-1] if chain else ""
        if not _READERS.fullmatch(last) or _writes(node, last):
            return
        if last == "load" and chain is not None and chain[0] in _OF_OPEN_FILES:
            return
        given = [*node.args, *(word.value for word in node.keywords if word.arg in _PATHS)]
        if not given:
            if not isinstance(func, ast.Attribute) or last not in _OF_A_PATH:
                return
            base = func.value
            if isinstance(base, ast.Call) and base.args and _chain_of(base.func):
                given = list(base.args)
            else:
                given = [base]
        text = _text(given[0])
        self.readers.add((chain, text if text is not None and text.strip("./*") else None))

    def _in_constant(self, node: ast.Constant) -> bool:
        if isinstance(node.value, str):
            self.texts.add(node.value)
        return True

    def _in_arg(self, node: ast.arg) -> bool:
        self._annotation(node.annotation)
        return True

    def _in_augassign(self, node: ast.AugAssign) -> bool:
        chain = _chain_of(node.target)
        if chain is not None and len(chain) == 2 and chain[0] == self._me:
            self.own.add(chain[1])  # it is read as well
        elif chain is not None and chain[0] != self._me:
            self._chain(chain, self.values)
        return False

    def _in_annassign(self, node: ast.AnnAssign) -> bool:
        self._annotation(node.annotation)
        for child in (node.target, node.value):
            if child is not None:
                self.add(child)
        return True

    def _annotation(self, node: ast.expr | None) -> None:
        """A name in a string is a name here."""
        if node is None:
            return
        for child in ast.walk(node):
            if isinstance(child, ast.Constant) and isinstance(child.value, str):
                try:
                    self.add(ast.parse(child.value, mode="eval"))
                except (SyntaxError, ValueError):
                    continue
        self.add(node)

    def _in_import(self, node: ast.Import) -> bool:
        for binding in bindings(node):
            self.bindings.append(binding)
        self.modules += [(alias.name, 0) for alias in node.names]
        return True

    def _in_importfrom(self, node: ast.ImportFrom) -> bool:
        for binding in bindings(node):
            self.bindings.append(binding)
            if binding.attribute is not None:
                inner = f"{binding.module}.{binding.attribute}" if binding.module else ""
                self.modules.append((inner or binding.attribute, binding.level))
        self.modules.append((node.module or "", node.level))
        return True

    def _chain(self, chain: Chain, into: set[Chain]) -> None:
        into.add(chain)
        first, last = chain[0], chain[-1]
        if first in _RUN_ANYTHING or (first == "os" and last.startswith(_OS_RUNS)):
            self.level = Level.EVERYTHING
        elif (
            first in _NEED_LOADED
            or (first == "sys" and "modules" in chain)
            or last == "read_pickle"
        ):
            self.level = max(self.level, Level.LOADED)
        if first in _NEED_DOCS:
            self.reads_docs = True


_BY_NAME = frozenset({"getattr", "hasattr", "setattr", "delattr"})
_UNPICKLERS = frozenset({"pickle", "cPickle", "joblib", "dill", "cloudpickle", "torch", "shelve"})
_RUN_ANYTHING = frozenset({"exec", "eval", "compile", "subprocess", "runpy", "pty", "Runner"})
_OS_RUNS = ("system", "popen", "exec", "spawn", "posix_spawn")
_NEED_LOADED = frozenset(
    {"globals", "vars", "__dict__", "__subclasses__", "inspect", "__globals__"}
)
_NEED_DOCS = frozenset({"__doc__", "inspect", "getdoc", "pydoc", "fire", "help"})
# By what functions that read files, or look whether they are there, are called.
_READERS = re.compile(
    r"i?r?glob|f?open|read_\w+|load|load_(?!state_dict)\w+|loadtxt|loadmat|genfromtxt|fromfile|"
    r"from_(csv|file|json|path|parquet|pretrained|disk|yaml|toml)|imread|connect|listdir|scandir|"
    r"walk|iterdir|l?exists|is_?file|is_?dir|l?stat|getsize|getmtime|memmap|copy2|copyfile|"
    r"copytree|ZipFile|TarFile|File|ImageFolder|get_data"
)
_OF_A_PATH = frozenset(
    {"read_text", "read_bytes", "open", "iterdir", "exists", "is_file", "is_dir", "stat", "lstat"}
)
# Their `load` is given a file that somebody opened.
_OF_OPEN_FILES = frozenset({"json", "yaml", "pickle", "tomllib", "toml", "marshal", "msgpack"})
_PATHS = frozenset({"path", "filename", "file", "fname", "filepath_or_buffer", "io", "database"})


def bindings(node: ast.Import | ast.ImportFrom) -> Iterator[Binding]:
    """The names that an import binds."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            name = alias.asname or alias.name
            yield Binding(name, node.module or "", alias.name, node.level)
        elif alias.asname:
            yield Binding(alias.asname, alias.name, None, 0)
        else:
            top = alias.name.partition(".")[0]
            yield Binding(top, top, None, 0)


def _chain_of(node: ast.AST) -> Chain | None:
    """`a.b.c` as a chain; None for anything else."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node.id, *reversed(names))


chain_of = _chain_of


def _is_super(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "super"
        and len(node.args) in (0, 2)
    )


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _writes(node: ast.Call, last: str) -> bool:
    """Whether an `open` only writes."""
    if last not in ("open", "File", "ZipFile", "TarFile"):
        return False
    place = 0 if isinstance(node.func, ast.Attribute) and len(node.args) == 1 else 1
    modes = [*node.args[place : place + 1], *(w.value for w in node.keywords if w.arg == "mode")]
    return any((_text(mode) or "r").strip("bt") in ("w", "x") for mode in modes)
