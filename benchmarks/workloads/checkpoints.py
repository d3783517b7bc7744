"""Checkpoints of a small language model: ten states of forty float32 arrays, 198 MB each.

From one to the next a tenth of the arrays is drawn anew and another twentieth is nudged, as when
layers thaw; the rest stays bit for bit. Any version follows from the seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

REDRAWN, NUDGED = 0.10, 0.05  # of the arrays, from version to version
_BLOCKS = 6
_STREAM = 101  # keeps these draws apart from those of other workloads of the same seed

State = dict[str, np.ndarray]


def shapes(scale: float) -> dict[str, tuple[int, ...]]:
    """Name and shape of the forty arrays; at scale 1 they have 49.4 million numbers."""
    width = max(16, round(768 * scale**0.5 / 16) * 16)
    words, places = max(32, int(8000 * scale**0.5)), max(16, int(1024 * scale**0.5))
    found: dict[str, tuple[int, ...]] = {"embed.words": (words, width)}
    found["embed.places"] = (places, width)
    for block in range(_BLOCKS):
        found[f"block{block}.norm1"] = (width,)
        found[f"block{block}.attend.in"] = (width, 3 * width)
        found[f"block{block}.attend.out"] = (width, width)
        found[f"block{block}.norm2"] = (width,)
        found[f"block{block}.mlp.in"] = (width, 4 * width)
        found[f"block{block}.mlp.out"] = (4 * width, width)
    found["norm.weight"], found["norm.bias"] = (width,), (width,)
    return found


def versions(scale: float, seed: int, count: int) -> Iterator[State]:
    """`count` states; arrays that did not change are the same objects in two of them."""
    wanted = shapes(scale)
    names = list(wanted)
    draw = np.random.default_rng([seed, _STREAM, 0])
    state = {name: _array(draw, name, wanted[name]) for name in names}
    yield state
    for number in range(1, count):
        draw = np.random.default_rng([seed, _STREAM, number])
        order = [names[place] for place in draw.permutation(len(names))]
        anew, nudged = round(REDRAWN * len(names)), round(NUDGED * len(names))
        state = dict(state)
        for name in order[:anew]:
            state[name] = _array(draw, name, wanted[name])
        for name in order[anew : anew + nudged]:
            noise = draw.standard_normal(wanted[name], dtype=np.float32)
            state[name] = state[name] + np.float32(1e-5) * noise
        yield state


def halved(state: State) -> State:
    """The state in bfloat16, as the high halves of its numbers: numpy has no such type."""
    return {name: (array.view(np.uint32) >> 16).astype(np.uint16) for name, array in state.items()}


def _array(draw: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = draw.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
    if "norm" in name and not name.endswith("bias"):
        values += np.float32(1)  # gains start at one
    return values
