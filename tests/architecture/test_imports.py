"""Who may import whom, walked over every syntax tree, and what a process really loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from making import whole_run

import mfv
from mfv.repo.repository import Repository

ROOT = Path(mfv.__file__).parent

BELOW_REPO = {"errors", "ids", "modes", "keys", "storage", "serde", "manifest", "capture", "odb"}
VALUES = {"errors", "manifest", "diff", "lineage", "found"}

# Low to high. A room is a folder of mfv/ or a module that stands there alone.
MAY_IMPORT: dict[str, set[str]] = {
    "_version": set(),
    "errors": set(),
    "ids": {"errors"},
    "modes": set(),
    "keys": {"errors"},
    "storage": {"errors", "ids", "modes"},
    "serde": {"errors", "ids"},
    "manifest": {"errors", "ids"},
    "capture": {"errors", "ids", "modes"},
    "odb": {"errors", "ids", "storage"},
    "project": {"capture"},
    "diff": {"errors", "ids", "manifest"},
    "code": {"errors"},
    "lineage": {"errors", "ids", "manifest"},
    "found": {"errors", "ids", "manifest"},
    "outline": {"errors", "serde", "diff"},
    "repo": BELOW_REPO,
    "query": {"errors", "manifest"},
    "index": {"query", "repo", *BELOW_REPO},
    "history": {"index", "query", "repo", *BELOW_REPO},
    "maintain": {"repo", *BELOW_REPO},
    "flow": {"errors", "ids", "manifest"},
    "client": {"history", "query", "repo", "errors", "ids", "manifest", "capture"},
    "runner": {"client", "errors"},
    "content": {"outline", "diff", *BELOW_REPO},
    "compare": {"content", "repo", "diff", *BELOW_REPO},
    "pictures": {"diff", *BELOW_REPO},
    "comparemany": {"repo", "diff", *BELOW_REPO},
    "worktree": {"compare", "repo", "diff", *BELOW_REPO},
    "trace": {"repo", "lineage", *BELOW_REPO},
    "seek": {"found", "content", "outline", "history", "index", "query", "repo", *BELOW_REPO},
    "checkout": {"repo", "_version", *BELOW_REPO},
    "verify": {"checkout", "diff", "repo", *BELOW_REPO},
    "resume": {"code", "flow", "repo", *BELOW_REPO},
    "launch": {"resume", "flow", "client", "repo", "_version", *BELOW_REPO},
    "render": VALUES,
    "compat": {"errors", "capture", "flow", "client"},  # and all that is public, by name
    "cli": {
        *("_version", "errors", "ids", "manifest", "storage", "serde", "capture"),
        *(
            "modes",
            "keys",
            "repo",
            "query",
            "index",
            "history",
            "maintain",
            "diff",
            "lineage",
            "flow",
            "client",
            "compare",
            "seek",
            "found",
            "comparemany",
            "pictures",
            "content",
            "worktree",
            "trace",
            "checkout",
            "verify",
            "resume",
            "launch",
            "render",
        ),
        "compat",
    },
    "mfv": {"_version", "client", "flow", "runner", "project", "cli"},  # loaded on first use
    "__main__": {"cli"},
}

OWNER = {
    "pickle": "serde",
    "marshal": None,
    "shelve": None,
    "sqlite3": "index",
    "zstd": "odb",
    "zstandard": "odb",
    "backports": "odb",
    "compression": "odb",
    "pyfastcdc": "odb",
    "pcodec": "odb",
    "blake3": "ids",
    "cryptography": "keys",
    "rich": "cli",
    "typer": "cli",
    "click": "cli",
}


def room_of(module: str) -> str:
    """The room of a dotted module name; `mfv` for the package itself."""
    return module.split(".")[1] if "." in module else "mfv"


def sources() -> list[tuple[str, Path]]:
    """Every module of mfv by its dotted name."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["mfv", *path.relative_to(ROOT).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        found.append((".".join(parts), path))
    return found


MODULES = dict(sources())


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, anywhere in it, with the line; relative ones as `.x`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            if f"{base}.{node.names[0].name}" in MODULES:
                for alias in node.names:
                    yield f"{base}.{alias.name}", node.lineno
            else:
                yield base, node.lineno


EDGES = [
    (name, target, f"{path.relative_to(ROOT.parent)}:{line}")
    for name, path in MODULES.items()
    for target, line in imports_of(path)
]


def test_every_module_belongs_to_a_room_of_the_table() -> None:
    assert {room_of(name) for name in MODULES} <= set(MAY_IMPORT)


def test_the_table_itself_runs_from_low_to_high() -> None:
    order = list(MAY_IMPORT)
    for room, allowed in MAY_IMPORT.items():
        assert all(order.index(other) < order.index(room) for other in allowed)


