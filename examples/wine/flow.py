"""What sets three wines apart: two analyses of one table, side by side, then one report.

    python examples/wine/flow.py run --min_alcohol 13

The table comes with scikit-learn: 178 wines of one Italian region, from three cultivars, each
with 13 things measured by a chemist.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from sklearn.datasets import load_wine

from mfv import FlowSpec, Parameter, step


class WineFlow(FlowSpec):
    """Profile the cultivars and find what goes together in a wine."""

    min_alcohol = Parameter(
        "min_alcohol", default=0.0, type=float, help="Leave out weaker wines, percent by volume."
    )

    @step
    def start(self) -> None:
        """Load the table and keep the wines that are strong enough."""
        bunch = load_wine(as_frame=True)
        table = bunch.frame.drop(columns="target")
        table.insert(0, "cultivar", [f"cultivar {number + 1}" for number in bunch.target])
        self.wines = table[table["alcohol"] >= self.min_alcohol].reset_index(drop=True)
        if len(self.wines) < 2:
            strongest = table["alcohol"].max()
            raise ValueError(f"fewer than two wines have {self.min_alcohol} %: most {strongest} %")
        # Two names: both steps run at the same time, each with a copy of all that is here.
        self.next(self.profile, self.relate)

    @step
    def profile(self) -> None:
        """The mean of every measurement, one row a cultivar."""
        groups = self.wines.groupby("cultivar")
        self.means = groups.mean()
        self.counts = groups.size()
        self.next(self.join)

    @step
    def relate(self) -> None:
        """How strongly each pair of measurements goes together, strongest first."""
        matrix = self.wines.drop(columns="cultivar").corr()
        columns = list(matrix.columns)
        self.pairs = pd.DataFrame(
            [
                (one, other, matrix.loc[one, other])
                for place, one in enumerate(columns)
                for other in columns[place + 1 :]
            ],
            columns=["one", "other", "correlation"],
        ).sort_values("correlation", key=abs, ascending=False, ignore_index=True)
        self.next(self.join)

    @step
    def join(self, inputs: Iterable[WineFlow]) -> None:
        """Bring both analyses together: a table of numbers and a text to read."""
        self.merge_artifacts(inputs)
        closest = self.pairs.iloc[0]
        self.numbers = {
            "wines": len(self.wines),
            "cultivars": len(self.means),
            "mean_alcohol": round(float(self.wines["alcohol"].mean()), 4),
            "strongest_correlation": round(float(closest["correlation"]), 4),
        }
        shown = self.means[["alcohol", "flavanoids", "color_intensity", "proline"]]
        self.report = "\n".join(
            [
                f"{len(self.wines)} wines with at least {self.min_alcohol:g} % alcohol",
                "",
                shown.assign(wines=self.counts).round(2).to_string(),
                "",
                f"goes together most: {closest['one']} and {closest['other']} "
                f"({closest['correlation']:+.2f})",
            ]
        )
        self.next(self.end)

    @step
    def end(self) -> None:
        """Show the report."""
        print(self.report)


if __name__ == "__main__":
    WineFlow()
