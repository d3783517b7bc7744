"""`@card`: taken as it is. What a step adds to a card goes nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mfv.flow.current import current
from mfv.flow.decorators.base import RunningTask, StepMark
from mfv.flow.decorators.ignored import IgnoredStepDecorator


class NoCard:
    """`current.card`, and every card in it: takes components and keeps none."""

    components: tuple[Any, ...] = ()

    def append(self, component: Any, id: str | None = None) -> None: ...

    def extend(self, components: Iterable[Any]) -> None: ...

    def clear(self) -> None: ...

    def refresh(self, *args: Any, **kwargs: Any) -> None: ...

    def get(self, type: str | None = None) -> list[NoCard]:
        return [self]

    def __getitem__(self, id: Any) -> NoCard:
        return self

    def __setitem__(self, id: Any, components: Any) -> None: ...

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


class CardDecorator(IgnoredStepDecorator):
    """@card has no effect here: no cards are made. `current.card` takes what it is given."""

    name = "card"
    instead = "no cards are made"
    many = True

    def enter(self, task: RunningTask) -> None:
        current._update({"card": NoCard()})


card = StepMark(CardDecorator)
