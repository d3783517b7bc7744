"""The machine: processor, memory, graphics cards. Each question has an answer on every system."""

# `os` rather than pathlib, whose import costs more than all that is done here.
from __future__ import annotations

import os
import re

import msgspec

from mfv.capture.notes import read_notes, write_notes

_GPU_FOLDER = "/proc/driver/nvidia/gpus"
_CPU_FILE = "/proc/cpuinfo"
_CPU_FIELDS = ("model name", "Model", "cpu model", "Hardware", "cpu")
# What numeric libraries look at before they choose how to add up numbers.
_CPU_FEATURES = re.compile(r"sse4_[12]|avx\w*|fma|f16c|amx_\w+|asimd\w*|sve\w*|bf16|i8mm")
_DRIVER_FILE = "/proc/driver/nvidia/version"
_ASK_CARDS = "nvidia-smi"
_BOOT_FILE = "/proc/sys/kernel/random/boot_id"


class Gpu(msgspec.Struct, frozen=True):
    """One graphics card."""

    name: str
    memory: int = 0  # bytes; 0 where unknown
    compute: str = ""  # compute capability, "9.0"


class _Cards(msgspec.Struct, frozen=True):
    """What was asked of the driver, and under which start of which machine."""

    boot: str
    models: tuple[str, ...]
    driver: str
    cards: tuple[Gpu, ...]


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


def cpu_features(path: str = _CPU_FILE) -> tuple[str, ...]:
    """The vector units and the like that the first processor has, sorted; () where unknown."""
    try:
        with open(path, "rb") as file:
            text = file.read(1 << 13).decode("utf-8", "replace")
    except OSError:
        return ()
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.M)
    words = found[1].split() if found is not None else []
    return tuple(sorted({word for word in words if _CPU_FEATURES.fullmatch(word)}))


def usable_processors() -> int:
    """On how many processors this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


def gpus(folder: str = _GPU_FOLDER, cache: str | None = None) -> tuple[str, ...]:
    """The models of the NVIDIA cards in the order of their bus addresses; () without any.

    Where only a command knows (as in WSL), what it said is noted in `cache` like `cards`.
    """
    try:
        addresses = sorted(os.listdir(folder))
    except OSError:
        return _gpus_by_command(cache)
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


def cards(
    models: tuple[str, ...], cache: str | None = None, file: str = _DRIVER_FILE
) -> tuple[str, tuple[Gpu, ...]]:
    """The version of the driver, and the cards that `gpus` named with what is known of them.

    The command that knows takes a second where no program holds the driver open, so what it said
    is noted in `cache` until the machine starts anew.
    """
    if not models:
        return "", ()
    boot = _first_line(_BOOT_FILE)
    noted = read_notes(cache, "gpus", _Cards)
    if noted is None or not boot or (noted.boot, noted.models) != (boot, models):
        noted = _ask_for_cards(boot, models, file)
        if boot:
            write_notes(cache, "gpus", noted)
    return noted.driver, noted.cards


def _ask_for_cards(boot: str, models: tuple[str, ...], file: str) -> _Cards:
    query = "--query-gpu=name,memory.total,compute_cap,driver_version"
    listed = _output((_ASK_CARDS, query, "--format=csv,noheader,nounits"))
    rows = [[field.strip() for field in line.split(",")] for line in listed.splitlines()]
    rows = [row for row in rows if len(row) == 4]
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", _first_line(file))
    driver = found[1] if found is not None else (rows[0][3] if rows else "")
    # In the order of `models`, since programs number the cards by bus address.
    left, details = list(rows), []
    for model in models:
        row = next((row for row in left if row[0] == model), None)
        if row is None:
            details.append(Gpu(model))
            continue
        left.remove(row)
        size = int(row[1]) << 20 if row[1].isdecimal() else 0
        details.append(Gpu(model, size, row[2] if re.fullmatch(r"\d+\.\d+", row[2]) else ""))
    return _Cards(boot, models, driver, tuple(details))


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""


def _gpus_by_command(cache: str | None) -> tuple[str, ...]:
    boot = _first_line(_BOOT_FILE)
    noted = read_notes(cache, "gpus", _Cards)
    if noted is not None and boot and noted.boot == boot and _is_command(_ASK_CARDS):
        return noted.models
    listed = _output((_ASK_CARDS, "--query-gpu=name", "--format=csv,noheader"))
    return tuple(line.strip() for line in listed.splitlines() if line.strip())


def _sysctl(name: str) -> str:
    return _output(("sysctl", "-n", name)).strip() if os.uname().sysname == "Darwin" else ""


def _is_command(name: str) -> bool:
    return any(os.access(f"{folder}/{name}", os.X_OK) for folder in os.get_exec_path())


def _output(command: tuple[str, ...]) -> str:
    # Looked for first, since most machines have none and starting a process is what costs.
    if not _is_command(command[0]):
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
