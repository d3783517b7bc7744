"""Stored bytes and seconds over versions, as one SVG a workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import BenchmarkError
from series import Series

# Okabe and Ito's colours, which people tell apart whatever their eyes; each with a mark of its own.
_STYLES = {
    "mfv": ("#000000", "o"),
    "restic": ("#D55E00", "s"),
    "borg (zstd 3)": ("#0072B2", "^"),
    "borg (lz4)": ("#56B4E9", "v"),
    "hf_xet": ("#009E73", "D"),
    "Metaflow": ("#CC79A7", "P"),
    "DVC": ("#E69F00", "X"),
    "git": ("#009E73", "p"),
    "pickle.dump + fsync": ("#999999", "."),
    "cp + fsync": ("#999999", "."),
    "joblib (compress=0)": ("#999999", "1"),
    "joblib (compress=3)": ("#8C6D1F", "2"),
}
_OTHER = ("#555555", "x")
_FIXED = {"svg.fonttype": "none", "svg.hashsalt": "mfv", "font.size": 9}


def plot(series: Sequence[Series], path: Path) -> None:
    """Writes a row of two panels a series to `path`; the same samples make the same bytes.

    BenchmarkError without matplotlib.
    """
    try:
        import matplotlib
    except ImportError:
        raise BenchmarkError(
            "no matplotlib to draw a plot with", hint="pip install -e '.[examples]'"
        ) from None
    matplotlib.use("svg")
    import matplotlib.pyplot as pyplot

    with matplotlib.rc_context(_FIXED):
        figure, rows = pyplot.subplots(
            len(series), 2, figsize=(9, 2.7 * len(series) + 0.6), squeeze=False
        )
        for (left, right), one in zip(rows, series, strict=True):
            _stored(left, one)
            _seconds(right, one)
        lines = {line.get_label(): line for row in rows for axes in row for line in axes.lines}
        figure.legend(
            lines.values(),
            lines.keys(),
            loc="upper center",
            ncols=min(5, len(lines)),
            frameon=False,
        )
        figure.tight_layout(rect=(0, 0, 1, 1 - 0.55 / figure.get_size_inches()[1]))
        figure.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    # matplotlib ends lines with spaces, which every diff would show.
    lines_of_file = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines_of_file) + "\n", encoding="utf-8")


def _stored(axes: object, series: Series) -> None:
    for record in series.records:
        values = [sample["stored"] / 1e6 for sample in record.stores]
        _line(axes, record.name, range(len(values)), values)
    _frame(axes, series, "MB stored")
    axes.set_ylim(bottom=0)  # type: ignore[attr-defined]


def _seconds(axes: object, series: Series) -> None:
    for record in series.records:
        values = [sample["wall"] for sample in record.stores]
        _line(axes, record.name, range(len(values)), values)
    axes.set_yscale("log")  # type: ignore[attr-defined]
    axes.yaxis.set_major_formatter("{x:g}")  # type: ignore[attr-defined]
    axes.yaxis.set_minor_formatter("")  # type: ignore[attr-defined]
    _frame(axes, series, "seconds to store one version")


def _line(axes: object, name: str, places: range, values: Sequence[float]) -> None:
    colour, mark = _STYLES.get(name, _OTHER)
    width = 2.2 if name == "mfv" else 1.0
    axes.plot(  # type: ignore[attr-defined]
        places, values, color=colour, marker=mark, markersize=4, linewidth=width, label=name
    )


def _frame(axes: object, series: Series, unit: str) -> None:
    axes.set_title(series.title, loc="left", fontsize=9)  # type: ignore[attr-defined]
    axes.set_xlabel("version")  # type: ignore[attr-defined]
    axes.set_ylabel(unit)  # type: ignore[attr-defined]
    axes.spines[["top", "right"]].set_visible(False)  # type: ignore[attr-defined]


def plot_curve(points: Mapping[int, float], across: str, up: str, path: Path) -> None:
    """Writes one line over a logarithmic axis to `path`; BenchmarkError without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        raise BenchmarkError(
            "no matplotlib to draw a plot with", hint="pip install -e '.[examples]'"
        ) from None
    matplotlib.use("svg")
    import matplotlib.pyplot as pyplot

    with matplotlib.rc_context(_FIXED):
        figure, axes = pyplot.subplots(figsize=(5, 3))
        colour, mark = _STYLES["mfv"]
        axes.plot(list(points), list(points.values()), color=colour, marker=mark)
        axes.set_xscale("log")
        axes.set_ylim(0, 1.15 * max(points.values()))
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.grid(alpha=0.3)
        figure.tight_layout()
        figure.savefig(path, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    lines_of_file = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines_of_file) + "\n", encoding="utf-8")
