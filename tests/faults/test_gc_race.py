"""Flows that run beside a gc without any grace: nothing is lost, whoever wins."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from pathlib import Path

import pytest
from processes import Done, Place

from mfv.odb.writer import Writer
from mfv.repo.repository import Repository

# Large enough for packs that the task writes itself, before anything names them.
BODY = """
seed = Parameter("seed", default=0)

@step
def start(self):
    self.items = [0, 1, 2]
    self.next(self.work, foreach="items")

@step
def work(self):
    import random
    self.made = random.Random(f"{self.seed} {self.input}").randbytes(300_000)
    self.next(self.join)

@step
def join(self, inputs):
    self.sizes = [len(one.made) for one in inputs]
    self.next(self.end)

@step
def end(self):
    pass
"""


def leave_garbage(place: Place, seed: int) -> None:
    """Writes packs that nothing names, as a run does that dies before its commit.

    One holds what the next run will make: it builds on it, unless a gc is quicker. The other
    holds what nobody wants.
    """
    for content in (random.Random(f"{seed} 1").randbytes(300_000), os.urandom(1000)):
        writer = Writer(Repository.open(place.store).database)
        writer.add_blob(content)
        writer.flush()


@pytest.mark.parametrize("options", [(), ("--repack",)], ids=["gc", "repack"])
def test_flows_beside_gc_lose_nothing(tmp_path: Path, long: bool, options: tuple[str, ...]) -> None:
    place = Place(tmp_path / "project", BODY)
    place.run("--seed", "0")
    end = time.monotonic() + (120 if long else 10)
    runs: list[Done] = []
    collections: list[Done] = []

    def run_flows(first: int) -> None:
        seed = first
        while time.monotonic() < end:
            leave_garbage(place, seed)
            runs.append(place.python("flow.py", "run", "--seed", str(seed)))
            seed += 2

    def collect() -> None:
        while time.monotonic() < end:
            words = ("-m", "mfv", "gc", "--prune", "now", "--json", *options)
            collections.append(place.python(*words))

    threads = [
        threading.Thread(target=run_flows, args=(1,)),
        threading.Thread(target=run_flows, args=(2,)),
        threading.Thread(target=collect),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not [done.text for done in collections if done.code]
    deleted = sum(len(json.loads(done.out)["packs"]) for done in collections)
    assert deleted, "no gc ever found anything to delete"
    if options:
        rewritten = [json.loads(done.out)["repack"]["deleted"] for done in collections]
        assert sum(map(bool, rewritten)) > 1, "no pack of a running flow was ever rewritten"
    assert not [done.text for done in runs if done.code]
    assert place.statuses() == {f"F/{number}": "ok" for number in range(1, len(runs) + 2)}
    for number in range(1, len(runs) + 2):
        view = place.view(number)
        database = view.repository.database
        for ref in view.refs:
            for artifact in view.repository.task(ref).artifacts:
                for frame in artifact.frames:
                    assert len(database.read_blob(frame.id)) == frame.size
        assert place.values("join", run=number)["sizes"] == [300_000] * 3
    place.mfv("fsck")


def test_bytes_that_are_condemned_while_a_task_builds_on_them_are_stored_anew(
    tmp_path: Path,
) -> None:
    place = Place(
        tmp_path / "project",
        """
        @step
        def start(self):
            self.next(self.work)

        @step
        def work(self):
            import random
            self.a_known = random.Random("0 1").randbytes(300_000)
            self.z_hook = Hook()
            self.next(self.end)

        @step
        def end(self):
            self.size = len(self.a_known)
        """,
    )
    # Attributes are stored in the order of their names: between the two, a gc takes the garbage
    # away that the first was found in.
    hook = """
class Hook:
    def __reduce__(self):
        import subprocess
        if not os.path.exists("hooked"):
            open("hooked", "w").close()
            words = [sys.executable, "-m", "mfv", "gc", "--prune", "now", "--json"]
            with open("gc.json", "w") as file:
                subprocess.run(words, check=True, stdout=file)
        return (int, ())

class F("""
    script = place.folder / "flow.py"
    script.write_text(script.read_text().replace("class F(", hook.lstrip(), 1))
    place.mfv("init")
    leave_garbage(place, seed=0)
    place.run()
    assert len(json.loads((place.folder / "gc.json").read_text())["packs"]) == 2
    assert place.values("work")["a_known"] == random.Random("0 1").randbytes(300_000)
    assert place.values("end")["size"] == 300_000
    place.mfv("fsck")
