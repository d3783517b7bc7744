"""What the benchmarks of versions share: their options, and how they are run."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engines.base import Engine
from harness import BenchmarkError
from outcome import add_options
from series import Series, measure_series
from versions import COUNT, SMALL, Versions, given, make

SEED = 1
PATIENCE = 30.0  # seconds of one peer in one series, after which it does only what is needed


def plain_parser(description: str) -> argparse.ArgumentParser:
    """The options that every benchmark of storage has."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="the small scale: does it work?")
    made.add_argument("--seed", type=int, default=SEED, help="of what is made to be stored")
    add_options(made)
    return made


def parser(description: str, forms: Sequence[str]) -> argparse.ArgumentParser:
    """The options of a benchmark of versions."""
    made = plain_parser(description)
    made.add_argument("--scale", type=float, default=1.0, help="1 is the full scale")
    made.add_argument("--versions", type=int, default=COUNT, help="how many are made")
    made.add_argument("--versions-from", type=Path, metavar="FOLDER", help="take these versions")
    made.add_argument("--forms", default=",".join(forms), help=f"some of {','.join(forms)}")
    add_engine_options(made)
    return made


def add_engine_options(made: argparse.ArgumentParser) -> None:
    """Which engines take part, and for how long."""
    made.add_argument("--engines", help="some of the engines, by name; mfv is always among them")
    made.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help="an engine that takes longer stores and restores only as many as five pairs need",
    )


def scale_of(options: argparse.Namespace) -> float:
    """The scale that was asked for."""
    return SMALL if options.quick else float(options.scale)


def is_full(options: argparse.Namespace) -> bool:
    """Whether the figures are ones that the goals speak of."""
    return options.versions_from is not None or scale_of(options) >= 1


def versions_of(
    options: argparse.Namespace, workload: str, files: Mapping[str, str], known: Sequence[str]
) -> tuple[Versions, list[str], str]:
    """The versions, the forms that are measured, and a sentence on both.

    `files` says for each form which files it is stored from.
    """
    forms = options.forms.split(",")
    unknown = set(forms) - set(known)
    if unknown:
        raise BenchmarkError(f"no such form: {', '.join(sorted(unknown))}")
    wanted = list(dict.fromkeys(files[form] for form in forms))
    if options.versions_from is not None:
        versions = given(options.versions_from, wanted)
        forms = [form for form in forms if files[form] in versions.forms]
        return versions, forms, f"Versions of {workload} that were given."
    scale = scale_of(options)
    versions = make(workload, wanted, scale=scale, seed=options.seed, count=options.versions)
    return versions, forms, f"Workload {workload}, scale {scale:g}, seed {options.seed}."


def run_series(
    options: argparse.Namespace,
    forms: Sequence[str],
    titles: Mapping[str, str],
    engines: Callable[[str], Sequence[Engine]],
    sources: Callable[[str], Sequence[Path]],
) -> dict[str, Series]:
    """One series a form, each in a fresh folder that is gone afterwards."""
    found = {}
    for form in forms:
        chosen = choose(engines(form), options.engines)
        with tempfile.TemporaryDirectory(prefix="mfv-bench-") as scratch:
            found[form] = measure_series(
                titles[form], chosen, sources(form), Path(scratch), patience=options.patience
            )
    return found


def choose(engines: Sequence[Engine], names: str | None) -> list[Engine]:
    """The engines named, and the first, which is the baseline; all without names."""
    if names is None:
        return list(engines)
    wanted = {name.strip() for name in names.split(",")}
    return [one for place, one in enumerate(engines) if place == 0 or one.name in wanted]
