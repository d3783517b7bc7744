"""The terminal: its width, its colours, its pager."""

from __future__ import annotations

import os
import sys

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}


def width() -> int:
    """Columns to print in: those of the terminal, 80 to a pipe unless COLUMNS says otherwise."""
    return max(40, _size()[0])


def coloured(stream: object) -> bool:
    """Whether colours are wanted on `stream`: a terminal, and NO_COLOR is not set."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return bool(getattr(stream, "isatty", lambda: False)()) and os.environ.get("TERM") != "dumb"


class Paint:
    """Colours, or none."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __call__(self, text: str, *styles: str) -> str:
        if not self._on or not text:
            return text
        codes = ";".join(_CODES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"


def page(text: str, *, pager: bool = True) -> None:
    """Prints `text` and a line end; through a pager on a terminal, if it is longer than that."""
    lines = text.count("\n") + 2
    on_terminal = sys.stdout.isatty() and sys.stdin.isatty()
    command = os.environ.get("MFV_PAGER") or os.environ.get("PAGER") or "less"
    tall = lines > _size()[1]
    if not (pager and on_terminal and tall and command != "cat" and _is_there(command)):
        print(text)
        return
    import subprocess

    environment = {"LESS": "FRX", "LV": "-c", **os.environ}
    process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=environment)
    assert process.stdin is not None
    try:
        process.stdin.write(text.encode("utf-8", "backslashreplace") + b"\n")
        process.stdin.close()
    except BrokenPipeError:
        pass  # the reader quit: that is how pagers are left
    while True:
        try:
            process.wait()
            return
        except KeyboardInterrupt:
            continue  # Ctrl-C is the pager's to answer


def _size() -> tuple[int, int]:
    """Columns and lines: of COLUMNS and LINES where set, else of the terminal, else 80 by 24."""
    try:
        found: tuple[int, int] = os.get_terminal_size(sys.__stdout__.fileno())  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        found = (80, 24)
    names = ("COLUMNS", "LINES")
    asked = (os.environ.get(name, "") for name in names)
    columns, lines = (
        int(text) if text.isdecimal() and int(text) else one or default
        for text, one, default in zip(asked, found, (80, 24), strict=True)
    )
    return columns, lines


def _is_there(command: str) -> bool:
    import shutil  # not at the top: it takes longer than all the rest of a listing's output

    return shutil.which(command.split()[0]) is not None
