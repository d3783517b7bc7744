"""The records of a run that a benchmark makes: what it holds beside its artifacts, and little."""

from __future__ import annotations

import time
from collections.abc import Callable

from mfv.ids import EnvironmentId, TreeId
from mfv.manifest.records import Environment, GraphNode, Opening, Package, Tree, TreeFile
from mfv.odb.writer import Writer
from mfv.repo.publish import add_record

FLOW, STEP = "BenchFlow", "start"
MOMENT = 1_700_000_000_000_000  # µs since 1970
_SCRIPT = b"print('a benchmark')\n"
_PACKAGES = tuple(Package(f"package-{n}", f"1.{n}.0") for n in range(80))


def opening(writer: Writer) -> Opening:
    """A run of a script of one line."""
    return opening_of(_one_file)(writer)


def opening_of(store: Callable[[Writer], TreeId]) -> Callable[[Writer], Opening]:
    """A run whose code is what `store` keeps; what `RunRecorder` is given."""

    def make(writer: Writer) -> Opening:
        tree = store(writer)
        environment, _ = add_record(writer, EnvironmentId, _environment())
        return Opening(
            flow=FLOW,
            created=time.time_ns() // 1000,  # so that no two runs open alike
            script="flow.py",
            parameters=(),
            constants=(),
            graph=(GraphNode(STEP, "start", ("end",), False, 3, ""),),
            tree=bytes(tree),
            environment=bytes(environment),
            git=None,
            version=None,
            left_out=(),
            argv=("flow.py", "run"),
            cwd="",
            user="bench",
            host="host",
            variables=(),
            mfv="benchmark",
        )

    return make


def _one_file(writer: Writer) -> TreeId:
    blob = writer.add_blob(_SCRIPT)
    file = TreeFile(b"flow.py", 0o100644, bytes(blob), len(_SCRIPT))
    return TreeId(add_record(writer, TreeId, Tree((file,)))[0])


def _environment() -> Environment:
    return Environment(
        python="3.11.9",
        implementation="CPython",
        system="Linux",
        release="6.1",
        machine="x86_64",
        libc="glibc 2.36",
        cpu="a processor",
        cpu_count=2,
        memory=1 << 33,
        gpus=(),
        packages=_PACKAGES,
    )
