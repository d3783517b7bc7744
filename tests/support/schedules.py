"""Orders in which processes take turns: all of them with few preemptions, without repeating one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from interleave import Actor


class Turn(NamedTuple):
    """Who was chosen at one step, by number."""

    chosen: int
    left: tuple[int, ...]  # those who had not ended
    running: int  # who had the turn before


class Schedule:
    """Follows `prefix`; behind it nobody loses the turn before the end. Notes every turn."""

    def __init__(self, prefix: tuple[int, ...] = ()) -> None:
        self.prefix = prefix
        self.turns: list[Turn] = []

    def choose(self, left: Sequence[int]) -> int:
        """Which of those that are left is next."""
        place = len(self.turns)
        running = self.turns[-1].chosen if self.turns else -1
        chosen = running if running in left else left[0]
        if place < len(self.prefix) and self.prefix[place] in left:
            chosen = self.prefix[place]
        self.turns.append(Turn(chosen, tuple(left), running))
        return chosen

    def play(self, actors: Sequence[Actor], kill_at: int = -1) -> None:
        """Runs all to their ends; at step `kill_at` the one that is next is killed instead."""
        for actor in actors:
            actor.start()
        while left := [number for number, actor in enumerate(actors) if not actor.done]:
            actor = actors[self.choose(left)]
            if len(self.turns) - 1 == kill_at:
                actor.kill()
            else:
                actor.step()
        troubles = [actor.trouble for actor in actors if actor.trouble]
        assert not troubles, f"{self.story()}\n" + "\n".join(troubles)

    def story(self) -> str:
        return "turns: " + " ".join(str(turn.chosen) for turn in self.turns)


def all_schedules(run: Callable[[Schedule], object], preemptions: int) -> Iterator[Schedule]:
    """Runs every schedule in which the turn is taken from somebody at most so many times.

    `run` plays one from the start, and always alike. Yields each when it was played.
    """
    waiting: list[tuple[int, ...]] = [()]
    while waiting:
        schedule = Schedule(waiting.pop())
        run(schedule)
        yield schedule
        spent = 0
        chosen = [turn.chosen for turn in schedule.turns]
        for place, turn in enumerate(schedule.turns):
            if place >= len(schedule.prefix):
                for other in turn.left:
                    costs = turn.running in turn.left and other != turn.running
                    if other != turn.chosen and spent + costs <= preemptions:
                        waiting.append((*chosen[:place], other))
            spent += turn.running in turn.left and turn.chosen != turn.running
