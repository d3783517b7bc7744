"""What INFO tells of a run."""

from __future__ import annotations

import json

import msgspec
import pytest
from making import FLOW, memory_repository, opening_of

from mfv.ids import EnvironmentId
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Environment, Extension, Gpu, Opening, Package, Source
from mfv.odb.writer import Writer
from mfv.repo.info import environment_json, info_of
from mfv.repo.publish import add_record
from mfv.repo.recorder import RunRecorder
from mfv.repo.view import RunView

# Metaflow's, but for the version, which is that of mfv here.
METAFLOW_KEYS = {
    *("platform", "username", "runtime", "environment_type", "python_version"),
    *("python_version_code", "mfv_version", "script", "repo_url", "branch_name", "commit_sha"),
    *("has_uncommitted_changes", "ext_info"),
}

MACHINE = Environment(
    python="3.11.9",
    implementation="cpython",
    system="Linux",
    release="6.1",
    machine="x86_64",
    libc="glibc 2.36",
    cpu="a cpu",
    cpu_count=2,
    memory=1 << 33,
    gpus=("H100",),
    packages=(Package("box", "1.0"), Package("numpy", "2.0.0")),
    sources=(
        Source("box", "vcs", url="https://host/box", vcs="git", commit="ab" * 20),
        Source("numpy", installer="pip", content=b"\xab" * 32),
    ),
    extensions=(Extension("cloud", "box", "1.0"),),
    gpu_details=(Gpu("H100", 80 << 30, "9.0"),),
    blas="scipy-openblas 0.3.27",
    timezone="Europe/Berlin",
)


def run_with(**changes: object) -> RunView:
    """An open run whose opening has these fields, on MACHINE."""
    repository = memory_repository()

    def make(writer: Writer) -> Opening:
        machine, _ = add_record(writer, EnvironmentId, MACHINE)
        opening = opening_of()(writer)
        return msgspec.structs.replace(opening, environment=bytes(machine), **changes)

    recorder = RunRecorder(repository, make)
    state = repository.log.state.find(FLOW, recorder.number)
    assert state is not None
    return RunView(repository, state)


def test_it_has_what_metaflow_s_has_and_is_json() -> None:
    info = info_of(run_with())
    assert set(info) >= METAFLOW_KEYS
    assert json.loads(json.dumps(info)) == info


def test_packages_machine_and_extensions_are_told() -> None:
    info = info_of(run_with())
    assert info["packages"] == {"box": "1.0", "numpy": "2.0.0"}
    assert info["sources"] == {
        "box": {"kind": "vcs", "url": "https://host/box", "vcs": "git", "commit": "ab" * 20},
        "numpy": {"kind": "index", "installer": "pip", "content": "ab" * 32},
    }
    assert info["ext_info"] == {"cloud": {"package": "box", "version": "1.0"}}
    assert info["system"]["gpu_details"] == [{"name": "H100", "memory": 80 << 30, "compute": "9.0"}]
    assert (info["system"]["blas"], info["system"]["cpu"]) == ("scipy-openblas 0.3.27", "a cpu")


def test_every_fact_of_the_record_is_there_as_json_also_those_at_their_default() -> None:
    found = environment_json(MACHINE)
    assert list(found) and set(found) == set(Environment.__struct_fields__)
    assert json.loads(json.dumps(found))["packages"] == [["box", "1.0"], ["numpy", "2.0.0"]]


@pytest.mark.parametrize(
    ("name", "is_seed"),
    [
        *((name, True) for name in ("seed", "random_state", "numpySeed", "seed2", "SEED", "seeds")),
        *((name, False) for name in ("seedling", "state", "random", "proceed")),
    ],
)
def test_seeds_are_the_inputs_that_are_called_so(name: str, is_seed: bool) -> None:
    run = run_with(parameters=(Artifact(name, "int", value=7),), hash_seed="random")
    expected = {"PYTHONHASHSEED": "random"} | ({name: 7} if is_seed else {})
    assert info_of(run)["seeds"] == expected


def test_a_seed_of_hashes_that_was_not_recorded_is_not_known() -> None:
    assert info_of(run_with())["seeds"] == {"PYTHONHASHSEED": None}
