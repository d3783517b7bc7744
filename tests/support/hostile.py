"""A repository whose every name, text and path was chosen by somebody who means harm."""

from __future__ import annotations

from pathlib import Path

from mfv.ids import EnvironmentId, TreeId
from mfv.manifest.records import (
    Environment,
    Extension,
    Failure,
    Git,
    Gpu,
    GraphNode,
    LeftOut,
    Opening,
    Package,
    Source,
    Split,
    Task,
    Tree,
    TreeFile,
)
from mfv.odb.writer import Writer
from mfv.repo.artifacts import store, store_all
from mfv.repo.entries import TagRuns
from mfv.repo.publish import add_record
from mfv.repo.recorder import Finished, RunRecorder
from mfv.repo.repository import Repository

MOMENT = 1_700_000_000_000_000  # µs since 1970
RED = "\x1b[31mred"
TITLE = "\x1b]0;owned\x07"
CLEAR = "\x1b[2J\x9b2J"
LINK = "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\"
OVERWRITE = "failed\rok"
LINES = "one\ntwo\ro   TrainFlow/9  ok\x0b\x0c\x85\u2028\u2029"
TURNED = "\u202efdp.exe\u2066\u200f"
INVISIBLE = "a\u200bb\ufeffc\u00add"
EVERYTHING = RED + TITLE + CLEAR + LINK + OVERWRITE + LINES + TURNED + INVISIBLE
NAME = EVERYTHING.replace("/", "")  # can be typed as a part of RUN/step/task/artifact
FLOW = f"Evil{EVERYTHING}"
STEP = f"step{NAME}"
TAG = f"tag{NAME}"
ARTIFACT = f"artifact{NAME}"
PARAMETER = f"parameter{EVERYTHING}"


def hostile_repository(folder: Path) -> Repository:
    """A repository at `folder` with two runs of FLOW that differ in everything they can."""
    repo = Repository.create(folder, writer=f"ana{RED}@host")
    for number in (1, 2):
        _record(repo, number)
    both = tuple((FLOW, number, TAG) for number in (1, 2))
    repo.log.append(lambda _: TagRuns((), both))
    return repo


def _record(repo: Repository, number: int) -> None:
    mark = f"{number}{EVERYTHING}"

    def make(writer: Writer) -> Opening:
        code = f"print('{EVERYTHING}')\nvalue = {number}\n".encode()
        names = (b"flow.py", b"sub/" + RED.encode() + b"\n\xff.py", f"{TURNED}.py".encode())
        files = [
            TreeFile(name, 0o100644, bytes(writer.add_blob(code)), len(code))
            for name in sorted(names)
        ]
        tree, _ = add_record(writer, TreeId, Tree(tuple(files)))
        machine = Environment(
            python=mark,
            implementation=mark,
            system=mark,
            release=mark,
            machine=mark,
            libc=mark,
            cpu=mark,
            cpu_count=number,
            memory=1 << 33,
            gpus=(mark,),
            packages=(Package(f"package{EVERYTHING}", mark),),
            sources=(
                Source(
                    *(f"package{EVERYTHING}", "vcs", mark, mark),
                    url=mark,
                    hashes=(mark,),
                    vcs=mark,
                    commit=mark,
                    revision=mark,
                    subdirectory=mark,
                ),
            ),
            extensions=(Extension(mark, mark, mark),),
            python_build=mark,
            python_kind=mark,
            distribution=mark,
            cpu_features=(mark,),
            gpu_driver=mark,
            gpu_details=(Gpu(mark, number, mark),),
            cuda=mark,
            blas=mark,
            locale=mark,
            encoding=mark,
            timezone=mark,
        )
        environment, _ = add_record(writer, EnvironmentId, machine)
        return Opening(
            flow=FLOW,
            created=MOMENT,
            script="flow.py",
            parameters=(store(writer, PARAMETER, mark), store(writer, f"{PARAMETER}2", number)),
            constants=(store(writer, f"constant{EVERYTHING}", mark),),
            graph=(GraphNode(STEP, "start", (), False, 3, f"doc {EVERYTHING}"),),
            tree=bytes(tree),
            environment=bytes(environment),
            git=Git("0" * 39 + str(number), mark, mark, True, (mark,), mark),
            version=mark,
            left_out=(LeftOut(f"left{EVERYTHING}", f"because{EVERYTHING}", 7),),
            argv=("flow.py", "run", mark),
            cwd=mark,
            user=mark,
            host=mark,
            variables=((f"VARIABLE{EVERYTHING}", mark),),
            mfv=mark,
            options=((PARAMETER, mark),),
            secret=(f"secret{EVERYTHING}",),
            folder="",
            cloned_from=mark,
        )

    run = RunRecorder(repo, make)
    writer = Writer(repo.database)
    values = {ARTIFACT: mark, f"{ARTIFACT}2": {mark: [mark]}, f"number{EVERYTHING}": number}
    stored = store_all(writer, values)
    failure = Failure(f"Error{EVERYTHING}", mark, f"Traceback\n  {EVERYTHING}\n{mark}")
    task = Task(
        flow=FLOW,
        run=number,
        step=STEP,
        id=1,
        status="failed",
        started=MOMENT,
        ended=MOMENT + 5,
        artifacts=stored.artifacts,
        dropped=((f"dropped{EVERYTHING}", f"why{EVERYTHING}"),),
        splits=(Split(STEP, f"variable{EVERYTHING}", 0, 1, mark),),
        failure=failure,
    )
    handed = writer.parcel()
    assert handed is not None
    line = f"{MOMENT} {EVERYTHING}".replace("\n", " ").encode() + b"\n"
    run.commit([Finished(task, line, line, handed[0], (), frozenset(handed[1]))])
    number_of = store_all(Writer(repo.database), {f"metric{EVERYTHING}": number * 1.5})
    run.seal(
        "failed", ended=MOMENT + 9, results=number_of.artifacts, failure=failure, failed_step=STEP
    )
