"""Three models compete to read handwritten digits; the best one is kept, with a picture.

    python examples/digits/flow.py run --strength 0.5

The 1797 images of 8x8 pixels come with scikit-learn. Everything random is seeded, so two runs
with the same code and parameters leave the same bytes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable

# Before numpy is loaded, for it reads this once. With one thread sums are always added up in the
# same order, so that results repeat to the last bit; and tasks that run side by side do not
# fight over the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# At the top and not inside the steps: tasks are forked from a process that has imported this
# file already, so that all of them together wait for scikit-learn only once.
import numpy as np
from matplotlib.figure import Figure
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mfv import FlowSpec, Parameter, step

TREES = 200  # Change me, run again, and see `mfv diff 1 2`.


def candidates(strength: float, seed: int) -> dict[str, ClassifierMixin]:
    """The models that compete, by name, not yet trained."""
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500)),
        "svm": SVC(C=strength),
        "forest": RandomForestClassifier(n_estimators=TREES, random_state=seed),
    }


def draw(confusion: np.ndarray) -> bytes:
    """A confusion matrix as a PNG; equal matrices give equal bytes."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(confusion, cmap="Blues")
    axes.set(xlabel="predicted", ylabel="true", xticks=range(10), yticks=range(10))
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            color = "white" if count > confusion.max() / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=color)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=100, metadata={"Software": None})  # it names a version
    return png.getvalue()


class DigitsFlow(FlowSpec):
    """Train three models on handwritten digits and keep the best."""

    seed = Parameter("seed", default=7, type=int, help="Seeds the split and the forest.")
    test_fraction = Parameter("test_fraction", default=0.25, type=float, help="Held out, 0 to 1.")
    strength = Parameter(
        "strength", default=1.0, type=float, help="C of the linear model and the SVM: how freely."
    )

    @step
    def start(self) -> None:
        """Load the images and hold some back."""
        images, labels = load_digits(return_X_y=True)
        self.X_train, self.X_test, self.y_train, self.y_test = train_test_split(
            images, labels, test_size=self.test_fraction, random_state=self.seed, stratify=labels
        )
        self.names = list(candidates(self.strength, self.seed))
        self.next(self.train, foreach="names")

    @step
    def train(self) -> None:
        """Fit one model: this step runs once for each name, side by side."""
        self.model_name = self.input
        self.model = candidates(self.strength, self.seed)[self.model_name]
        self.model.fit(self.X_train, self.y_train)
        self.predictions = self.model.predict(self.X_test)
        self.accuracy = float(accuracy_score(self.y_test, self.predictions))
        self.next(self.pick)

    @step
    def pick(self, inputs: Iterable[DigitsFlow]) -> None:
        """Bring the branches together and keep the winner."""
        trained = list(inputs)
        best = max(trained, key=lambda task: task.accuracy)
        self.scores = {task.model_name: task.accuracy for task in trained}
        self.best_name = best.model_name
        self.model = best.model
        self.accuracy = best.accuracy
        self.predictions = best.predictions
        # All else is the same in every branch (the data, the names) and is passed on as it is.
        self.merge_artifacts(trained, exclude=["model_name"])
        self.macro_f1 = float(f1_score(self.y_test, self.predictions, average="macro"))
        self.confusion = confusion_matrix(self.y_test, self.predictions)
        self.next(self.end)

    @step
    def end(self) -> None:
        """Draw the mistakes and tell the results."""
        self.figure = draw(self.confusion)
        for name, accuracy in self.scores.items():
            print(f"{name:<9} accuracy {accuracy:.4f}")
        print(f"best: {self.best_name}, macro F1 {self.macro_f1:.4f}")


if __name__ == "__main__":
    DigitsFlow()
