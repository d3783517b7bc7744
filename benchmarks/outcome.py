"""What a benchmark says in the end: its tables, its goals, its plot and its samples."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from goals import Goal
from goals import table as goals_table
from harness import BenchmarkError
from machine import machine_line
from report import cell, markdown
from series import Record, Series, middle, ratios

# Heading, which samples, which metric, its unit.
_COLUMNS = (
    ("first version", "first", "wall", "s"),
    ("a further one", "further", "wall", "s"),
    ("CPU of a further one", "further", "cpu", "s"),
    ("restore", "restores", "wall", "s"),
    ("CPU of a restore", "restores", "cpu", "s"),
)


@dataclass
class Outcome:
    """All that one workload gave."""

    name: str  # of its files
    about: str  # what was measured, at which scale and seed
    series: Sequence[Series] = ()
    tables: Sequence[str] = ()  # further ones, as Markdown
    goals: Sequence[Goal] = ()
    full: bool = True  # at the scale that the goals are for; else they are not told
    samples: Mapping[str, object] = field(default_factory=dict)  # of the further tables
    versions: Mapping[str, str] = field(default_factory=dict)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of how to tell it."""
    parser.add_argument("--json", action="store_true", help="every sample, for programs")
    parser.add_argument(
        "--report",
        "--plot",
        type=Path,
        metavar="FOLDER",
        help="also write the tables, the samples and a plot there, and update its README.md",
    )


def tell(outcome: Outcome, options: argparse.Namespace) -> None:
    """Prints the outcome, and writes it to the folder of `--report`."""
    text = as_markdown(outcome)
    if options.report is not None:
        write(outcome, text, options.report)
    print(as_json(outcome) if options.json else text)


def write(outcome: Outcome, text: str, folder: Path) -> None:
    """Writes NAME.json and NAME.svg to `folder`, and the tables into README.md where it says so."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{outcome.name}.json").write_text(as_json(outcome) + "\n", encoding="utf-8")
    shown = text
    if outcome.series:
        from plots import plot

        plot(outcome.series, folder / f"{outcome.name}.svg")
        shown = f"![Stored bytes and seconds by version]({outcome.name}.svg)\n\n{text}"
    put_between(folder / "README.md", outcome.name, shown)


def put_between(page: Path, name: str, text: str) -> None:
    """Replaces what stands between the page's two marks of `name`.

    BenchmarkError if they are not there; a page that is missing is made of nothing but them.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    old = page.read_text("utf-8") if page.exists() else f"{begin}\n{end}\n"
    found = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if len(found.findall(old)) != 1:
        raise BenchmarkError(f"{page} has no place for {name}", hint=f"add {begin} and {end}")
    page.write_text(found.sub(lambda _: f"{begin}\n{text}\n{end}", old), encoding="utf-8")


def as_markdown(outcome: Outcome) -> str:
    """A line on the machine, one table a series, further tables, and the goals."""
    named = ", ".join(f"{name} {version}" for name, version in versions_of(outcome).items())
    parts = [f"{outcome.about} Machine: {machine_line()}; {named}."]
    parts += [series_table(series) for series in outcome.series]
    parts += outcome.tables
    if outcome.goals and outcome.full:
        parts.append(goals_table(outcome.goals))
    return "\n\n".join(parts)


def as_json(outcome: Outcome) -> str:
    """Every sample of the outcome."""
    return json.dumps(
        {
            "about": outcome.about,
            "machine": machine_line(),
            "versions": versions_of(outcome),
            "series": [
                {**one._asdict(), "records": [asdict(record) for record in one.records]}
                for one in outcome.series
            ],
            "goals": [goal._asdict() for goal in outcome.goals if outcome.full],
            **outcome.samples,
        },
        indent=1,
    )


def versions_of(outcome: Outcome) -> dict[str, str]:
    """The engines that took part, with their versions."""
    found = {
        record.name: record.version
        for series in outcome.series
        for record in series.records
        if record.version
    }
    return {**found, **outcome.versions}


def series_table(series: Series) -> str:
    """One row an engine: medians, and how many times the baseline's, version by version."""
    base = series.baseline
    count = len(series.raw)
    raw = sum(series.raw) / 1e6
    head = f"{series.title}: {count} versions, {raw:,.0f} MB"
    rows = [[head, *(one[0] for one in _COLUMNS), "peak memory", "stored", "files", "done"]]
    for record in series.records:
        is_base = record is base
        row = [f"{record.name} (= 1)" if is_base else record.name]
        for _, action, metric, unit in _COLUMNS:
            value = middle(record, action, metric)
            pairs = [] if is_base else ratios(record, base, action, metric)
            row.append("" if value is None else cell(value, unit, pairs))
        rows.append([*row, *_sizes(record, base), _done(record, count)])
    return markdown(rows)


def _sizes(record: Record, base: Record) -> list[str]:
    if not record.stores:
        return ["", "", ""]
    last, peak = record.stores[-1], max(sample["peak"] for sample in record.stores)
    # An engine that stopped early is held against what the baseline had then.
    beside = base.stores[len(record.stores) - 1]["stored"]
    pairs = [] if record is base else [last["stored"] / beside]
    return [cell(peak, "bytes"), cell(last["stored"], "bytes", pairs), f"{last['files']:.0f}"]


def _done(record: Record, count: int) -> str:
    counts = f"{len(record.stores)} stored, {len(record.restores)} restored"
    if record.ended:
        return f"{counts}: {record.ended}"
    return "all" if len(record.restores) == len(record.stores) == count else counts
