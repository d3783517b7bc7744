"""The machine: processor, memory, graphics cards. Each question has an answer on every system."""

# `os` rather than pathlib, whose import costs more than all that is done here.
from __future__ import annotations

import os

_GPU_FOLDER = "/proc/driver/nvidia/gpus"
_CPU_FILE = "/proc/cpuinfo"
_CPU_FIELDS = ("model name", "Model", "cpu model", "Hardware", "cpu")


def cpu_model(path: str = _CPU_FILE) -> str:
    """The processor's name as its maker spells it; the architecture where it has none."""
    try:
        with open(path, "rb") as file:
            # The first processor is enough: with hundreds of them the whole file takes long.
            text = file.read(1 << 13).decode("utf-8", "replace")
    except OSError:
        text = ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    for name in _CPU_FIELDS:
        if fields.get(name):
            return fields[name]
    return _sysctl("machdep.cpu.brand_string") or os.uname().machine


def memory() -> int:
    """Bytes of main memory; 0 where the system does not say."""
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        size = 0
    if size > 0:
        return size
    told = _sysctl("hw.memsize")
    return int(told) if told.isdecimal() else 0


def gpus(folder: str = _GPU_FOLDER) -> tuple[str, ...]:
    """The models of the NVIDIA cards in the order of their bus addresses; () without any."""
    try:
        addresses = sorted(os.listdir(folder))
    except OSError:
        return _gpus_by_command()
    models = []
    for address in addresses:
        try:
            with open(
                f"{folder}/{address}/information", encoding="utf-8", errors="replace"
            ) as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        models += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return tuple(models)


def _gpus_by_command() -> tuple[str, ...]:
    listed = _output(("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"))
    return tuple(line.strip() for line in listed.splitlines() if line.strip())


def _sysctl(name: str) -> str:
    return _output(("sysctl", "-n", name)).strip() if os.uname().sysname == "Darwin" else ""


def _output(command: tuple[str, ...]) -> str:
    # Looked for first, since most machines have none and starting a process is what costs.
    if not any(os.access(f"{folder}/{command[0]}", os.X_OK) for folder in os.get_exec_path()):
        return ""
    import subprocess

    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")
