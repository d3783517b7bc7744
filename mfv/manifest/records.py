"""The records of a run: what it began with, its tasks, how it ended. Times are µs since 1970."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from mfv.manifest.artifact import Artifact, Hash

PackName = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Origin = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]  # id of a repository
MANY_VALUES = 1_500_000  # in a record that lists tasks, of which each takes nine
TaskStatus = Literal["ok", "failed"]
RunStatus = Literal["ok", "failed", "interrupted", "crashed"]


class TreeFile(msgspec.Struct, frozen=True, array_like=True):
    """One file of a code snapshot; a symlink's blob is its target."""

    path: bytes  # relative, '/' between parts, as the file system has it
    mode: int  # as git: 0o100644, 0o100755, 0o120000
    blob: Hash
    size: int  # bytes


class Tree(msgspec.Struct, frozen=True, omit_defaults=True):
    """The paths, modes and blobs of one code snapshot, sorted by path.

    A large one has no files of its own, but parts: the ids of trees, whose files follow each
    other. They have no parts.
    """

    files: tuple[TreeFile, ...]
    parts: tuple[Hash, ...] = ()


class Package(msgspec.Struct, frozen=True, array_like=True):
    name: str
    version: str


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an installed package came from, and what tells its files from another build's."""

    name: str
    kind: Literal["index", "archive", "directory", "vcs"] = "index"
    installer: str = ""  # what put it there: pip, uv, conda
    wheel: str = ""  # name of the wheel whose files these are
    content: bytes = b""  # hash of the wheel's own list of files; empty where there is none
    url: str = ""  # without credentials; of an index only where the installer noted it
    hashes: tuple[str, ...] = ()  # of the file at `url`, as `sha256=…`
    editable: bool = False
    vcs: str = ""  # git, hg, svn, bzr
    commit: str = ""
    revision: str = ""  # the branch or tag that was asked for
    subdirectory: str = ""


class Gpu(msgspec.Struct, frozen=True, omit_defaults=True):
    """One graphics card, in the order of bus addresses."""

    name: str
    memory: int = 0  # bytes
    compute: str = ""  # "9.0"


class Extension(msgspec.Struct, frozen=True, array_like=True):
    """An entry point of the group `mfv.extensions`."""

    name: str
    package: str
    version: str


class Environment(msgspec.Struct, frozen=True, omit_defaults=True):
    """The machine and what is installed on it; equal environments are one record."""

    python: str
    implementation: str
    system: str
    release: str
    machine: str
    libc: str
    cpu: str
    cpu_count: int
    memory: int  # bytes
    gpus: tuple[str, ...]
    packages: tuple[Package, ...]
    sources: tuple[Source, ...] = ()  # one for each package, in the same order
    extensions: tuple[Extension, ...] = ()  # sorted
    python_build: str = ""  # what it was built from, when, and with which compiler
    python_kind: str = ""  # venv, conda, system, other
    distribution: str = ""  # "Debian GNU/Linux 12 (bookworm)"
    cpu_features: tuple[str, ...] = ()  # those that numeric libraries choose their code by
    cpu_usable: int = 0  # processors that the run might use; libraries start as many threads
    gpu_driver: str = ""
    gpu_details: tuple[Gpu, ...] = ()
    cuda: str = ""  # of the runtime libraries that are installed
    blas: str = ""  # numpy's: name and version
    locale: str = ""
    encoding: str = ""  # of text files
    timezone: str = ""


class Git(msgspec.Struct, frozen=True):
    """The state of the user's git repository, from which the snapshot may differ if dirty."""

    commit: str | None
    branch: str | None
    remote: str | None
    dirty: bool
    changed: tuple[str, ...]
    describe: str | None


class LeftOut(msgspec.Struct, frozen=True, array_like=True):
    """A file that the snapshot does not hold, and why."""

    path: str
    reason: str
    size: int  # bytes


class GraphNode(msgspec.Struct, frozen=True):
    """One step as it stood in the source."""

    name: str
    kind: str
    next: tuple[str, ...]
    is_join: bool
    line: int
    doc: str


class GivenFile(msgspec.Struct, frozen=True, array_like=True):
    """What a run read before it began: the file of an IncludeFile, or the text of a config."""

    option: tuple[str, ...]  # the words before the path, without dashes: `table`; `config`, `model`
    path: str  # as it was given; empty where the text itself was
    blob: Hash
    size: int  # bytes


