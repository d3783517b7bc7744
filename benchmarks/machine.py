"""On which machine the figures were taken."""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path


def machine_line() -> str:
    """The processor, cores, memory, system, Python, and the file system that runs write to."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"{_processor()}, {cores} cores, {memory / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"temporary files on {_file_system(Path(tempfile.gettempdir()).resolve())}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system under `folder`: on tmpfs a sync is free, on a disk it is not."""
    try:
        lines = Path("/proc/mounts").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return "an unknown file system"
    mounts = {Path(fields[1]): fields[2] for fields in map(str.split, lines)}
    return next(mounts[place] for place in [folder, *folder.parents] if place in mounts)
