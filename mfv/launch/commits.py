"""The recorder of a flow's scheduler: a repository's."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from mfv.flow.seams import Ending, Outcome, StoreAgainError
from mfv.flow.spool import SpoolFile
from mfv.ids import PackId
from mfv.launch.store import Delivery
from mfv.manifest.artifact import SCALAR, Artifact
from mfv.manifest.records import TaskRef
from mfv.repo.log import CondemnedError
from mfv.repo.recorder import Finished, LongLog, RunRecorder


class Commits:
    """The flow's recorder, by way of a repository's."""

    def __init__(self, recorder: RunRecorder) -> None:
        self._recorder = recorder

    def commit(
        self, endings: Sequence[Ending], results: tuple[Artifact, ...] | None = None
    ) -> list[TaskRef]:
        finished = [self._finished(ending) for ending in endings]
        try:
            if results is None:
                return self._recorder.commit(finished)
            self.seal(Outcome("ok", results), finished)
            return [self._recorder.refs[ending.task.id] for ending in endings]
        except CondemnedError as error:
            condemned = frozenset(map(bytes, error.packs))
            leaning = [one.task.id for one in finished if one.packs & error.packs]
            raise StoreAgainError(dict.fromkeys(leaning, condemned)) from None

    def seal(self, outcome: Outcome, finished: Sequence[Finished] = ()) -> None:
        """Ends the run, with its last attempts if they are not committed yet."""
        self._recorder.seal(
            outcome.status,
            ended=time.time_ns() // 1000,
            results=tuple(a for a in outcome.results if a.serializer == SCALAR),
            failure=outcome.failure,
            failed_step=outcome.failed_step,
            finished=finished,
        )

    def _finished(self, ending: Ending) -> Finished:
        if ending.is_clone:
            return Finished(ending.task)
        if not ending.delivery:
            return Finished(ending.task, _log(ending.stdout), _log(ending.stderr))
        delivery = msgspec.msgpack.decode(ending.delivery, type=Delivery)
        return Finished(
            ending.task,
            _log(ending.stdout),
            _log(ending.stderr),
            delivery.parcel,
            tuple(made.receipt for made in delivery.receipts),
            frozenset(PackId(pack) for pack in delivery.relied),
        )


def _log(text: bytes | SpoolFile) -> bytes | LongLog:
    return LongLog(text.read_at, text.size, text.lines) if isinstance(text, SpoolFile) else text
