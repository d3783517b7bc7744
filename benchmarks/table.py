"""What do ten versions of a table cost, with rows inserted, corrected and appended in between?

    python benchmarks/table.py              10 versions of 200 MB and more; about ten minutes
    python benchmarks/table.py --quick      of 2 MB: does it work? Its figures mean little

Forms: `object`, the DataFrame itself (engines of files get its pickle); `pickle`, `csv` and
`parquet`, the table as such a file, which mfv stores as a file as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from engines.base import Engine
from engines.commands import Borg, Copies, Dvc, Restic
from engines.libraries import HfXet, Metaflow, Mfv, Plain
from goals import Goal, at_most, of_pairs, times
from harness import run_main
from outcome import Outcome, tell
from series import Series, ratios
from suite import is_full, parser, run_series, versions_of

FILES = {"object": "pkl", "pickle": "pkl", "csv": "csv", "parquet": "parquet"}
TITLES = {
    "object": "table as an object",
    "pickle": "table as a pickle file",
    "csv": "table as CSV",
    "parquet": "table as Parquet",
}
# MB that may be stored of so many MB, at full scale.
LIMITS = {"object": (115, 2164), "pickle": (150, 2164), "csv": (180, 4047)}


def main() -> None:
    options = parser(__doc__, list(FILES)).parse_args()
    versions, forms, about = versions_of(options, "table", FILES, list(FILES))
    series = run_series(
        options, forms, TITLES, engines_for, lambda form: versions.forms[FILES[form]]
    )
    tell(
        Outcome(
            "table",
            about,
            list(series.values()),
            goals=goals(series),
            full=is_full(options),
        ),
        options,
    )


def engines_for(form: str) -> Sequence[Engine]:
    """The engines of a form, mfv first."""
    if form == "object":  # what else stores its pickle is in the next series
        return [Mfv(), Plain("pickle"), Plain("joblib-0"), Metaflow(), Restic()]
    some: list[Engine] = [Mfv("file"), Copies(), HfXet(), Restic(), Borg()]
    return [*some, Dvc()] if form != "parquet" else some


def goals(series: dict[str, Series]) -> list[Goal]:
    """What is asked at full scale."""
    found: list[Goal] = []
    for form, one in series.items():
        if form in LIMITS:
            stored, raw = LIMITS[form]
            limit = sum(one.raw) * stored / raw
            asked = (
                f"{TITLES[form]}: at most {stored} MB of {raw:,} ({limit / 1e6:.0f} MB of these)"
            )
            found.append(at_most(asked, one.baseline.stores[-1]["stored"], limit))
        if form == "parquet":
            continue
        asked = f"{TITLES[form]}: restic needs more CPU than mfv for a further version"
        found.append(times(asked, one, "restic", "further", "cpu", at_least=1.0))
        restic = one.of("restic")
        asked = f"{TITLES[form]}: a version restored in at most 2.5 times restic's time"
        pairs = ratios(one.baseline, restic, "restores", "wall") if restic is not None else []
        found.append(of_pairs(asked, pairs, at_most=2.5))
    return found


if __name__ == "__main__":
    run_main(main)
