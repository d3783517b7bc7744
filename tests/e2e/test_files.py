"""Files that steps leave: recorded as they were at each step, whatever became of them since."""

from __future__ import annotations

import shutil
from pathlib import Path

from processes import Place


def test_each_step_leaves_the_file_as_it_was_then(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            from pathlib import Path
            Path("out").mkdir()
            self.table = Path("out/table.csv")
            self.table.write_text("first")
            self.next(self.middle)

        @step
        def middle(self):
            assert self.table.read_text() == "first"
            self.table.write_text("second")
            self.notes = open("out/notes.txt", "w")
            self.notes.write("half said")
            self.next(self.end)

        @step
        def end(self):
            self.seen = [str(self.table), self.table.read_text(), self.notes.read()]
        """
    )
    place.run()
    assert place.values("end")["seen"] == ["out/table.csv", "second", "half said"]
    for out in place.folder.rglob("out"):
        shutil.rmtree(out)
    texts = []
    for step in ("start", "middle", "end"):
        table = place.values(step)["table"]
        assert isinstance(table, Path)
        texts.append(table.read_text())
    assert texts == ["first", "second", "second"]


def test_branches_that_write_one_file_each_keep_their_own(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.items = ["a", "b", "c"]
            self.next(self.work, foreach="items")

        @step
        def work(self):
            from pathlib import Path
            self.result = Path("result.txt")
            self.result.write_text(self.input * 3)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.texts = sorted(one.result.read_text() for one in inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run("--max-workers", "1")
    assert place.values("end")["texts"] == ["aaa", "bbb", "ccc"]
