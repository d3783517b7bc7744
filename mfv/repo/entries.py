"""The entries of the log: everything that ever happens to a repository, as values."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from mfv.ids import PackId, Seal
from mfv.manifest.artifact import Hash
from mfv.manifest.records import MANY_VALUES, PackName, RunStatus, TaskRef
from mfv.odb.pack import Receipt
from mfv.repo.runstate import RunState
from mfv.repo.runstate import Signature as Signature


class PackMade(msgspec.Struct, frozen=True, array_like=True):
    """A pack that an entry brings in; durable before the entry is written."""

    pack: PackName
    size: int  # bytes
    seal: Hash

    @classmethod
    def of(cls, receipt: Receipt) -> PackMade:
        return cls(bytes(receipt.pack), receipt.size, bytes(receipt.seal))

    @property
    def receipt(self) -> Receipt:
        return Receipt(PackId(self.pack), self.size, Seal(self.seal))


class OpenRun(msgspec.Struct, frozen=True, tag="open-run"):
    """A run began: here it gets its number."""

    flow: str
    number: int
    opening: Hash
    pack: PackName  # where the opening lies
    lease: str  # a file under tmp/ that the run's process holds locked
    host: str
    packs: tuple[PackMade, ...]


class Tasks(msgspec.Struct, frozen=True, tag="tasks"):
    """Tasks of one open run finished."""

    flow: str
    number: int
    tasks: tuple[TaskRef, ...]
    packs: tuple[PackMade, ...]


class SealRun(msgspec.Struct, frozen=True, tag="run"):
    """A run ended: from here on it never changes."""

    flow: str
    number: int
    status: RunStatus
    manifest: Hash
    pack: PackName
    packs: tuple[PackMade, ...]


class TagRuns(msgspec.Struct, frozen=True, tag="tag"):
    """Tags came off and on; what comes off does so first."""

    removed: tuple[tuple[str, int, str], ...]  # flow, number, tag
    added: tuple[tuple[str, int, str], ...]


class NoteRun(msgspec.Struct, frozen=True, tag="note"):
    """What somebody has to say of a run, in place of what was said before."""

    flow: str
    number: int
    text: str  # empty: nothing any more


class TrashRuns(msgspec.Struct, frozen=True, tag="trash"):
    """These runs went into the trash, or were left over by a rule of retention."""

    runs: tuple[tuple[str, int], ...]  # flow, number
    reason: str = ""  # in words: `mfv rm`, or the rules that kept none of them


class RestoreRuns(msgspec.Struct, frozen=True, tag="restore"):
    """These runs came back out of the trash."""

    runs: tuple[tuple[str, int], ...]


class SweepRuns(msgspec.Struct, frozen=True, tag="sweep"):
    """Of these runs, which are in the trash, records and code alone are kept from here on."""

    runs: tuple[tuple[str, int], ...]


class DropArtifacts(msgspec.Struct, frozen=True, tag="drop"):
    """The bytes of these artifacts of one run are kept no longer; what is recorded of them is."""

    flow: str
    number: int
    names: tuple[str, ...]  # `model`: of every step; `train/model`: of one


class Statement(msgspec.Struct, frozen=True):
    """What a signature says: in that repository, that run, or that tag on it, is this manifest."""

    repository: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    flow: str
    number: int
    tag: str  # empty: the run itself
    manifest: Hash
    time: int  # µs since 1970, by the signer's clock


class SignRun(msgspec.Struct, frozen=True, tag="sign"):
    """Somebody signed a run, or a tag on it. Whether rightly is for readers to find out."""

    flow: str
    number: int
    signature: Signature


class Condemn(msgspec.Struct, frozen=True, tag="condemn"):
    """These packs will be deleted: no later entry may rely on them."""

    condemned: tuple[PackName, ...]


class Repack(msgspec.Struct, frozen=True, tag="repack"):
    """New packs hold all that anything needs of old ones, and these will be deleted."""

    condemned: tuple[PackName, ...]
    packs: tuple[PackMade, ...]


class MarkDamage(msgspec.Struct, frozen=True, tag="damage"):
    """These objects, which one run needs, are lost: a repair found no whole copy of them."""

    flow: str
    number: int
    lost: tuple[Hash, ...]  # their ids; none: all came back


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """Stands in place of an entry that could not be saved.

    The only entry that is not appended: a repair puts it where the damaged one was.
    """

    stands_for: Hash  # the seal to which the next entry is chained
    runs: tuple[RunState, ...]  # what the entries that are lost said of runs, as far as is known
    condemned: tuple[PackName, ...]  # and of packs


Body = (
    OpenRun
    | Tasks
    | SealRun
    | TagRuns
    | NoteRun
    | TrashRuns
    | RestoreRuns
    | SweepRuns
    | DropArtifacts
    | SignRun
    | Condemn
    | Repack
    | MarkDamage
    | Lost
)


class Entry(msgspec.Struct, frozen=True):
    """One numbered entry, chained to the one before by its seal."""

    most_values: ClassVar[int] = MANY_VALUES
    number: int
    previous: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    time: int  # µs since 1970, by the writer's clock; advice, the order is the number's
    writer: str  # user@host
    body: Body
