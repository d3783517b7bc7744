"""The modules that stand where Metaflow's stand, made when they are imported, names when used."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from mfv.compat import PATH
from mfv.compat.names import HINTS, MODULES, WHERE
from mfv.errors import FlowError, did_you_mean

ROOT = "metaflow"
_ORIGIN = "mfv.compat.metaflow"


class CompatError(FlowError, ModuleNotFoundError):
    """An import from Metaflow that mfv cannot serve: an ImportError for whoever expects one."""

    code = "compat"


class CompatAttributeError(FlowError, AttributeError):
    """A name that Metaflow's module has not, or that nobody knows."""

    code = "compat"


class Unavailable:
    """A name of Metaflow's that mfv does not have: may be imported, and says so when used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _refuse(self) -> CompatAttributeError:
        _tell_plainly()
        return CompatAttributeError(
            f"this flow uses {self._name} of Metaflow, which mfv does not have",
            hint=HINTS.get(self._name, "run this flow with Metaflow, or without it"),
        )

    def __call__(self, *args: object, **options: object) -> object:
        raise self._refuse()

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._refuse()

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        raise self._refuse()

    def __instancecheck__(self, instance: object) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<{self._name} of Metaflow, which mfv does not have>"


class _Stand(ModuleType):
    """One module in Metaflow's place."""

    def __getattr__(self, name: str) -> object:
        if name == "__all__":
            return _public(self.__name__)
        if name.startswith("__") and name != "__version__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = _find(self.__name__, name)
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *_public(self.__name__)})


class _Finder(MetaPathFinder, Loader):
    """Finds `metaflow` and all below it, before anything that is installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != ROOT and not fullname.startswith(f"{ROOT}."):
            return None
        if fullname not in MODULES:
            raise _no_module(fullname)
        # Each is a package: a name that it has not is then asked for here, and refused in words.
        return ModuleSpec(fullname, self, origin=_ORIGIN, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Stand(spec.name, f"mfv in the place of Metaflow's {spec.name}.")

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is run: names are found when they are used."""


def register() -> None:
    """From now on `import metaflow` gives mfv; raises CompatError if Metaflow came first."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    there = sys.modules.get(ROOT)
    origin = getattr(there, "__file__", None)
    if there is not None and (origin is None or not os.path.abspath(origin).startswith(PATH)):
        raise CompatError(
            f"Metaflow itself was imported before mfv could take its place: {origin}",
            hint="put `import mfv.compat.metaflow` above every import of metaflow, or use "
            "`mfv run --compat`",
        )
    sys.modules.pop(ROOT, None)
    sys.meta_path.insert(0, _Finder())
    import_module(ROOT)


def _find(module: str, name: str) -> object:
    """What `module.name` is; raises CompatAttributeError where there is nothing of that name."""
    below = f"{module}.{name}"
    if below in MODULES:
        return import_module(below)
    offered = import_module("mfv")
    if name not in MODULES[module] and not (module == ROOT and name in offered.__all__):
        raise CompatAttributeError(_unknown(module, name), hint=_hint(module, name))
    if name in WHERE:
        return getattr(import_module(WHERE[name]), name)
    if name in offered.__all__:
        return getattr(offered, name)
    return Unavailable(name)


def _public(module: str) -> list[str]:
    names = set(MODULES[module])
    if module == ROOT:
        names.update(import_module("mfv").__all__)
    return sorted(name for name in names if not name.startswith("_"))


def _no_module(name: str) -> CompatError:
    parent, _, last = name.rpartition(".")
    if parent not in MODULES:
        error = CompatError(_unknown(ROOT, name.removeprefix(f"{ROOT}.")), hint=_hint(ROOT, last))
    else:
        error = CompatError(_unknown(parent, last), hint=_hint(parent, last))
    # Not the name that was asked for: the import system takes that as "no such attribute", and
    # words the error itself.
    error.name = ROOT
    return error


def _tell_plainly() -> None:
    """With FlowSpec comes the telling of a FlowError without a traceback."""
    _ = import_module("mfv").FlowSpec


def _unknown(module: str, name: str) -> str:
    _tell_plainly()
    return f"{module}.{name} is nothing that mfv offers in Metaflow's place"


def _hint(module: str, name: str) -> str:
    names = _public(module)
    below = [other.rpartition(".")[2] for other in MODULES if other.startswith(f"{module}.")]
    near = did_you_mean(name, [*names, *below])
    elsewhere = [other for other, known in MODULES.items() if name in known]
    if elsewhere:
        return f"import it from {elsewhere[0]}"
    if near:
        return near
    if module != ROOT and names:
        return f"{module} has {', '.join(names[:12])}"
    return f'`python -c "import mfv.compat.metaflow, {module}; print(dir({module}))"` lists them'
