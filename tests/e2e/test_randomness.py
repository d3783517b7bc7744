"""Tasks are forked, and draw random numbers as if each had an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """
import random
import numpy as np
from mfv import FlowSpec, step

{seeding}

class DrawFlow(FlowSpec):
    @step
    def start(self):
        self.items = [0, 1, 2]
        self.next(self.draw, foreach="items")

    @step
    def draw(self):
        self.drawn = ({draw}, self.index)
        self.next(self.join)

    @step
    def join(self, inputs):
        print("drawn", sorted(one.drawn[0] for one in inputs))
        print("different", len({{one.drawn[0] for one in inputs}}))
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    DrawFlow()
"""


def output_of(folder: Path, seeding: str, draw: str) -> list[str]:
    (folder / "flow.py").write_text(FLOW.format(seeding=seeding, draw=draw))
    done = subprocess.run(
        [sys.executable, "flow.py", "run"], cwd=folder, capture_output=True, text=True, check=True
    )
    lines = (line.partition("] ")[2] for line in done.stdout.splitlines())
    return [line for line in lines if line.startswith(("drawn", "different"))]


@pytest.mark.parametrize("draw", ["random.random()", "float(np.random.rand())"])
def test_unseeded_tasks_draw_different_numbers(tmp_path: Path, draw: str) -> None:
    assert output_of(tmp_path, "", draw)[1] == "different 3"


@pytest.mark.parametrize(
    ("seeding", "draw"),
    [("random.seed(7)", "random.random()"), ("np.random.seed(7)", "float(np.random.rand())")],
)
def test_a_seed_at_the_top_of_the_file_holds_in_every_task_and_run(
    tmp_path: Path, seeding: str, draw: str
) -> None:
    first = output_of(tmp_path, seeding, draw)
    assert first[1] == "different 1"
    assert output_of(tmp_path, seeding, draw) == first
