"""Everything that each step of a flow can reach, and what it is: a fingerprint with names."""

from __future__ import annotations

import ast
import copy
import fnmatch
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from mfv.code.inputs import read_of_inputs
from mfv.code.mentions import Binding, Chain, Level, chain_of
from mfv.code.parts import (
    TOP,
    Function,
    Module,
    Part,
    digest_of,
    is_inert,
    is_quiet_base,
    last_of,
    only_wraps,
    split_statement,
)
from mfv.code.project import Project

Key = tuple[str, str]  # path, and the name in it; the name is TOP for what runs at import


class Reach(NamedTuple):
    """What one step depends on."""

    units: Mapping[Key, str]  # what tells each piece of code from what it was
    reads: frozenset[str] | None  # attributes of the flow; None where they cannot be known
    stored: frozenset[str]  # attributes that it may set
    reads_inputs: frozenset[str] | None  # of a join: attributes of its inputs; None as for `reads`
    splits: bool  # whether it may ask for its place in a foreach
    files: frozenset[str]  # files and folders that it may read, as they are written
    texts: frozenset[str]  # anything else in quotes
    any_file: bool  # whether it may read files of other names
    everything: bool  # whether it may use any file of the project as code

    def may_read(self, path: str) -> bool:
        """Whether the step may read the file, which is not imported."""
        if self.everything or self.any_file:
            return True
        name = path.rpartition("/")[2]
        if any(name in text for text in (*self.files, *self.texts)):
            return True
        return any(_is_in(path, name, text) for text in self.files)


def _is_in(path: str, name: str, text: str) -> bool:
    """Whether a path is in a folder, or meant by a pattern."""
    folder, star, _ = text.partition("*")
    folder = folder.rstrip("/") if not star else folder.rpartition("/")[0]
    folder = "/".join(part for part in folder.split("/") if part not in ("", ".", ".."))
    if star and not fnmatch.fnmatchcase(name, text.rpartition("/")[2]):
        return False
    return f"/{folder}/" in f"/{path}" if folder else bool(star)


