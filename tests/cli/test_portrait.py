"""`mfv show` of an artifact: what it holds, without loading it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy
import pandas
import pytest
from commands import mfv_command, start
from histories import Made, fast_repository, make
from sklearn.linear_model import LinearRegression

from mfv.render.portrait import inline_picture

PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)


class Odd:
    """Known here alone: whoever loads it must import this module."""

    def __init__(self) -> None:
        self.inner = {"deep": [1, 2, 3]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of many kinds of values; not to be written to."""
    folder = tmp_path_factory.mktemp("portrait")
    values = numpy.concatenate([numpy.zeros(900), numpy.linspace(-1, 3, 99), [numpy.nan]])
    table = pandas.DataFrame(
        {"id": range(1000), "x": [0.5, None] * 500, "kind": ["a", "b", "c", None] * 250}
    )
    state = {f"layer{place}": {"weight": numpy.zeros((20, 40), "f4")} for place in range(40)}
    fitted = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    metrics = {
        "values": values,
        "table": table,
        "state": state,
        "fitted": fitted,
        "odd": Odd(),
        "png": PNG * 100,
        "empty": numpy.zeros(0),
    }
    make(fast_repository(folder / ".mfv"), Made("F", {}, metrics))
    return folder


def show(folder: Path, name: str, width: int = 100) -> str:
    ended = mfv_command(folder, "show", f"1/end/{name}", env={"COLUMNS": str(width)})
    assert (ended.status, ended.err) == (0, "")
    assert all(len(line) <= width for line in ended.out.splitlines())
    return ended.out


def holds(folder: Path, name: str) -> dict[str, object]:
    found: dict[str, object] = mfv_command(folder, "show", f"1/end/{name}", "--json").json["holds"]
    return found


def test_an_array_is_told_in_figures_and_bars(run: Path) -> None:
    shown = show(run, "values")
    assert "from -1.0 to 3.0, mean" in shown and "1 missing" in shown
    assert "█" in shown
    figures = holds(run, "values")["numbers"]
    assert isinstance(figures, dict)
    assert (figures["count"], figures["missing"]) == (1000, 1)
    assert sum(figures["histogram"]) == 999
    assert figures["mean"] == pytest.approx(99 / 999)
    assert holds(run, "empty")["numbers"] is None


def column(*facts: object) -> dict[str, object]:
    keys = ("name", "type", "missing", "different", "low", "high")
    return dict(zip(keys, facts, strict=True))


def test_a_table_is_told_by_columns_and_first_rows(run: Path) -> None:
    assert holds(run, "table")["columns"] == [
        *[
            {
                "name": "id",
                "type": "int64",
                "missing": 0,
                "different": 1000,
                "low": "0",
                "high": "999",
            }
        ],
        *[
            {
                "name": "x",
                "type": "float64",
                "missing": 500,
                "different": 1,
                "low": "0.5",
                "high": "0.5",
            }
        ],
        *[
            {
                "name": "kind",
                "type": "text",
                "missing": 250,
                "different": 3,
                "low": "a",
                "high": "c",
            }
        ],
    ]
    assert holds(run, "table")["rows"][1] == ["1", "nan", "b"]  # type: ignore[index]
    shown = show(run, "table", 80)
    assert "first rows" in shown and "columns" in shown


def test_nested_values_are_a_tree_with_shapes_and_a_bounded_one(run: Path) -> None:
    shown = show(run, "state", 80)
    tree = [line.split() for line in shown.splitlines()]
    assert ["layer0", "dict", "of", "1"] in tree
    assert ["weight", "float32[20,", "40]"] in tree
    assert "and 20 more" in shown


def test_a_fitted_model_and_any_object_are_told_by_their_fields(run: Path) -> None:
    shown = show(run, "fitted")
    assert "fit_intercept" in shown and "coef_" in shown
    assert "deep" in show(run, "odd")


def test_a_picture_stands_inline_only_where_a_terminal_is_known_to_show_it() -> None:
    assert inline_picture(PNG, {}) is None
    kitty = inline_picture(PNG * 200, {"KITTY_WINDOW_ID": "1"})
    assert kitty is not None and kitty.startswith("\x1b_Ga=T,f=100,m=1;")
    assert kitty.rindex("m=0;") > 0
    assert (inline_picture(PNG, {"TERM_PROGRAM": "iTerm.app"}) or "").startswith("\x1b]1337;File=")


def test_into_a_pipe_goes_no_picture(run: Path) -> None:
    shown = mfv_command(run, "show", "1/end/png", env={"KITTY_WINDOW_ID": "1"})
    assert "\x1b" not in shown.out


def test_nothing_is_imported_that_the_value_names(run: Path) -> None:
    probe = (
        "import pickle, sys; pickle.load = pickle.loads = pickle.Unpickler = None; "
        "from mfv.cli.main import main; "
        "[main(['show', f'1/end/{name}']) for name in ('fitted', 'odd', 'table', 'state')]; "
        "assert not {'sklearn', 'pandas', 'test_portrait'} & set(sys.modules)"
    )
    process = start(run, "-c", probe)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b""), os.fsdecode(err)
