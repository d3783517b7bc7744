"""Stores an object as one file, by pickle or joblib; see clock.py for the command line."""

from __future__ import annotations

import os
import pickle

from clock import Job, job, measured, original
from equal import check_values


def main(work: Job) -> None:
    (how,) = work.words
    library, _, level = how.partition("-")
    if library == "joblib":
        import joblib
    path = work.place / "store" / f"v{work.number:02d}"
    value = original(work.source)
    if work.action == "restore":
        del value
    with measured(work.report):
        if work.action == "store" and library == "pickle":
            with path.open("wb") as file:
                pickle.dump(value, file, 5)
                file.flush()
                os.fsync(file.fileno())
        elif work.action == "store":
            joblib.dump(value, path, compress=int(level))
        elif library == "pickle":
            with path.open("rb") as file:
                value = pickle.load(file)
        else:
            value = joblib.load(path)
    if work.action == "restore":
        check_values(value, original(work.source))


if __name__ == "__main__":
    main(job())
