"""What do ten checkpoints of a model cost, of which a few arrays changed from one to the next?

    python benchmarks/checkpoints.py              10 versions of 198 MB; some minutes
    python benchmarks/checkpoints.py --quick      of 2 MB: does it work? Its figures mean little

Forms: `float32`, the state as an object (engines of files get its pickle); `bf16`, its high halves.
"""

from __future__ import annotations

from collections.abc import Sequence

from engines.base import Engine
from engines.commands import Borg, Dvc, Restic
from engines.libraries import HfXet, Metaflow, Mfv, Plain
from goals import Goal, at_most, times
from harness import run_main
from outcome import Outcome, tell
from series import Series
from suite import is_full, parser, run_series, versions_of
from versions import Versions

FILES = {"float32": "pkl", "bf16": "bf16"}
TITLES = {"float32": "checkpoints, float32", "bf16": "checkpoints, bf16"}


def main() -> None:
    options = parser(__doc__, list(FILES)).parse_args()
    versions, forms, about = versions_of(options, "checkpoints", FILES, list(FILES))
    series = run_series(
        options, forms, TITLES, engines_for, lambda form: versions.forms[FILES[form]]
    )
    tell(
        Outcome(
            "checkpoints",
            about,
            list(series.values()),
            goals=goals(series, versions),
            full=is_full(options),
        ),
        options,
    )


def engines_for(form: str) -> Sequence[Engine]:
    """The engines of a form, mfv first."""
    some: list[Engine] = [Mfv(), Plain("pickle"), HfXet(), Restic(), Borg()]
    if form == "bf16":
        return some
    return [*some, Borg("lz4"), Dvc(), Plain("joblib-0"), Plain("joblib-3"), Metaflow()]


def goals(series: dict[str, Series], versions: Versions) -> list[Goal]:
    """What is asked at full scale."""
    found: list[Goal] = []
    if "float32" in series:
        one = series["float32"]
        for peer, factor in (("hf_xet", 1.5), ("restic", 3.0), ("borg (zstd 3)", 3.0)):
            for metric, word in (("wall", "time"), ("cpu", "CPU")):
                asked = f"{peer} needs at least {factor:g} times mfv's {word} for a further version"
                found.append(times(asked, one, peer, "further", metric, at_least=factor))
        limit, asked = stored_limit(one, versions)
        found.append(at_most(asked, one.baseline.stores[-1]["stored"], limit))
    unique = versions.facts.get("bf16 distinct bytes")
    if "bf16" in series and unique:
        stored = series["bf16"].baseline.stores[-1]["stored"]
        asked = f"bf16: at most 0.72 of the bytes of its distinct arrays ({unique / 1e6:.0f} MB)"
        found.append(at_most(asked, stored / unique, 0.72, ""))
    return found


def stored_limit(series: Series, versions: Versions) -> tuple[float, str]:
    """How many bytes may be stored, and why so many.

    375 MB were asked of versions with 430.7 MB of distinct arrays. How much that is depends on
    which arrays a seed draws anew, large ones or small ones.
    """
    distinct = versions.facts.get("pkl distinct bytes")
    if distinct is None:
        return sum(series.raw) * 375 / 1976, "stored: at most 375 MB of 1,976"
    limit = distinct * 375 / 430.685
    return (
        limit,
        f"stored: at most 0.871 of the bytes of the distinct arrays ({limit / 1e6:.0f} MB)",
    )


if __name__ == "__main__":
    run_main(main)
