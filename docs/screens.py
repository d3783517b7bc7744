"""Makes the screens of docs/screens from real runs of the digits example, as text and as pictures.

python docs/screens.py

Each command is run in a terminal of 80 and of 160 columns.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "docs" / "screens"
WIDTHS = (80, 160)

RUNS = [
    ["--strength", "1.0"],
    ["--strength", "0.5"],
    ["--strength", "0.1", "--seed", "7"],
    ["--strength", "2.0", "--test_fraction", "0.3"],
]
SCREENS = {
    "log": "mfv log",
    "log-stat": "mfv log -n 2 --stat",
    "log-where": 'mfv log --where "strength >= 0.5" --sort -accuracy '
    "--columns name,strength,seed,accuracy,duration,tag",
    "show": "mfv show best",
    "diff": "mfv diff 1 2",
    "diff-many": "mfv diff 1 2 3 4",
}


def main() -> None:
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = prepare(Path(name))
        for screen, command in SCREENS.items():
            for width in WIDTHS:
                shown = play(command, work, Path(name), width)
                write(f"{screen}-{width}", command, shown, width)


def prepare(folder: Path) -> Path:
    """A project with some runs, the last one's code changed, and a tag."""
    work = folder / "digits"
    work.mkdir()
    flow = work / "flow.py"
    shutil.copy(ROOT / "examples" / "digits" / "flow.py", flow)
    for place, options in enumerate(RUNS):
        if place == len(RUNS) - 1:
            flow.write_text(flow.read_text().replace("TREES = 200", "TREES = 300"))
        subprocess.run(
            [sys.executable, "flow.py", "run", *options],
            cwd=work,
            env=environment(folder, 80),
            stdout=subprocess.DEVNULL,
            check=True,
        )
    play("mfv tag best 1", work, folder, 80)
    return work


def play(command: str, work: Path, folder: Path, width: int) -> str:
    """What a terminal shows, colours as escape codes."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=work,
        env={**environment(folder, width), "FORCE_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    binaries = f"{Path(sys.executable).parent}{os.sep}"
    return done.stdout.replace(binaries, "").replace(str(folder), "~")


def environment(folder: Path, width: int) -> dict[str, str]:
    binaries = Path(sys.executable).parent
    return {
        "PATH": f"{binaries}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "USER": "ana",
        "COLUMNS": str(width),
        "LANG": "C.UTF-8",
        "GIT_CEILING_DIRECTORIES": str(folder),
    }


def write(name: str, command: str, shown: str, width: int) -> None:
    """One screen as `NAME.txt` and `NAME.svg`."""
    text = Text.from_ansi(shown.rstrip("\n"))
    plain = "\n".join(line.rstrip() for line in text.plain.split("\n"))
    (PLACE / f"{name}.txt").write_text(f"$ {command}\n{plain}\n", "utf-8")
    console = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    console.print(Text(f"$ {command}"), text, sep="\n", soft_wrap=True)
    picture = console.export_svg(title="mfv", unique_id=name)
    # No font from the network: a fixed-width one of the reader's does.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    (PLACE / f"{name}.svg").write_text(picture, "utf-8")


if __name__ == "__main__":
    main()
