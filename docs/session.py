"""Runs the README's terminal session for real and writes what it printed into the README.

python docs/session.py            print it
python docs/session.py --write    put it into README.md, between its two marks
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- session -->", "<!-- end of session -->"

SESSION = [
    "python flow.py run",
    "sed -i 's/^TREES = 200 .*/TREES = 300/' flow.py",
    "python flow.py run --strength 0.5 | tail -4",
    "mfv log",
    "mfv diff",
    "mfv tag production 1",
    "mfv show production",
    "mfv clone production again",
    "cd again && python flow.py run --seed 7 --test_fraction 0.25 --strength 1.0 | tail -1",
    "mfv diff production @",
    "mfv verify production",
    "mfv cat production/figure > confusion.png",
]


def play(commands: list[str]) -> str:
    """The transcript of `commands`, typed one after another in a fresh git checkout."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "digits")
        work.mkdir()
        shutil.copy(ROOT / "examples" / "digits" / "flow.py", work)
        binaries = Path(sys.executable).parent
        environment = {
            "PATH": f"{binaries}:/usr/local/bin:/usr/bin:/bin",
            "HOME": folder,
            "USER": "ana",
            "COLUMNS": "80",
            "LANG": "C.UTF-8",
            "PWD": str(work),
        }
        git = ["git", "-c", "user.name=ana", "-c", "user.email=ana@example.com"]
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "digits"]):
            subprocess.run([*git, *words], cwd=work, env=environment, check=True)
        pieces = []
        place = work
        for command in commands:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=place,
                env={**environment, "PWD": str(place)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=True,
            )
            if command.startswith("cd "):
                place = place / command.split()[1]
            text = done.stdout.replace(f"{binaries}{os.sep}", "").replace(folder, "~")
            pieces.append(f"$ {command}\n{text}".rstrip())
        return "\n\n".join(pieces)


def main() -> None:
    transcript = "\n".join(f"    {line}".rstrip() for line in play(SESSION).splitlines())
    if sys.argv[1:] != ["--write"]:
        print(transcript)
        return
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n\n{transcript}\n\n{END}{after}")


if __name__ == "__main__":
    main()
