"""Many runs at the same moment in a folder that had none before."""

from __future__ import annotations

from processes import Place


def test_sixteen_runs_started_at_once_get_the_numbers_one_to_sixteen(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.number = int(current.run_id)
            self.large = bytes(100_000)
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    processes = [place.start("flow.py", "run") for _ in range(16)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 16, "\n".join(outputs)
    assert place.statuses() == {f"F/{number}": "ok" for number in range(1, 17)}
    assert [place.values("start", run=n)["number"] for n in range(1, 17)] == list(range(1, 17))
    place.mfv("fsck")
    assert not list((place.store / "tmp").iterdir())
