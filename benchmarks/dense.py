"""How small does `mfv gc --repack` make ten versions of a table?

    python benchmarks/dense.py            10 versions of 200 MB and more, in three forms
    python benchmarks/dense.py --quick    of 2 MB: does it work? Its figures mean little

Beside it the store before, the same versions written under `compression = "fast"` and then made
dense, and restic and borg, which cut by content, deduplicate and compress with zstd. What was
rewritten is read back, every version, and compared.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from engines.base import Engine, size_of
from engines.commands import Borg, Restic
from engines.libraries import Mfv
from goals import Goal, at_most
from harness import BenchmarkError, Comparison, Contender, Sample, compare, run_main
from mfv_command import MFV, mfv_environment, mfv_version
from outcome import Outcome, tell
from report import markdown, plain, table
from suite import is_full, parser, versions_of
from table import FILES, TITLES

FORMS = ["object", "pickle", "csv"]
ROUNDS = 3
COPY, DENSE, LATER = "`cp -r`", "`mfv gc --repack`", "`mfv gc --repack` of what was written fast"
RESTIC = "restic"


def main() -> None:
    options = parser(__doc__, FORMS).parse_args()
    versions, forms, about = versions_of(options, "table", FILES, FORMS)
    comparisons: dict[str, Comparison] = {}
    rows = [["form", "as written", "written fast", "after `gc --repack`", "fast, then `--repack`"]]
    rows[0] += [RESTIC, "borg (zstd 3)", "a version read before", "and after"]
    goals: list[Goal] = []
    for form in forms:
        with tempfile.TemporaryDirectory(prefix="mfv-bench-") as name:
            sizes, comparisons[form], reads = measure(
                form, versions.forms[FILES[form]], Path(name), 1 if options.quick else ROUNDS
            )
        after = comparisons[form].median(DENSE, "stored")
        later = comparisons[form].median(LATER, "stored")
        megabytes = [sizes["mfv"], sizes["fast"], after, later, sizes[RESTIC], sizes["borg"]]
        rows.append([TITLES[form], *(f"{one / 1e6:.1f} MB" for one in megabytes)])
        rows[-1] += [f"{one:.2f} s" for one in reads]
        least = min(sizes[RESTIC], sizes["borg"])
        asked = f"{TITLES[form]}: less than half of restic's or borg's, whichever is less"
        goals.append(at_most(asked, after, least / 2))
    tell(
        Outcome(
            "dense",
            about,
            tables=[markdown(rows), *map(table, comparisons.values())],
            goals=goals,
            full=is_full(options),
            samples={form: plain(one) for form, one in comparisons.items()},
            versions={"mfv": mfv_version(), "restic": Restic().version()},
        ),
        options,
    )


def measure(
    form: str, versions: Sequence[Path], place: Path, rounds: int
) -> tuple[dict[str, float], Comparison, tuple[float, float]]:
    """Bytes stored by each, the repacks, and the CPU seconds of reading a version before and after.

    The peers are given files: for an object its pickle.
    """
    ours = Mfv("object" if form == "object" else "file")
    peers: dict[str, Engine] = {"mfv": ours, "fast": ours, RESTIC: Restic(), "borg": Borg()}
    sizes: dict[str, float] = {}
    for name, engine in peers.items():
        engine.version()
        engine.begin(place / name)
        if name == "fast":
            (place / name / ".mfv").mkdir()
            (place / name / ".mfv" / "config.toml").write_text('compression = "fast"\n')
        for number, source in enumerate(versions):
            engine.store(place / name, source, number)
        sizes[name] = size_of(engine.kept(place / name))["stored"]
    (place / "fast" / ".mfv" / "config.toml").unlink()
    kept = place / "rewritten"
    comparison = compare_all(TITLES[form], place, kept, rounds)
    before = [ours.restore(place / "mfv", source, n)["cpu"] for n, source in enumerate(versions)]
    after = [ours.restore(kept, source, n)["cpu"] for n, source in enumerate(versions)]
    return sizes, comparison, (median(before), median(after))


def compare_all(title: str, place: Path, kept: Path, rounds: int) -> Comparison:
    """Both repacks in turn, each on a copy of its own; copying is the baseline."""

    def copied(name: str) -> Contender:
        def prepare(folder: Path) -> Mapping[str, str]:
            shutil.copytree(place / name / ".mfv", folder / ".mfv")
            return {"MFV_DIR": str(folder / ".mfv")}

        return Contender(
            LATER if name == "fast" else DENSE,
            [*MFV, "gc", "--repack", "--prune", "now"],
            mfv_environment(),
            prepare=prepare,
            probe=lambda folder: left(folder, None if name == "fast" else kept),
        )

    words = ["cp", "-r", str(place / "mfv" / ".mfv"), ".mfv"]
    contenders = [
        Contender(COPY, words, mfv_environment(), probe=lambda folder: left(folder, None)),
        copied("mfv"),
        copied("fast"),
    ]
    return compare(title, contenders, rounds=rounds, warm_up=False)


def left(folder: Path, kept: Path | None) -> Sample:
    """What is stored in `folder`, of which a copy goes to `kept`."""
    if kept is not None:
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
    stored = (
        size_of(folder / ".mfv" / "packs")["stored"] + size_of(folder / ".mfv" / "log")["stored"]
    )
    if not stored:
        raise BenchmarkError(f"nothing is left in {folder}")
    return {"stored": float(stored)}


if __name__ == "__main__":
    run_main(main)