class Opening(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that was known when a run began; written before its first task."""

    flow: str
    created: int
    script: str  # relative to the root of the tree
    parameters: tuple[Artifact, ...]
    constants: tuple[Artifact, ...]
    graph: tuple[GraphNode, ...]
    tree: Hash
    environment: Hash
    git: Git | None
    version: str | None  # of the user's project, as `git describe` tells it
    left_out: tuple[LeftOut, ...]
    argv: tuple[str, ...]
    cwd: str
    user: str
    host: str
    variables: tuple[tuple[str, str], ...]
    mfv: str  # version of mfv
    options: tuple[tuple[str, str], ...] = ()  # name and text of each parameter, as typed
    secret: tuple[str, ...] = ()  # options whose value is kept out of the record
    folder: str = ""  # the working directory below the root of the tree; empty: at it, or outside
    cloned_from: str | None = None  # name of the run whose clone this code is
    resumed_from: int | None = None  # number of the run of this flow that it goes on from
    given: tuple[GivenFile, ...] = ()  # those of options whose value is kept out are not there
    system_tags: tuple[str, ...] = ()  # from the flow's decorators: nobody can change them
    flags: tuple[tuple[str, ...], ...] = ()  # other options that it was given: `--with`, `retry`
    cloned_origin: Origin | None = None  # repository of `cloned_from`; None: not known
    hash_seed: str = ""  # PYTHONHASHSEED as it was in force: `random`, or a number
    # Folders of the tree that modules were imported from, in order, beside the script's own.
    module_path: tuple[str, ...] = ()
    trusted: bool = False  # tasks were taken over from `resumed_from` without a look at its code


class Split(msgspec.Struct, frozen=True, array_like=True):
    """One open foreach, or group of parallel tasks, on the way to a task; outermost first."""

    step: str  # the step that split
    variable: str
    index: int
    total: int
    value: str  # a short repr of the item


class Log(msgspec.Struct, frozen=True, omit_defaults=True):
    """One captured stream: lines of a 16-digit time in µs, a space, and the text.

    Small ones stand in place, others are a blob.
    """

    size: int = 0  # bytes
    lines: int = 0
    text: bytes | None = None
    blob: Hash | None = None


class Failure(msgspec.Struct, frozen=True):
    """Why a task failed."""

    type: str
    message: str
    traceback: str


class Read(msgspec.Struct, frozen=True, array_like=True):
    """An artifact of another run that a task loaded through the client."""

    origin: Origin  # of the run
    flow: str
    run: int
    step: str
    task: int
    name: str
    artifact: Hash  # its id, as it was read

    @property
    def pathspec(self) -> str:
        return f"{self.flow}/{self.run}/{self.step}/{self.task}/{self.name}"


class Task(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt of one task, finished."""

    flow: str
    run: int
    step: str
    id: int
    status: TaskStatus
    started: int
    ended: int
    attempt: int = 0
    pid: int = 0
    parents: tuple[int, ...] = ()
    splits: tuple[Split, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    inherited: tuple[str, ...] = ()  # names of artifacts passed on by id
    dropped: tuple[tuple[str, str], ...] = ()  # attributes that could not be stored, and why
    stdout: Log = Log()
    stderr: Log = Log()
    failure: Failure | None = None
    exit_code: int = 0
    signal: int = 0
    cpu: float = 0.0  # seconds, user and system
    peak_memory: int = 0  # bytes
    next: tuple[str, ...] = ()  # the steps that it led to; of a switch, the one that it chose
    items: int = 0  # how many tasks its foreach, or its num_parallel, led to
    origin: tuple[int, int] | None = None  # run and id of the task that this one is a clone of
    caught: Failure | None = None  # the exception of a step that went on all the same
    reads: tuple[Read, ...] = ()  # in the order in which they were first read
    more_reads: int = 0  # how many other artifacts it read beyond those that `reads` has room for

    @property
    def pathspec(self) -> str:
        return f"{self.flow}/{self.run}/{self.step}/{self.id}"


class TaskRef(msgspec.Struct, frozen=True, array_like=True):
    """A task in the list of its run: enough to list it without reading its record."""

    step: str
    id: int
    attempt: int
    status: TaskStatus
    started: int
    ended: int
    manifest: Hash
    pack: PackName  # where the record was written; advice, a repack may have moved it


class RunName(msgspec.Struct, frozen=True, array_like=True):
    """The full name of a run: it means the same in every repository."""

    origin: Origin
    flow: str
    number: int


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sealed run. Its id is the run's true name."""

    most_values: ClassVar[int] = MANY_VALUES
    flow: str
    number: int
    origin: Origin
    opening: Hash
    status: RunStatus
    started: int
    ended: int
    tasks: tuple[TaskRef, ...]
    # The scalars of the end task.
    results: Annotated[tuple[Artifact, ...], msgspec.Meta(max_length=100_000)]
    failure: Failure | None = None
    failed_step: str | None = None
    # The runs that its tasks read from, or are clones of; None: not noted, the tasks know.
    sources: tuple[RunName, ...] | None = None
