"""mfv in Metaflow's place, seen from Python processes that import metaflow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from commands import Ended, environment, python

from mfv.compat import PATH
from mfv.compat.names import MODULES

HEAD = "import mfv.compat.metaflow\nimport sys\n"


def tell(folder: Path, code: str, **variables: str) -> str:
    """What the code prints; it must end well."""
    ended = python(folder, "-c", HEAD + code, env=variables)
    assert ended.status == 0, ended.err
    return ended.out


def refuse(folder: Path, code: str) -> Ended:
    """A script that is refused in words."""
    (folder / "script.py").write_text(HEAD + code)
    ended = python(folder, "script.py")
    assert ended.status == 1
    assert "Traceback" not in ended.err, ended.err
    return ended


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder with a package called metaflow, as if Metaflow were installed there."""
    (tmp_path / "installed" / "metaflow").mkdir(parents=True)
    (tmp_path / "installed" / "metaflow" / "__init__.py").write_text("step = 'theirs'\n")
    return tmp_path / "installed"


def path_with(*folders: str | Path) -> str:
    return os.pathsep.join([*map(str, folders), environment()["PYTHONPATH"]])


def test_names_of_metaflow_are_those_of_mfv(tmp_path: Path) -> None:
    out = tell(
        tmp_path,
        """
from metaflow import FlowSpec, Parameter, step
from metaflow.client.core import MetaflowData
from metaflow.exception import MetaflowNotFound
from metaflow.parameters import JSONType
import metaflow, mfv, mfv.client
print(FlowSpec is mfv.FlowSpec, Parameter is mfv.Parameter, step is mfv.step)
print(MetaflowData is mfv.client.MetaflowData, metaflow.parameters.JSONType is mfv.JSONType)
print(MetaflowNotFound is mfv.client.MetaflowNotFound, metaflow.__version__ == mfv.__version__)
""",
    )
    assert out.split() == ["True"] * 7


def test_all_that_is_public_in_mfv_is_there_without_being_listed(tmp_path: Path) -> None:
    code = "import metaflow, mfv\nprint([n for n in mfv.__all__ if not hasattr(metaflow, n)])"
    assert tell(tmp_path, code) == "[]\n"


@pytest.mark.parametrize("module", MODULES)
def test_every_name_of_the_table_can_be_imported(tmp_path: Path, module: str) -> None:
    code = f"import {module} as m\nfor name in {sorted(MODULES[module])!r}: getattr(m, name)"
    assert tell(tmp_path, code) == ""


def test_taking_metaflows_place_loads_nothing_heavy(tmp_path: Path) -> None:
    out = tell(tmp_path, "import metaflow\nprint(*sys.modules)")
    assert not {"numpy", "pickle", "sqlite3", "msgspec", "typer", "mfv.client"} & set(out.split())


def test_an_installed_metaflow_is_not_seen(tmp_path: Path, theirs: Path) -> None:
    code = "import metaflow, mfv\nprint(metaflow.step is mfv.step)"
    assert tell(tmp_path, code, PYTHONPATH=path_with(theirs)) == "True\n"


def test_a_metaflow_that_was_imported_first_is_an_error_that_says_so(
    tmp_path: Path, theirs: Path
) -> None:
    code = "import metaflow\nimport mfv.compat.metaflow"
    ended = python(tmp_path, "-c", code, env={"PYTHONPATH": path_with(theirs)})
    assert ended.status == 1
    assert "CompatError: Metaflow itself was imported before" in ended.err
    assert "above every import of metaflow" in ended.err


def test_every_python_that_is_started_from_there_takes_mfv_too(
    tmp_path: Path, theirs: Path
) -> None:
    code = """
import subprocess
child = "import metaflow, mfv; print(metaflow.step is mfv.step)"
subprocess.run([sys.executable, "-c", child], check=True)
"""
    assert tell(tmp_path, code, PYTHONPATH=path_with(theirs)) == "True\n"


def test_the_folder_for_pythonpath_puts_mfv_in_metaflows_place(tmp_path: Path) -> None:
    code = "import metaflow, mfv\nfrom metaflow import step\nprint(step is mfv.step)"
    ended = python(tmp_path, "-c", code, env={"PYTHONPATH": path_with(PATH)})
    assert ended.out == "True\n", ended.err


def test_a_python_without_mfv_that_inherits_the_folder_gets_its_own_metaflow(
    tmp_path: Path, theirs: Path
) -> None:
    code = "import metaflow\nprint(metaflow.step)"
    # -S leaves out what is installed, so that this Python is one without mfv.
    ended = python(tmp_path, "-S", "-c", code, env={"PYTHONPATH": f"{PATH}{os.pathsep}{theirs}"})
    assert ended.out == "theirs\n", ended.err


