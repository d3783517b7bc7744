from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest

from mfv.capture import hardware
from mfv.capture.environment import (
    Package,
    find_packages,
    read_environment,
)


def install(folder: Path, name: str, version: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")


def test_the_environment_is_what_python_says_of_itself() -> None:
    environment = read_environment()
    assert environment.python == platform.python_version().rstrip("+")
    assert environment.implementation == platform.python_implementation().lower()
    assert environment.system == platform.system()
    assert environment.release == platform.release()
    assert environment.machine == platform.machine()
    assert environment.cpu_count == os.cpu_count()
    assert environment.cpu
    assert environment.memory > 1 << 26


def test_the_packages_are_those_that_importlib_finds() -> None:
    known: dict[str, str] = {}
    for distribution in metadata.distributions():
        if distribution.metadata is not None and distribution.name:
            name = re.sub(r"[-_.]+", "-", distribution.name).lower()
            known.setdefault(name, distribution.version)
    packages = read_environment().packages
    assert {package.name: package.version for package in packages} == known
    assert list(packages) == sorted(packages)


def test_names_are_normalised(tmp_path: Path) -> None:
    install(tmp_path, "Foo__Bar.baz", "1.0+cu118")
    assert find_packages([str(tmp_path)]) == (Package("foo-bar-baz", "1.0+cu118"),)


def test_the_first_on_the_path_wins(tmp_path: Path) -> None:
    install(tmp_path / "a", "foo", "2.0")
    install(tmp_path / "b", "foo", "1.0")
    install(tmp_path / "b", "bar", "3.0")
    path = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert find_packages(path) == (Package("bar", "3.0"), Package("foo", "2.0"))


def test_an_empty_part_of_the_path_is_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "foo", "1.0")
    monkeypatch.chdir(tmp_path)
    assert find_packages([""]) == (Package("foo", "1.0"),)


def test_remains_of_an_uninstall_are_no_package(tmp_path: Path) -> None:
    (tmp_path / "foo-1.0.dist-info").mkdir()
    install(tmp_path, "~oo", "1.0")
    assert find_packages([str(tmp_path)]) == ()


def test_egg_info_of_older_tools_counts(tmp_path: Path) -> None:
    (tmp_path / "Old_One-1.2-py3.11.egg-info").write_text("Metadata-Version: 1.0\n")
    development = tmp_path / "dev.egg-info"
    development.mkdir()
    (development / "PKG-INFO").write_text("Name: dev\nVersion: 0.3\n\nVersion: no\n")
    late = tmp_path / "late.egg-info"
    late.mkdir()
    (late / "PKG-INFO").write_text("Name: late\n\nVersion: 1.0 is only text here\n")
    (tmp_path / "nameless.egg-info").mkdir()
    assert find_packages([str(tmp_path)]) == (Package("dev", "0.3"), Package("old-one", "1.2"))


def test_a_path_that_is_no_folder_has_no_packages(tmp_path: Path) -> None:
    archive = tmp_path / "python.zip"
    archive.write_text("")
    assert find_packages([str(archive), str(tmp_path / "missing")]) == ()


def test_the_packages_of_another_environment_are_not_ours(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    root = Path(__file__).parents[3]
    import_ours = "import sys; p = sys.path[:]; sys.path += sys.argv[1:]"
    code = (
        f"{import_ours}; from mfv.capture.environment import find_packages; print(find_packages(p))"
    )
    done = subprocess.run(
        [tmp_path / "venv" / "bin" / "python", "-I", "-c", code, root, *sys.path],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "()\n"


def test_the_processor_has_a_name_on_every_architecture(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel\t\t: 85\nmodel name\t: Fast CPU @ 2GHz\n")
    assert hardware.cpu_model(str(file)) == "Fast CPU @ 2GHz"
    file.write_text("processor\t: 0\nBogoMIPS\t: 1\n\nModel\t\t: Small Board 4\n")
    assert hardware.cpu_model(str(file)) == "Small Board 4"
    file.write_text("processor\t: 0\n")
    assert hardware.cpu_model(str(file))
    assert hardware.cpu_model(str(tmp_path / "missing"))


def test_graphics_cards_are_read_from_the_driver(tmp_path: Path) -> None:
    for address, model in (("0000:3b:00.0", "NVIDIA A100"), ("0000:1a:00.0", "NVIDIA H100")):
        (tmp_path / address).mkdir()
        (tmp_path / address / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 1\n")
    (tmp_path / "0000:ff:00.0").mkdir()
    assert hardware.gpus(str(tmp_path)) == ("NVIDIA H100", "NVIDIA A100")


def test_graphics_cards_are_asked_of_the_command_where_there_is_no_driver_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 'NVIDIA T4'\necho 'NVIDIA T4'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = str(tmp_path / "missing")
    assert hardware.gpus(missing) == ("NVIDIA T4", "NVIDIA T4")
    command.write_text("#!/bin/sh\necho 'no devices were found'\nexit 6\n")
    assert hardware.gpus(missing) == ()
    command.unlink()
    assert hardware.gpus(missing) == ()


def test_reading_the_environment_parses_no_metadata() -> None:
    code = (
        "import sys; from mfv.capture.environment import read_environment; read_environment();"
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == "False\n"
