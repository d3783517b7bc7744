"""Small things that experiments leave: ten artifacts a run, 50 bytes to 20 kB, half repeated.

Runs belong to experiments, a hundred runs each. Five artifacts of a run are those of its experiment
(names of features, labels, settings, a scaler, an environment); five are its own (metrics,
parameters, a history, a confusion matrix, the end of a log).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RUNS = 2000  # at scale 1
ARTIFACTS = 10  # of each run
_TOGETHER = 100  # runs of one experiment
_STREAM = 103
_WORDS = [
    "batch",
    "bias",
    "class",
    "column",
    "data",
    "decay",
    "depth",
    "dropout",
    "epoch",
    "feature",
    "fold",
    "gate",
    "gradient",
    "head",
    "index",
    "kernel",
    "label",
    "layer",
    "length",
    "loss",
    "mask",
    "mean",
    "model",
    "momentum",
    "norm",
    "rate",
    "recall",
    "row",
    "sample",
    "scale",
    "score",
    "seed",
    "shard",
    "shape",
    "split",
    "step",
    "stride",
    "target",
    "token",
    "train",
    "valid",
    "warmup",
    "weight",
    "width",
    "window",
]


def runs(count: int, seed: int) -> Iterator[dict[str, object]]:
    """`count` runs, each its artifacts by name."""
    draws = (
        np.random.default_rng([seed, _STREAM, 1, e]) for e in range(max(1, count // _TOGETHER))
    )
    experiments = [_shared(draw) for draw in draws]
    for number in range(count):
        draw = np.random.default_rng([seed, _STREAM, 0, number])
        yield {**experiments[number % len(experiments)], **_own(draw)}


def _shared(draw: np.random.Generator) -> dict[str, object]:
    features = int(draw.integers(8, 200))
    return {
        "feature_names": [f"{_words(draw, 1)}_{place}" for place in range(features)],
        "labels": {f"{_words(draw, 2)} {n}": n for n in range(int(draw.integers(4, 60)))},
        "settings": "\n".join(
            f"{_words(draw, 1)}: {_words(draw, 3)}" for _ in range(int(draw.integers(10, 120)))
        ),
        "scaler": {
            "mean": draw.standard_normal(features),
            "deviation": np.abs(draw.standard_normal(features)),
        },
        "environment": {
            f"package-{n}": ".".join(map(str, draw.integers(0, 30, 3)))
            for n in range(int(draw.integers(20, 220)))
        },
    }


def _own(draw: np.random.Generator) -> dict[str, object]:
    epochs, classes = int(draw.integers(5, 200)), int(draw.integers(2, 24))
    passed = np.arange(epochs)
    return {
        "metrics": {
            f"{part}_{name}": float(draw.random())
            for part in ("train", "valid", "test")
            for name in ("loss", "accuracy", "f1", "auc", "precision", "recall")
        },
        "settings_of_run": {
            "learning_rate": float(10 ** draw.uniform(-5, -1)),
            "batch_size": int(2 ** draw.integers(3, 10)),
            "optimizer": str(draw.choice(["adam", "adamw", "lamb", "sgd"])),
            "seed": int(draw.integers(1 << 31)),
            "note": _words(draw, int(draw.integers(1, 12))),
        },
        "history": {
            "loss": (np.exp(-passed / 30) + 0.02 * draw.random(epochs)).tolist(),
            "rate": np.linspace(1e-3, 1e-5, epochs).tolist(),
        },
        "confusion": draw.poisson(40, (classes, classes)),
        "log_tail": "\n".join(
            f"step {step:06d} loss {draw.random():.6f} {_words(draw, 6)}"
            for step in range(int(draw.integers(1, 300)))
        ),
    }


def _words(draw: np.random.Generator, count: int) -> str:
    return " ".join(_WORDS[place] for place in draw.integers(0, len(_WORDS), count))
