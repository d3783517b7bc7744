"""One BLAKE3 pass over an array, on so many threads; see clock.py for the command line."""

from __future__ import annotations

from blake3 import blake3
from clock import Job, job, measured, original


def main(work: Job) -> None:
    (threads,) = work.words
    view = memoryview(original(work.source)).cast("B")  # type: ignore[arg-type]
    with measured(work.report):
        blake3(view, max_threads=int(threads)).digest()


if __name__ == "__main__":
    main(job())
