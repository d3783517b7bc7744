"""Tensors of torch are compared by what they hold, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from histories import Made, fast_repository, make
from insides import inside, outline

from mfv.outline.nodes import Block, Keyed

torch = pytest.importorskip("torch")


def model() -> dict[str, object]:
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(60, 40), torch.nn.Linear(40, 10))
    return dict(net.state_dict())


def test_the_tensors_of_a_state_dict_that_changed_are_told() -> None:
    before, after = model(), model()
    assert not inside(before, after)
    with torch.no_grad():
        after["1.weight"].add_(0.5)  # type: ignore[attr-defined]
    (part,) = inside(before, after).parts
    assert part.path == "1.weight"
    assert part.before == "float32[10, 40]"
    assert part.measure is not None
    assert (part.measure.changed, part.measure.total) == (400, 400)
    assert part.measure.largest == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64", "int64", "uint8", "bool"])
def test_tensors_of_every_plain_dtype_are_measured(kind: str) -> None:
    before = torch.zeros(2000).to(getattr(torch, kind))
    after = before.clone()
    after[7] = 1
    found = outline(before)
    assert isinstance(found, Block) and found.dtype == kind
    (part,) = inside(before, after).parts
    assert part.measure is not None
    assert (part.measure.changed, part.measure.largest) == (1, 1.0)


def test_views_of_one_storage_are_told_each_for_itself() -> None:
    whole = torch.arange(6000.0)
    value = {"whole": whole, "half": whole[3000:]}
    found = outline(value)
    assert isinstance(found, Keyed)
    half = found.items["'half'"]
    assert isinstance(half, Block) and half.shape == (3000,) and half.offset == 12000
    other = whole.clone()
    other[10] = -1
    assert [one.path for one in inside(value, {"whole": other, "half": other[3000:]}).parts] == [
        "whole"
    ]


def test_what_is_strided_or_sparse_is_no_trouble() -> None:
    for value in (torch.arange(4000.0).reshape(40, 100).t(), torch.eye(50).to_sparse()):
        assert not inside({"x": value}, {"x": value})


def test_diff_of_models_imports_no_torch(tmp_path: Path) -> None:
    repository = fast_repository(tmp_path / ".mfv")
    for step in (0.0, 0.5):
        state = model()
        state["0.bias"] = state["0.bias"] + step  # type: ignore[operator]
        make(repository, Made("F", {"step": step}, {"model": state}))
    probe = (
        "import sys; from mfv.cli.main import main; main(['diff', '1', '2']); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "0.bias  float32[40]  max|d| 0.5" in done.stdout