class Code:
    """The code of a flow as one snapshot has it."""

    def __init__(
        self,
        files: Mapping[str, str],
        read: Callable[[str], bytes],
        script: str,
        flow: str,
        *,
        steps: Collection[str],
        constants: Collection[str] = (),
        parameters: Collection[str] = (),
    ) -> None:
        """`constants` and `parameters`: attributes whose values the caller compares itself."""
        self.project = Project(files, read, script)
        self._flow, self._steps = flow, frozenset(steps)
        self._constants, self._parameters = frozenset(constants), frozenset(parameters)
        self._members: dict[str, list[Part]] = defaultdict(list)
        self._flow_parts: dict[int, list[Part]] = {}  # header and effects, by its class's part
        self._whole: bool = script not in files
        self._reaches: dict[str, Reach] = {}
        self._closures: dict[Key, str] = {}
        if not self._whole:
            found = self.project.module(script).parts.get(flow, [])
            for part in found:
                self._add_flow_class(part)
            self._whole = not self._flow_parts
        self._loaded: dict[str, Module] = {}
        self._effects: list[Part] = []
        if not self._whole:
            self._load(script, self._loaded, self._effects)

    @property
    def loaded(self) -> Collection[str]:
        """The files that are imported when the script is run."""
        return self._loaded

    def reach(self, step: str) -> Reach:
        """What a step depends on, and the top level of every module that is imported."""
        if step not in self._reaches:
            self._reaches[step] = self._reach(step)
        return self._reaches[step]

    def definitions(self) -> Iterator[Part]:
        """The functions and classes that values of artifacts can lead to."""
        for module in list(self._loaded.values()):
            for parts in module.parts.values():
                for part in parts:
                    if part.is_definition and id(part) not in self._flow_parts:
                        yield part

    def closure(self, part: Part) -> str:
        """What tells a definition, and all that it can reach, from what it was."""
        key = part.path, part.name
        if key not in self._closures:
            walk = _Walk(self)
            walk.add(part)
            walk.run()
            found = sorted(walk.units().items())
            self._closures[key] = digest_of(repr(found).encode("utf-8", "surrogatepass"))
        return self._closures[key]

    def _reach(self, step: str) -> Reach:
        if self._whole or step not in self._members:
            return self._all_files()
        walk = _Walk(self)
        for part in self._members[step]:
            walk.add(part)
        for part in self._effects:
            walk.add(part)
        walk.run()
        if walk.level is Level.EVERYTHING:
            return self._all_files()
        reads_inputs: frozenset[str] | None = frozenset()
        for part in self._members[step]:
            node = part.nodes[0]
            if isinstance(node, Function) and len(node.args.args) + len(node.args.posonlyargs) > 1:
                names = read_of_inputs(node)
                if names is None or reads_inputs is None:
                    reads_inputs = None
                else:
                    reads_inputs |= names
        own = set(walk.own)
        known = not walk.escapes
        return Reach(
            walk.units(),
            frozenset(own) if known else None,
            frozenset(walk.stored),
            reads_inputs,
            not known or bool(own & {"input", "index", "foreach_stack"}),
            frozenset(walk.files),
            frozenset(walk.texts),
            walk.any_file,
            False,
        )

    def _all_files(self) -> Reach:
        units = {(path, TOP): self.project.files[path] for path in self.project.sources}
        nothing: frozenset[str] = frozenset()
        return Reach(units, None, nothing, None, True, nothing, nothing, True, True)

    # What the walk asks.

    def members(self, name: str) -> list[Part]:
        """The definitions of an attribute of the flow's classes, but for values that are known."""
        if name in self._constants:
            return []
        found = self._members.get(name, [])
        if name in self._parameters:
            return [part for part in found if not _is_parameter(part)]
        return found

    def all_members(self) -> Iterator[Part]:
        """All of them that are no steps."""
        for name in self._members:
            if name not in self._steps:
                yield from self.members(name)

    def is_step(self, name: str) -> bool:
        return name in self._steps

    def is_value(self, name: str) -> bool:
        """Whether it is a constant or a parameter whose value the caller compares."""
        return name in self._constants or name in self._parameters

    def flow_class(self, part: Part) -> bool:
        return id(part) in self._flow_parts

    def whole(self, path: str) -> Iterator[Part]:
        """Everything of a file."""
        for part in self.project.module(path).everything():
            if id(part) not in self._flow_parts:
                yield part

    def whole_flow(self) -> Iterator[Part]:
        """All of the flow's classes, steps too."""
        for parts in self._flow_parts.values():
            yield from parts
        for name in self._members:
            yield from self.members(name)

    def load(self, name: str, level: int, near: str) -> list[Part]:
        """What runs when a module is imported that was not imported with the script."""
        effects: list[Part] = []
        seen = dict(self._loaded)
        for path in self._paths_of(name, level, near):
            self._load(path, seen, effects)
        return effects

    def resolve(self, path: str, chain: Chain, local: Iterable[Binding]) -> Iterator[_Target]:
        """What a name in a file means, followed through imports."""
        seen: set[tuple[str, Chain]] = set()
        for binding in local:
            if binding.name == chain[0]:
                yield from self._imported(path, binding, chain[1:], seen)
            elif binding.name == "*":
                for found in self.project.find(binding.module, binding.level, path):
                    yield from self._named(found, chain, seen)
        yield from self._named(path, chain, seen)

    def is_outside(self, path: str, chain: Chain, local: Iterable[Binding]) -> bool:
        """Whether a name is that of something imported from outside of the project."""
        given = [part.binding for part in self.project.module(path).parts.get(chain[0], ())]
        bound = [*given, *(one for one in local if one.name == chain[0])]
        return bool(bound) and all(
            one is not None
            and one.level == 0
            and not self._paths_of(one.module, 0, path)
            and not self._paths_of(f"{one.module}.{one.attribute}", 0, path)
            for one in bound
        )

    def _named(self, path: str, chain: Chain, seen: set[tuple[str, Chain]]) -> Iterator[_Target]:
        if (path, chain) in seen:
            return
        seen.add((path, chain))
        module = self.project.module(path)
        parts = module.parts.get(chain[0], [])
        for part in parts:
            yield _Target(part, chain[1:])
            if part.binding is not None:
                yield from self._imported(path, part.binding, chain[1:], seen)
        for star in module.stars:
            for found in self.project.find(star.module, star.level, path):
                yield from self._named(found, chain, seen)
        if not parts:
            for part in module.parts.get("__getattr__", ()):
                yield _Target(part, ())

    def _imported(
        self, path: str, binding: Binding, rest: Chain, seen: set[tuple[str, Chain]]
    ) -> Iterator[_Target]:
        if binding.attribute is not None:
            for found in self.project.find(binding.module, binding.level, path):
                yield from self._named(found, (binding.attribute, *rest), seen)
            module = binding.module
            name = f"{module}.{binding.attribute}" if module else binding.attribute
        else:
            name = binding.module
        # As far as the names go they may be modules in packages.
        for length in range(len(rest) + 1):
            dotted = ".".join((name, *rest[:length]))
            for found in self.project.find(dotted, binding.level, path):
                yield from self._in_module(found, dotted, rest[length:], binding, path, seen)

    def _in_module(
        self,
        found: str,
        dotted: str,
        rest: Chain,
        binding: Binding,
        path: str,
        seen: set[tuple[str, Chain]],
    ) -> Iterator[_Target]:
        if not rest:
            yield _Target(None, (), whole=found)
            return
        if rest[0].startswith("__") and rest[0].endswith("__"):
            return
        module = self.project.module(found)
        is_bound = rest[0] in module.parts or "__getattr__" in module.parts
        inner = self.project.find(f"{dotted}.{rest[0]}", binding.level, path)
        if is_bound or module.stars:
            yield from self._named(found, rest, seen)
        elif not inner:
            yield _Target(None, (), whole=found)  # set by somebody, in a way that is not seen

    def _paths_of(self, name: str, level: int, near: str) -> list[str]:
        """The files of a module and of the packages that it is in."""
        found = list(self.project.find(name, level, near))
        if level and not name:
            return found
        while "." in name:
            name = name.rpartition(".")[0]
            found += self.project.find(name, level, near)
        return found

    def _load(self, path: str, seen: dict[str, Module], effects: list[Part]) -> None:
        todo = [path]
        while todo:
            path = todo.pop()
            if path in seen:
                continue
            module = seen[path] = self.project.module(path)
            for part in module.effects:
                if id(part) not in self._flow_parts and not self._is_wrapped(part):
                    effects.append(part)
            for parts in module.parts.values():
                for part in parts:
                    node = part.class_node
                    if node is not None and id(part) in self._flow_parts:
                        effects += self._flow_parts[id(part)]
                    elif (node is not None and node.bases and not self._is_quiet(part, set())) or self._does_something(part):
                        effects.append(part)
            for name, level in module.modules:
                todo += self._paths_of(name, level, path)

    def _is_wrapped(self, part: Part) -> bool:
        """Whether a function is decorated by nothing but wrappers of the project."""
        node = part.nodes[0] if part.nodes else None
        if not isinstance(node, Function) or not all(
            is_inert(_bare(node)) if one is None else self._wraps(part, one)
            for one in (None, *node.decorator_list)
        ):
            return False
        return True

    def _wraps(self, part: Part, decorator: ast.expr) -> bool:
        called = isinstance(decorator, ast.Call)
        chain = chain_of(decorator.func if isinstance(decorator, ast.Call) else decorator)
        found = [] if chain is None else list(self._definitions_of(part, chain))
        return bool(found) and all(
            isinstance(one.nodes[0], Function) and only_wraps(one.nodes[0], 1 + called)
            for one in found
        )

    def _is_ours(self, part: Part, decorator: ast.expr) -> bool:
        """Whether a decorator is of the project, and does more than to wrap."""
        chain = chain_of(decorator.func if isinstance(decorator, ast.Call) else decorator)
        known = chain is not None and any(self._definitions_of(part, chain))
        return known and not self._wraps(part, decorator)

    def _definitions_of(self, part: Part, chain: Chain) -> Iterator[Part]:
        for target in self.resolve(part.path, chain, ()):
            if target.part is not None and target.part.is_definition and not target.rest:
                yield target.part

    def _does_something(self, part: Part) -> bool:
        """Whether what looks as if it had no effect calls something of the project, by that name."""
        node = part.nodes[0] if part.nodes else None
        if isinstance(node, Function):
            names = [
                chain_of(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list
            ]
            known = any(c is not None and any(self._definitions_of(part, c)) for c in names)
            return known and not self._is_wrapped(part)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            return any(any(self._definitions_of(part, one)) for one in part.mentions.calls)
        return False

    def _is_quiet(self, part: Part, seen: set[int]) -> bool:
        """Whether nothing of the project, or from outside, hears of a class when it is defined."""
        node = part.class_node
        if id(part) in seen or node is None:
            return id(part) in seen
        seen.add(id(part))
        if not is_inert(node):
            return False
        for base in node.bases:
            chain = chain_of(base.value if isinstance(base, ast.Subscript) else base)
            if chain is None:
                return False
            targets = [t for t in self.resolve(part.path, chain, ()) if t.part is not None]
            classes = [t.part for t in targets if t.part is not None and t.part.class_node]
            if classes:
                if not all(self._is_quiet(one, seen) for one in classes):
                    return False
            elif not is_quiet_base(chain[-1]):
                return False
        return True

    def _add_flow_class(self, part: Part) -> None:
        """Takes a class of the flow, and those of the project that it derives from, apart."""
        node = part.class_node
        if node is None or id(part) in self._flow_parts:
            return
        parts = self._flow_parts[id(part)] = []
        heads: list[ast.AST] = [*node.decorator_list, *node.bases, *node.keywords]
        parts.append(Part(part.path, node.name, heads))
        for statement in node.body:
            for made in split_statement(part.path, f"{node.name}.", statement):
                if made.name != f"{node.name}." and made.name:
                    self._members[made.name.partition(".")[2]].append(made)
                    made.at_class = made if not isinstance(statement, Function) else None
                elif not isinstance(statement, ast.Expr) or not isinstance(
                    statement.value, ast.Constant
                ):
                    parts.append(Part(part.path, node.name, [statement]))
            if isinstance(statement, Function):
                nodes = _of_the_class(statement)
                if nodes:
                    name = f"{node.name}.{statement.name}"
                    self._members[statement.name][-1].at_class = Part(part.path, name, nodes)
                ours = any(self._is_ours(part, one) for one in statement.decorator_list)
                if ours or not is_inert(statement):
                    parts.append(Part(part.path, node.name, [*statement.decorator_list, *nodes]))
            elif not is_inert(statement) and not isinstance(statement, ast.Expr):
                parts.append(Part(part.path, node.name, [statement]))
        for base in node.bases:
            chain = chain_of(base.value if isinstance(base, ast.Subscript) else base)
            for target in () if chain is None else self.resolve(part.path, chain, ()):
                if target.part is not None and not target.rest:
                    self._add_flow_class(target.part)


def _bare(node: Function) -> Function:
    """A function without its decorators."""
    made = copy.copy(node)
    made.decorator_list = []
    return made


def _of_the_class(node: Function) -> list[ast.AST]:
    """What of a method is evaluated in the body of its class."""
    found: list[ast.AST] = [one for one in node.decorator_list if last_of(one) != "step"]
    found += [one for one in (*node.args.defaults, *node.args.kw_defaults) if one is not None]
    return found


def _is_parameter(part: Part) -> bool:
    node = part.nodes[0]
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return isinstance(value, ast.Call) and last_of(value) == "Parameter"


class _Target(NamedTuple):
    """What a name means: a part, with the attributes that follow; or a file as a whole."""

    part: Part | None
    rest: Chain
    whole: str = ""


class _Walk:
    """One closure: from some parts to all that they can use."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._parts: dict[int, Part] = {}
        self._as_value: set[int] = set()  # parts whose docstring may be read
        self._todo: list[Part] = []
        self._wholes: set[str] = set()
        self.own: set[str] = set()
        self.stored: set[str] = set()
        self.texts: set[str] = set()
        self.files: set[str] = set()
        self.any_file = self.escapes = self._docs = False
        self.level = Level.KNOWN
        self._loaded_all = False

    def add(self, part: Part, *, as_value: bool = False) -> None:
        if as_value:
            self._as_value.add(id(part))
        if id(part) not in self._parts:
            self._parts[id(part)] = part
            self._todo.append(part)

    def run(self) -> None:
        while self._todo:
            self._take(self._todo.pop())
            if not self._todo and self.level is Level.LOADED and not self._loaded_all:
                self._loaded_all = True
                for path in list(self._code.loaded):
                    self._whole(path)

    def units(self) -> dict[Key, str]:
        """What was reached, each with what tells it from what it was."""
        found: dict[Key, list[str]] = defaultdict(list)
        for one, part in self._parts.items():
            found[part.path, part.name].append(part.digest(self._docs or one in self._as_value))
        return {
            key: digests[0] if len(digests) == 1 else "|".join(self._ordered(key, digests))
            for key, digests in found.items()
        }

    def _ordered(self, key: Key, digests: list[str]) -> list[str]:
        """In the order of the file where that matters."""
        module = self._code.project.module(key[0])
        order = {id(part): n for n, part in enumerate(module.everything())}
        ids = [one for one, part in self._parts.items() if (part.path, part.name) == key]
        pairs = sorted(zip(ids, digests, strict=True), key=lambda pair: order.get(pair[0], -1))
        return [digest for _, digest in pairs]

    def _take(self, part: Part) -> None:
        code, found = self._code, part.mentions
        self.texts |= found.texts
        for called, file in found.readers:
            if called is None or not self._is_ours(part, called):
                self.files |= {file} if file is not None else set()
                self.any_file = self.any_file or file is None
        self._docs = self._docs or found.reads_docs
        self.level = max(self.level, found.level)
        if part.binding is not None:
            return
        for name, level in found.modules:
            for effect in code.load(name, level, part.path):
                self.add(effect)
        for chains, as_value in ((found.values, True), (found.calls, False)):
            for chain in chains:
                for target in code.resolve(part.path, chain, found.bindings):
                    self._reach(part, target, as_value=as_value)
        for object_ in found.computed:
            if object_ is not None and code.is_outside(part.path, object_, found.bindings):
                continue
            if part.me is None and object_ is not None and object_[0] in ("self", "cls"):
                continue  # of a class that is there as a whole
            self.level = max(self.level, Level.LOADED)
        if part.me is not None:
            self._take_own(part)
        if part.at_class is not None:
            self.stored |= part.at_class.mentions.texts  # `@catch(var="...")`
            for chain in part.at_class.mentions.values | part.at_class.mentions.calls:
                if code.members(chain[0]) or code.is_value(chain[0]):
                    self._own(chain[0])

    def _is_ours(self, part: Part, chain: Chain) -> bool:
        """Whether what is called is of the project, so that what it does itself is seen."""
        if chain[0] == part.me:
            return len(chain) == 2 and bool(self._code.members(chain[1]))
        targets = self._code.resolve(part.path, chain, part.mentions.bindings)
        return any(
            target.part is not None and target.part.is_definition and not target.rest
            for target in targets
        )

    def _take_own(self, part: Part) -> None:
        found = part.mentions
        self.stored |= found.stored
        for name in found.own:
            self._own(name)
        if found.escapes and not self.escapes:
            self.escapes = True
            for member in self._code.all_members():
                self.add(member, as_value=True)

    def _own(self, name: str) -> None:
        self.own.add(name)
        for member in self._code.members(name):
            self.add(member)

    def _reach(self, source: Part, target: _Target, *, as_value: bool) -> None:
        if target.part is None:
            self._whole(target.whole)
        elif not self._code.flow_class(target.part):
            self.add(target.part, as_value=as_value and not target.rest)
        elif target.rest:
            if self._code.is_step(target.rest[0]):
                for part in self._code.whole_flow():
                    self.add(part)
            self._own(target.rest[0])
        elif as_value and not source.is_at_class:
            # The flow's own class is in somebody's hands.
            for part in self._code.whole_flow():
                self.add(part, as_value=True)

    def _whole(self, path: str) -> None:
        if path in self._wholes:
            return
        self._wholes.add(path)
        for part in self._code.whole(path):
            self.add(part, as_value=True)
        if path == self._code.project.script:
            for part in self._code.whole_flow():
                self.add(part, as_value=True)