def test_a_name_that_nobody_has_is_an_import_error_with_a_hint(tmp_path: Path) -> None:
    ended = refuse(tmp_path, "from metaflow import FlowSpec, Paramter")
    assert "script.py:3: metaflow.Paramter is nothing that mfv offers" in ended.err
    assert "did you mean 'Parameter'" in ended.err
    out = tell(
        tmp_path,
        """
try:
    from metaflow import no_such_name
except ImportError as error:
    print(error.message)
import metaflow
print(hasattr(metaflow, "no_such_name"))
""",
    )
    assert out == "metaflow.no_such_name is nothing that mfv offers in Metaflow's place\nFalse\n"


def test_a_module_that_nobody_has_is_an_import_error_with_a_hint(tmp_path: Path) -> None:
    ended = refuse(tmp_path, "import metaflow.client.cores")
    assert "script.py:3: metaflow.client.cores is nothing that mfv offers" in ended.err
    ended = refuse(tmp_path, "from metaflow.clients import Flow")
    assert "metaflow.clients is nothing that mfv offers" in ended.err


def test_a_name_that_stands_elsewhere_is_told_where(tmp_path: Path) -> None:
    ended = refuse(tmp_path, "from metaflow.cards import MetaflowNotFound")
    assert "hint: import it from metaflow.exception" in ended.err


@pytest.mark.parametrize(
    "use",
    ["S3(run=1)", "S3.get", "isinstance(3, S3) or S3()", "type('Mine', (S3,), {}) if 0 else S3()"],
)
def test_what_mfv_does_not_have_is_refused_when_used_and_not_before(
    tmp_path: Path, use: str
) -> None:
    ended = refuse(tmp_path, f"from metaflow import S3\nprint('imported')\n{use}")
    assert ended.out == "imported\n"
    assert "script.py:5: this flow uses S3 of Metaflow, which mfv does not have" in ended.err
    assert "hint: read and write the bucket with its own library" in ended.err


def test_a_star_import_takes_what_both_have(tmp_path: Path) -> None:
    assert tell(tmp_path, "from metaflow import *\nprint(FlowSpec.__module__)") == "mfv.flow.spec\n"


def test_errors_of_mfv_are_caught_by_metaflows_names(tmp_path: Path) -> None:
    out = tell(
        tmp_path,
        """
from metaflow import Flow, Metaflow
from metaflow.exception import MetaflowException, MetaflowNotFound

class Mine(MetaflowException):
    headline = "Mine"

try:
    Flow("Nothing")
except MetaflowException as error:
    print(isinstance(error, MetaflowNotFound))
try:
    raise Mine("told")
except MetaflowException as error:
    print(error.headline, str(error))
""",
    )
    assert out == "True\nMine told\n"


def test_cards_take_everything_and_show_nothing(tmp_path: Path) -> None:
    out = tell(
        tmp_path,
        """
from metaflow.cards import Artifact, Image, Markdown, ProgressBar, Table, VegaChart, get_cards
bar = ProgressBar(max=10, label="step")
bar.update(3)
parts = [Markdown("# Title"), Table([[1]], headers=["a"]), Table.from_dataframe(None),
         Image.from_matplotlib(None), Artifact({}), VegaChart({}), bar]
print([part.render() for part in parts], get_cards("F/1/start/1"))
""",
    )
    assert out == f"{[''] * 7} []\n"


def test_parallel_map_keeps_the_order_and_takes_a_closure(tmp_path: Path) -> None:
    code = """
import os
from metaflow import parallel_imap_unordered, parallel_map
found = parallel_map(lambda n: (n * n, os.getpid()), range(5), max_parallel=2)
print([square for square, _ in found], len({pid for _, pid in found}))
print(sorted(parallel_imap_unordered(lambda n: n + 1, [1, 2])), parallel_map(len, []))
"""
    assert tell(tmp_path, code) == "[0, 1, 4, 9, 16] 5\n[2, 3] []\n"


@pytest.mark.parametrize(
    ("body", "said"),
    [("1 / 0", "ZeroDivisionError"), ("__import__('os')._exit(7)", "it ended with exit code 7")],
)
def test_a_process_of_parallel_map_that_fails_is_told(tmp_path: Path, body: str, said: str) -> None:
    code = f"from metaflow import parallel_map\nparallel_map(lambda n: {body}, [1, 2, 3])"
    ended = python(tmp_path, "-c", HEAD + code)
    assert "a process of parallel_map failed: " in ended.err
    assert said in ended.err


def test_profile_says_or_adds_up_how_long_it_took(tmp_path: Path) -> None:
    code = """
from metaflow import profile
spent = {"load": 2}
with profile("load", stats_dict=spent):
    pass
with profile("fit"):
    pass
print(sorted(spent), spent["load"] >= 2)
"""
    out = tell(tmp_path, code).splitlines()
    assert out[0] == "PROFILE: fit starting"
    assert out[1].startswith("PROFILE: fit completed in ")
    assert out[2] == "['load'] True"
