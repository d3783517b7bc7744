"""A flow that leaves tensors and models, and what its runs tell of them."""

from __future__ import annotations

from typing import Any

import pytest
from processes import Place

torch: Any = pytest.importorskip("torch")

BODY = """
shift = Parameter("shift", default=0)

@step
def start(self):
    import torch
    torch.manual_seed(0)
    self.net = torch.nn.Linear(100, 200)
    self.state = self.net.state_dict()
    self.optimizer = torch.optim.Adam(self.net.parameters()).state_dict()
    self.half = (torch.ones(9000) + self.shift).bfloat16()
    self.layers = {"a": {"w": torch.full((100, 100), 1.0 + self.shift)}, "b": torch.ones(9000)}
    self.next(self.end)

@step
def end(self):
    self.state["weight"].zero_()
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two runs that differ by their shift."""
    place = Place(tmp_path_factory.mktemp("torch") / "project", BODY)
    place.run()
    place.run("--shift", "1")
    return place


def test_models_and_tensors_come_back(ran: Place) -> None:
    found = ran.values("start", run=2)
    torch.manual_seed(0)
    net = torch.nn.Linear(100, 200)
    assert torch.equal(found["net"].weight, net.weight)
    assert torch.equal(found["state"]["bias"], net.bias)
    assert found["optimizer"]["param_groups"][0]["lr"] == 0.001
    assert found["half"].dtype == torch.bfloat16
    assert found["layers"]["a"]["w"].sum() == 20_000
    assert ran.values("end", run=2)["state"]["weight"].abs().sum() == 0


def test_show_diff_and_cat_tell_tensors(ran: Place) -> None:
    shown = ran.mfv("show", "@/start/1").out
    assert "tensor bfloat16[9000]" in shown
    assert "2.0 … 2.0, mean 2.0" in shown
    diff = ran.mfv("diff").out
    changed = {line.split()[0] for line in diff.splitlines() if line.startswith("  start/")}
    assert changed == {"start/half", "start/layers"}
    assert "mean 1.0 -> 2.0" in diff
    assert ran.mfv("cat", "--load", "@/start/1/net").out.startswith("Linear(in_features=100")


def test_a_layer_that_did_not_change_is_the_same_frame_in_both_runs(ran: Place) -> None:
    frames = []
    for run in (1, 2):
        (one,) = [a for a in ran.task("start", run=run).artifacts if a.name == "layers"]
        frames.append([frame.id for frame in one.frames])
    assert [place for place in range(3) if frames[0][place] != frames[1][place]] == [1]
