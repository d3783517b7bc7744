"""An artifact of 64 MB: bit for bit, and stored once."""

from __future__ import annotations

from processes import Place

SIZE = 64 << 20  # bytes


def test_a_large_array_is_stored_once_over_three_steps_and_comes_back_bit_for_bit(
    place: Place,
) -> None:
    place.write(
        """
        @step
        def start(self):
            import numpy
            self.array = numpy.random.default_rng(7).integers(0, 256, 64 << 20, dtype="u1")
            self.next(self.reads)

        @step
        def reads(self):
            self.first = int(self.array[0])
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run()
    import numpy

    expected = numpy.random.default_rng(7).integers(0, 256, SIZE, dtype="u1")
    for step in ("start", "end"):
        found = place.values(step)["array"]
        assert found.dtype == expected.dtype
        assert bytes(found.data) == bytes(expected.data)
    assert place.values("reads")["first"] == expected[0]
    ids = {a.id for step in ("start", "reads", "end") for a in place.task(step).artifacts}
    assert len(ids) == 2  # the array, and `first`
    stored = sum(path.stat().st_size for path in place.store.rglob("*") if path.is_file())
    assert SIZE < stored < SIZE + (1 << 20)
