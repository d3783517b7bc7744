"""How far a run is: a few lines for the bottom of a terminal, and how they get there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mfv.render.text import columns, cut, escape, pad
from mfv.render.units import count, duration

_STEPS = 6  # lines of steps at most
_MARGIN = 3  # columns left free: a `^C` that the terminal echoes must not begin a new row
_BAR = 30  # columns at most
_BAR_FROM = 60  # columns of the terminal; narrower ones show the numbers alone

Paint = Callable[..., str]


class StepCounts(NamedTuple):
    """The tasks of one step."""

    name: str
    total: int  # as far as it is known
    done: int
    failed: int
    running: int

    @property
    def over(self) -> bool:
        return not self.running and self.done + self.failed >= self.total


def status(
    steps: Sequence[StepCounts],
    waiting: int,
    seconds: float,
    *,
    width: int,
    height: int,
    paint: Paint = lambda text, *styles: text,
) -> list[str]:
    """The lines: one for each step that is not over, then one for the run.

    None is wider than `width` less a margin; there are fewer than `height`. `waiting`: tasks that
    could start; `seconds`: since the run began.
    """
    room = max(1, width - _MARGIN)
    open_steps = [step for step in steps if not step.over]
    shown = open_steps[: max(0, min(_STEPS, height - 2))]
    names = min(max((columns(step.name) for step in shown), default=0), max(1, room // 3))
    lines = [_step(step, names, room, width, paint) for step in shown]
    hidden = len(open_steps) - len(shown)
    if hidden and height > 2:
        lines.append(paint(cut(f"and {count(hidden, 'step')} more", room), "dim"))
        if len(lines) > height - 2:
            del lines[0]
    return [*lines, _sum(steps, waiting, seconds, room, paint)]


def replace(drawn: Sequence[str], width: int, above: str, lines: Sequence[str]) -> str:
    """What to write so that `lines` stand at the bottom instead of those `drawn` before.

    The cursor is at the end of the last line drawn, and will be again. `above`: whole lines, each
    with its end, that scroll up; `width`: of the terminal now, which may have broken the lines
    drawn when it was wider.
    """
    rows = sum(max(1, -(-_visible(line) // max(1, width))) for line in drawn)
    up = f"\x1b[{rows - 1}A" if rows > 1 else ""
    erase = f"\r{up}\x1b[J" if drawn else ""
    return f"{erase}{above}{chr(10).join(lines)}"


def _step(step: StepCounts, names: int, room: int, width: int, paint: Paint) -> str:
    name = pad(cut(escape(step.name), names), names)
    ready = step.done + step.failed
    counts = f"{ready}/{step.total}"
    tail = f"{step.running} running" if step.running else ""
    if step.failed:
        tail = f"{tail}  {step.failed} failed".strip()
    bar = ""
    if width >= _BAR_FROM and step.total > 1:
        size = min(_BAR, room // 3)
        full = size * ready // max(1, step.total)
        bar = f"  [{'=' * full}{' ' * (size - full)}]"
    text = cut(f"{name}{bar}  {counts}  {tail}".rstrip(), room)
    return paint(text, "red") if step.failed else paint(text, "cyan")


def _sum(steps: Sequence[StepCounts], waiting: int, seconds: float, room: int, paint: Paint) -> str:
    sums = (
        (sum(step.failed for step in steps), "failed"),
        (sum(step.running for step in steps), "running"),
        (sum(step.done for step in steps), "done"),
        (waiting, "waiting"),
    )
    texts = [f"{number} {word}" for number, word in sums if number]
    # The clock first: it shows in the narrowest terminal that the run is alive.
    clock = f"{int(seconds)}s" if seconds < 60 else duration(seconds)
    return paint(cut("  ".join([clock, ", ".join(texts)]).rstrip(), room), "bold")


def _visible(line: str) -> int:
    """The columns that a line takes, without the codes of its colours."""
    if "\x1b" in line:
        line = "".join(part.partition("m")[2] for part in f"m{line}".split("\x1b["))
    return columns(line)
