"""Several processes over one storage, taking turns at every call in an order that a test chooses.

Each is a thread that stops before every call of its backend until it is its turn. One that is
killed makes no further call, as a process that dies.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from mfv.storage.base import Backend
from mfv.storage.wrappers import Wrapper

_PATIENCE = 60.0  # seconds; only a test that fails waits so long


class Killed(BaseException):
    """Ends a process that was killed."""


class Actor(Wrapper):
    """One process, and the backend that it sees."""

    def __init__(self, inner: Backend, name: str, act: Callable[[Backend], object]) -> None:
        super().__init__(inner)
        self.name, self._act = name, act
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.was_killed = False
        self.done = False
        self.calls = 0
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def stops(self, verb: str, key: str) -> bool:
        """Whether it waits for its turn before such a call; else it goes on with the one before."""
        return True

    def before(self, verb: str, key: str) -> None:
        if self.was_killed:
            raise Killed
        self.calls += 1
        if not self.stops(verb, key):
            return
        self._stopped.release()
        assert self._go.acquire(timeout=_PATIENCE)
        if self.was_killed:
            raise Killed

    def start(self) -> None:
        """Runs to its first call."""
        self._thread.start()
        assert self._stopped.acquire(timeout=_PATIENCE)

    def step(self) -> None:
        """Makes the call that it waits before, and runs to the next one or the end."""
        self._go.release()
        assert self._stopped.acquire(timeout=_PATIENCE)

    def kill(self) -> None:
        """It makes no call any more; returns when it is gone."""
        self.was_killed = True
        if not self.done:
            self._go.release()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            self._act(self)
        except Killed:
            pass
        except BaseException:
            self.trouble = traceback.format_exc()
        self.done = True
        self._stopped.release()


def play(actors: list[Actor], choose: Callable[[int], int], kill_at: int = -1) -> None:
    """Runs all to their ends; `choose(n)` says which of the `n` that are left is next.

    At step `kill_at` the one that is next is killed instead.
    """
    for actor in actors:
        actor.start()
    left, step = list(actors), 0
    while left:
        actor = left[choose(len(left))]
        if step == kill_at:
            actor.kill()
        else:
            actor.step()
        step += 1
        left = [actor for actor in left if not actor.done]
    assert not [actor.trouble for actor in actors if actor.trouble], "\n".join(
        actor.trouble for actor in actors
    )