def test_no_room_imports_one_that_it_may_not() -> None:
    wrong = [
        f"{where}: {room_of(name)} imports {target}"
        for name, target, where in EDGES
        if target.split(".")[0] == "mfv"
        and room_of(target) != room_of(name)
        and room_of(target) not in MAY_IMPORT[room_of(name)]
    ]
    assert wrong == []


def test_every_import_is_absolute() -> None:
    assert [where for _, target, where in EDGES if target.startswith(".")] == []


def test_what_is_imported_of_mfv_exists() -> None:
    missing = [
        f"{where}: {target}"
        for _, target, where in EDGES
        if target.split(".")[0] == "mfv" and target not in MODULES
    ]
    assert missing == []


def test_rooms_do_not_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {room: set() for room in MAY_IMPORT}
    for name, target, _ in EDGES:
        if target.split(".")[0] == "mfv" and room_of(target) != room_of(name):
            graph[room_of(name)].add(room_of(target))
    graph["mfv"] = set()  # its names are loaded on first use, by whoever asks
    while True:
        lowest = {room for room, below in graph.items() if not below}
        if not lowest:
            break
        graph = {room: below - lowest for room, below in graph.items() if room not in lowest}
    assert graph == {}


@pytest.mark.parametrize("module", OWNER)
def test_each_slow_or_dangerous_module_has_one_owner(module: str) -> None:
    wrong = [
        where
        for name, target, where in EDGES
        if target.split(".")[0] == module and room_of(name) != OWNER[module]
    ]
    assert wrong == []


def test_nothing_is_imported_by_a_name_in_a_string_but_by_those_that_load_lazily() -> None:
    lazy = {"mfv", "mfv.cli.main", "mfv.cli.flow", "mfv.compat.modules"}
    users = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Name) and node.id in ("import_module", "__import__"))
        or (isinstance(node, ast.Attribute) and node.attr == "import_module")
    }
    flows = {"mfv.cli.run"}  # the user's own file, which has no name to import it by
    # By the name that a person types: one of a table, or the user's own.
    decorators = {"mfv.flow.decorators.registry", "mfv.flow.decorators.user.names"}
    parsers = {"mfv.flow.parsers"}
    assert users - flows - decorators - parsers <= lazy


REPORT = """
import atexit, os, sys

def tell():
    with open(os.environ["LOADED"], "w") as file:
        file.write("\\n".join(sys.modules))

atexit.register(tell)
"""


def loaded(folder: Path, *words: str) -> tuple[set[str], str]:
    """The modules that `python WORDS` had loaded when it ended, and what it printed."""
    (folder / "report").mkdir(exist_ok=True)
    (folder / "report" / "sitecustomize.py").write_text(REPORT)
    where = folder / "loaded"
    environment = {
        "PYTHONPATH": f"{folder / 'report'}:{ROOT.parent}",
        "LOADED": str(where),
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
    }
    command = [sys.executable, *words]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(where.read_text().splitlines()), done.stdout


def test_importing_mfv_loads_nothing_but_mfv(tmp_path: Path) -> None:
    bare, _ = loaded(tmp_path, "-c", "pass")
    modules, _ = loaded(tmp_path, "-c", "import mfv")
    more = modules - bare
    assert {name for name in more if name.startswith("mfv")} <= {"mfv", "mfv._version"}
    assert {name.split(".")[0] for name in more} - sys.stdlib_module_names <= {"mfv"}
    assert not more & {"pickle", "subprocess", "asyncio", "sqlite3", "inspect", "dataclasses"}


def test_the_version_is_told_without_msgspec_or_typer(tmp_path: Path) -> None:
    modules, out = loaded(tmp_path, "-m", "mfv", "--version")
    assert out == f"mfv {mfv.__version__}\n"
    assert not modules & {"msgspec", "typer", "rich", "blake3", "pickle", "numpy"}


HEAVY = {"numpy", "pandas", "pydantic", "typer", "rich", "click", "pickle", "sqlite3", "asyncio"}


def test_the_log_is_listed_without_anything_heavy_and_without_pickle(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv")
    whole_run(repository, {"accuracy": 0.5, "weights": list(range(1000))})
    modules, out = loaded(tmp_path, "-m", "mfv", "log")
    assert "TrainFlow" in out
    assert not modules & HEAVY


def test_reading_a_record_loads_no_code_that_writes_or_unpickles(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv")
    whole_run(repository, {"accuracy": 0.5})
    code = """
from mfv.repo.repository import Repository
repository = Repository.open(".mfv")
(run,) = repository.state
(ref,) = repository.tasks(run)
print(repository.task(ref).artifacts[0].value)
"""
    modules, out = loaded(tmp_path, "-c", code)
    assert out == "0.5\n"
    assert not modules & {*HEAVY, "pyfastcdc", "mfv.serde.pickle5"}


@pytest.mark.parametrize("name", mfv.__all__)
def test_each_public_name_is_loaded_when_asked_for(name: str) -> None:
    assert getattr(mfv, name) is not None
    assert name in dir(mfv)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        mfv.no_such_name  # noqa: B018
