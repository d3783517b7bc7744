"""What the log says of one run."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mfv.ids import OpeningId, RunId
from mfv.manifest.artifact import Hash
from mfv.manifest.records import TaskRef

OPEN = "open"


class Signature(msgspec.Struct, frozen=True):
    """A signature of Ed25519, over what it says under a prefix of its own."""

    tag: str  # of the run that it is kept with; empty: of the run itself
    statement: bytes  # of a Statement, as signed
    key: Hash  # the public key
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class RunState(msgspec.Struct, omit_defaults=True):
    """What the log says of one run."""

    flow: str
    number: int
    opened: int = 0  # number of its open-run entry; 0 if that entry is lost
    time: int = 0  # µs since 1970
    status: str = OPEN
    opening: bytes | None = None
    opening_pack: bytes | None = None
    manifest: bytes | None = None
    pack: bytes | None = None
    lease: str = ""
    host: str = ""
    tags: list[str] = []
    tasks: list[TaskRef] = []  # while it is open; then its manifest lists them
    removed: int = 0  # µs since 1970: when it went into the trash; 0: it is not there
    reason: str = ""  # why
    swept: bool = False  # only its records and its code are kept
    note: str = ""  # what somebody has to say of it
    dropped: list[str] = []  # artifacts whose bytes are kept no longer: `model`, `train/model`
    signatures: list[Signature] = []  # of the run and of tags that it bears
    lost: list[bytes] = []  # ids of objects that a repair could not save

    @property
    def name(self) -> str:
        return f"{self.flow}/{self.number}"

    @property
    def in_trash(self) -> bool:
        """Whether it is listed no longer."""
        return self.removed != 0

    @property
    def run_id(self) -> RunId | None:
        return None if self.manifest is None else RunId(self.manifest)

    @property
    def opening_id(self) -> OpeningId | None:
        return None if self.opening is None else OpeningId(self.opening)
