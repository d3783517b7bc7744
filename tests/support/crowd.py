"""Many real processes that do the same things over and over, killed, stopped and begun again.

Each is forked, so that a new one costs milliseconds, and has a clock and a machine of its own.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

TROUBLE = "trouble"


class Clock(NamedTuple):
    """How a machine tells the time."""

    ahead: float = 0.0  # seconds
    jumps: float = 0.0  # seconds, forth or back, at every look

    def set(self, seed: int) -> None:
        """Has this process see it so from now on."""
        true, chance = time.time_ns, random.Random(seed)

        def time_ns() -> int:
            seconds = self.ahead + chance.uniform(-self.jumps, self.jumps)
            return true() + int(seconds * 1e9)

        time.time_ns = time_ns  # type: ignore[assignment]
        time.time = lambda: time_ns() / 1e9  # type: ignore[assignment]


class Machine(NamedTuple):
    """Where a process runs."""

    name: str
    clock: Clock = Clock()

    def become(self, seed: int) -> None:
        """Has this process run there from now on."""
        self.clock.set(seed)
        real = os.uname()
        there = os.uname_result((real.sysname, self.name, real.release, real.version, real.machine))
        os.uname = lambda: there  # type: ignore[assignment]


class Member:
    """One of the crowd, as it sees itself."""

    def __init__(self, folder: Path, output: int, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self._output = output

    def report(self, *words: object) -> None:
        """Says something that counts from now on, whatever becomes of it."""
        os.write(self._output, (" ".join(map(str, words)) + "\n").encode())


Role = Callable[[Member], object]


class Place:
    """Where one member stands: whoever is killed there is followed by another."""

    def __init__(self, name: str, role: Role, machine: Machine, folder: Path, out: Path) -> None:
        self.name, self.role, self.machine = name, role, machine
        self._folder, self.output = folder, out / name
        self.pid = 0
        self.stopped_until = 0.0
        self._begun = 0

    def begin(self, seed: int) -> None:
        """Does the role over and over, in a new process, until it is killed."""
        self._begun += 1
        self.pid = os.fork()
        if self.pid:
            return
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            member = Member(self._folder, os.open(self.output, flags, 0o600), seed)
            self.machine.become(seed)
            try:
                while os.getppid() != 1:
                    self.role(member)
            except BaseException:
                member.report(TROUBLE, repr(traceback.format_exc()))
        finally:
            os._exit(0)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def stop(self, seconds: float) -> None:
        """As a lid that is shut."""
        os.kill(self.pid, signal.SIGSTOP)
        self.stopped_until = time.monotonic() + seconds

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        self.stopped_until = 0.0

    def reports(self) -> list[list[str]]:
        """What all that stood here said; a last line that was cut short is left out."""
        with contextlib.suppress(FileNotFoundError):
            return [line.split(" ") for line in self.output.read_text().split("\n")[:-1]]
        return []


class Disturbed(NamedTuple):
    """What happened to a crowd."""

    kills: int
    stops: int


class Crowd:
    """All places, and what befalls those who stand there."""

    def __init__(self, folder: Path, out: Path, seed: int) -> None:
        self._folder, self._out, self._random = folder, out, random.Random(seed)
        self.places: list[Place] = []
        out.mkdir()

    def add(self, name: str, role: Role, machine: Machine) -> None:
        self.places.append(Place(name, role, machine, self._folder, self._out))

    def run(
        self, seconds: float, *, kill_every: float, longest_stop: float, kinds: Sequence[str] = ()
    ) -> Disturbed:
        """Lets them work for so long, and kills and stops some of them.

        Where one of `kinds` was killed each time before it had anything to say, they work up to a
        minute longer, and are disturbed ever more rarely.
        """
        kills = stops = 0
        for place in self.places:
            place.begin(self._random.randrange(1 << 30))
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0 or (left > -60 and self._waits_for(kinds)):
                kill_every *= 1 if left > 0 else 1.2
                time.sleep(self._random.uniform(0, 2 * kill_every))
                chosen = self._random.choice(self.places)
                if chosen.stopped_until == 0.0 and self._random.random() < 0.3:
                    chosen.stop(self._random.uniform(0.2, 1) * longest_stop)
                    stops += 1
                elif chosen.stopped_until == 0.0:
                    chosen.kill()
                    chosen.begin(self._random.randrange(1 << 30))
                    kills += 1
                for place in self.places:
                    if 0 < place.stopped_until < time.monotonic():
                        place.go_on()
        finally:
            for place in self.places:
                place.kill()
        return Disturbed(kills, stops)

    def _waits_for(self, kinds: Sequence[str]) -> bool:
        return not all(any(self.reports(kind)) for kind in kinds)

    def reports(self, kind: str) -> Iterator[list[str]]:
        """What was said by all places whose names begin so."""
        for place in self.places:
            if place.name.startswith(kind):
                yield from place.reports()
