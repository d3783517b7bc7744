"""Which modules are the user's own, where they are imported from, and what of them is taken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mfv.capture.modules import MODULES_FOLDER, Outside, UserModules, find_modules
from mfv.capture.root import CLONE_MARKER
from mfv.capture.snapshot import read, take

Write = Callable[..., Path]
CODE = """
import json, os, sys
from mfv.capture.modules import find_modules
script = os.path.realpath(sys.argv[2])
print(json.dumps(find_modules(sys.argv[1], script)))
"""


def found(root: Path, *path: Path, script: str = "", first: str = "") -> UserModules:
    """What a Python finds that has `path` as its PYTHONPATH and has run `first`."""
    (root / "run.py").parent.mkdir(parents=True, exist_ok=True)
    (root / "run.py").write_text(script)
    here = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", f"{first}\n{CODE}", root, root / "run.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=here,
        env={"PYTHONPATH": os.pathsep.join(map(os.fspath, path)), "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    outside, search, above = json.loads(done.stdout)
    return UserModules(tuple(Outside(*one) for one in outside), tuple(search), tuple(above))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "project"


@pytest.fixture
def lib(tmp_path: Path, write: Write) -> Path:
    """A folder of modules beside the project: a package, a module, part of a namespace."""
    lib = tmp_path.resolve() / "lib"
    write(lib / "tools" / "__init__.py")
    write(lib / "tools" / "deep" / "inner.py", "x = 1\n")
    write(lib / "single.py", "x = 1\n")
    write(lib / "space" / "one.py", "x = 1\n")
    for name in ("tools/__init__.py",):
        (lib / name).write_text("x = 1\n")
    return lib


class TestFound:
    def test_is_nothing_where_all_is_installed_or_pythons(self, root: Path) -> None:
        script = "import json, msgspec, mfv\nfrom os import path\nimport no_such_module\n"
        assert found(root, script=script, first="import msgspec, mfv") == UserModules()

    def test_is_a_loaded_package_as_a_whole_and_a_module_by_its_file(
        self, root: Path, lib: Path
    ) -> None:
        modules = found(root, lib, first="import tools.deep.inner, single")
        assert modules.outside == (
            Outside("single.py", str(lib / "single.py")),
            Outside("tools", str(lib / "tools")),
        )
        assert modules.search == (MODULES_FOLDER,)

    @pytest.mark.parametrize(
        "script",
        [
            "def step():\n    import tools.deep.inner\n",
            "def step():\n    from tools.deep import inner\n",
            "if True:\n\timport json, tools as t\n",
            "from tools import (\n    deep,\n)\n",
        ],
    )
    def test_is_what_the_script_will_import_only_later(
        self, root: Path, lib: Path, script: str
    ) -> None:
        assert found(root, lib, script=script).outside == (Outside("tools", str(lib / "tools")),)

    def test_is_what_such_a_module_imports_in_turn(
        self, root: Path, lib: Path, write: Write
    ) -> None:
        write(lib / "single.py", "def f():\n    import tools\n")
        modules = found(root, lib, script="import single\n")
        assert [one.name for one in modules.outside] == ["single.py", "tools"]

    def test_is_a_namespace_package_by_its_parts(
        self, root: Path, lib: Path, tmp_path: Path, write: Write
    ) -> None:
        other = tmp_path.resolve() / "other"
        write(other / "space" / "two.py")
        both = (Outside("space", str(lib / "space")), Outside("space", str(other / "space")))
        assert found(root, lib, other, script="import space.one\n").outside == both

    def test_is_by_what_a_link_leads_to(self, root: Path, lib: Path) -> None:
        (root / "src").mkdir(parents=True)
        (root / "src" / "tools").symlink_to(lib / "tools")
        modules = found(root, root / "src", script="import tools\n")
        assert modules.outside == (Outside("tools", str(lib / "tools")),)

    def test_of_the_project_itself_is_the_folder_that_is_imported_from(
        self, root: Path, write: Write
    ) -> None:
        write(root / "src" / "mine" / "__init__.py")
        write(root / "helper.py")
        modules = found(root, root / "src", root, script="import mine\nimport helper\n")
        assert modules == UserModules((), ("src",))

    def test_keeps_the_order_of_the_search(self, root: Path, lib: Path, write: Write) -> None:
        write(root / "b" / "first.py")
        write(root / "a" / "second.py")
        script = "import second, first, single\n"
        modules = found(root, root / "b", lib, root / "a", script=script)
        assert modules.search == ("b", MODULES_FOLDER, "a")

    def test_is_told_of_a_package_that_holds_the_project(self, root: Path, write: Write) -> None:
        write(root / "__init__.py", "")
        modules = found(root, root.parent, script="import project\n")
        assert modules == UserModules(above=("project",))

    def test_is_an_editable_install_by_a_finder_of_its_own(
        self, root: Path, lib: Path, tmp_path: Path
    ) -> None:
        first = (
            "import sys, importlib.util\n"
            "class Finder:\n"
            "    def find_spec(name, path=None, target=None):\n"
            "        if name == 'tools':\n"
            f"            where = {str(lib / 'tools')!r}\n"
            "            return importlib.util.spec_from_file_location(name,\n"
            "                where + '/__init__.py', submodule_search_locations=[where])\n"
            "sys.meta_path.append(Finder)"
        )
        modules = found(root, script="import tools\n", first=first)
        assert modules.outside == (Outside("tools", str(lib / "tools")),)

    def test_in_an_environment_inside_the_project_is_outside(
        self, root: Path, write: Write
    ) -> None:
        write(root / "venv" / "pyvenv.cfg")
        write(root / "venv" / "src" / "vcs" / "__init__.py", "")
        write(root / "venv" / "lib" / "site-packages" / "installed.py")
        path = (root / "venv" / "src", root / "venv" / "lib" / "site-packages")
        modules = found(root, *path, script="import vcs, installed\n")
        assert modules.outside == (Outside("vcs", str(root / "venv" / "src" / "vcs")),)

    def test_does_not_stumble_over_odd_modules(self, root: Path, lib: Path) -> None:
        first = (
            "import sys, types\n"
            "class Lazy(types.ModuleType):\n"
            "    def __getattr__(self, name): raise RuntimeError(name)\n"
            "sys.modules['lazy'] = Lazy('lazy')\n"
            "sys.modules['none'] = None\n"
            "sys.modules['thing'] = object()\n"
            "odd = types.ModuleType('odd'); odd.__file__ = '/nowhere/odd.py'\n"
            "sys.modules['odd'] = odd\n"
            "named = types.ModuleType('a.b'); named.__file__ = '/nowhere/other.py'\n"
            "sys.modules['a.b'] = named\n"
            "class Broken:\n"
            "    def find_spec(name, path=None, target=None): raise RuntimeError(name)\n"
            "sys.meta_path.append(Broken)"
        )
        script = "import tools, lazy, none, thing, odd, never\nimport \\\n  x\n\x00"
        assert [one.name for one in found(root, lib, script=script, first=first).outside] == [
            "tools"
        ]


class TestTaken:
    def test_are_the_files_of_a_package_under_a_name_of_their_own(
        self, root: Path, lib: Path, write: Write
    ) -> None:
        write(lib / "tools" / "__pycache__" / "x.pyc")
        write(lib / "tools" / ".env", "SECRET=1")
        write(lib / "tools" / "words.csv", "a,b\n")
        write(lib / "tools" / "huge.bin", "x" * 2000)
        script = write(root / "run.py")
        modules = UserModules(
            (Outside("tools", str(lib / "tools")), Outside("single.py", str(lib / "single.py"))),
            (MODULES_FOLDER,),
        )
        snapshot = take(script, modules=modules, file_limit=1000)
        contents = {file.path: read(snapshot, file) for file in snapshot.files}
        assert contents == {
            ".mfv-modules/single.py": b"x = 1\n",
            ".mfv-modules/tools/__init__.py": b"x = 1\n",
            ".mfv-modules/tools/deep/inner.py": b"x = 1\n",
            ".mfv-modules/tools/words.csv": b"a,b\n",
            "run.py": b"x\n",
        }
        assert {(one.path, one.reason) for one in snapshot.left_out} == {
            (".mfv-modules/tools/.env", "secret"),
            (".mfv-modules/tools/huge.bin", "larger than the limit"),
        }
        assert snapshot.search == (MODULES_FOLDER,)

    def test_collide_with_nothing_of_the_project(self, root: Path, lib: Path, write: Write) -> None:
        script = write(root / "run.py")
        write(root / MODULES_FOLDER / "tools" / "mine.py")
        modules = UserModules((Outside("tools", str(lib / "tools")),), (MODULES_FOLDER,))
        plain = [file.path for file in take(script).files]
        assert plain == ["run.py"]
        assert ".mfv-modules/tools/mine.py" not in [
            file.path for file in take(script, modules=modules).files
        ]

    def test_are_plain_files_of_a_clone(self, root: Path, lib: Path, write: Write) -> None:
        script = write(root / "run.py")
        modules = UserModules((Outside("tools", str(lib / "tools")),), (MODULES_FOLDER,))
        before = take(script, modules=modules)
        for file in before.files:
            write(root.parent / "out" / file.path, read(before, file).decode())
        write(root.parent / "out" / CLONE_MARKER)
        after = take(root.parent / "out" / "run.py")
        assert [(f.path, f.mode, f.size) for f in after.files] == [
            (f.path, f.mode, f.size) for f in before.files
        ]

    def test_of_a_clone_give_way_to_what_was_imported_from_elsewhere(
        self, root: Path, lib: Path, write: Write
    ) -> None:
        script = write(root / "run.py")
        write(root / CLONE_MARKER)
        write(root / MODULES_FOLDER / "tools" / "old.py")
        write(root / MODULES_FOLDER / "other" / "kept.py")
        modules = UserModules((Outside("tools", str(lib / "tools")),), (MODULES_FOLDER,))
        assert [file.path for file in take(script, modules=modules).files] == [
            ".mfv-modules/other/kept.py",
            ".mfv-modules/tools/__init__.py",
            ".mfv-modules/tools/deep/inner.py",
            "run.py",
        ]

    def test_leave_out_by_name_what_holds_the_project(self, root: Path, write: Write) -> None:
        snapshot = take(write(root / "run.py"), modules=UserModules(above=("project",)))
        (left,) = snapshot.left_out
        assert (left.path, left.reason) == (
            ".mfv-modules/project",
            "a package that holds the code's own folder",
        )


def test_nothing_is_imported_to_find_out(root: Path, lib: Path, write: Write) -> None:
    write(lib / "single.py", "raise SystemExit('imported')\n")
    assert found(root, lib, script="import single\n").outside == (
        Outside("single.py", str(lib / "single.py")),
    )


def test_what_is_asked_can_be_given(root: Path, lib: Path, write: Write) -> None:
    script = write(root / "run.py", "")
    assert find_modules(str(root), str(script), loaded={}, path=[str(lib)]) == UserModules()
