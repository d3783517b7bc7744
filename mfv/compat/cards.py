"""Cards, as far as a flow that makes them must go on: everything is taken, nothing is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class MetaflowCardComponent:
    """A part of a card. It takes what Metaflow's takes, and has no picture."""

    def __init__(self, *args: object, **options: object) -> None:
        self.component_id: str | None = None

    def update(self, *args: object, **options: object) -> None:
        """Takes the new content."""

    def render(self) -> str:
        """Nothing to see."""
        return ""


class UserComponent(MetaflowCardComponent):
    """A component that a step adds."""


class MetaflowCard:
    """The base of a user's own card; it is never rendered."""

    ALLOW_USER_COMPONENTS = False
    RUNTIME_UPDATABLE = False
    type: str | None = None
    scope = "task"

    def __init__(self, *args: object, **options: object) -> None:
        pass

    def render(self, task: object) -> str:
        """Nothing to see."""
        return ""


class Artifact(UserComponent):
    """A value of a task."""


class Table(UserComponent):
    """Rows under headers."""

    @classmethod
    def from_dataframe(cls, *args: object, **options: object) -> Table:
        """A table of a pandas data frame, which is not looked at."""
        return cls()


class Image(UserComponent):
    """A picture."""

    @classmethod
    def from_pil_image(cls, *args: object, **options: object) -> Image:
        """A picture of PIL's, which is not looked at."""
        return cls()

    @classmethod
    def from_matplotlib(cls, *args: object, **options: object) -> Image:
        """A figure of matplotlib's, which is not drawn."""
        return cls()


class Error(UserComponent):
    """An exception."""


class Markdown(UserComponent):
    """Text."""


class ProgressBar(UserComponent):
    """How far a task is."""


class ValueBox(UserComponent):
    """A number with a title."""


class PythonCode(UserComponent):
    """Code."""


class EventsTimeline(UserComponent):
    """Events in their order."""

    def get_stats(self) -> dict[str, object]:
        """Nothing was counted."""
        return {}


class JSONViewer(UserComponent):
    """A value as JSON."""


class YAMLViewer(UserComponent):
    """A value as YAML."""


class VegaChart(UserComponent):
    """A chart by its Vega specification."""

    @classmethod
    def from_altair_chart(cls, *args: object, **options: object) -> VegaChart:
        """A chart of Altair's, which is not looked at."""
        return cls()


class PageComponent(MetaflowCardComponent):
    """A page of components."""


class DefaultCard(MetaflowCard):
    """The card of every task."""

    type = "default"


class BlankCard(MetaflowCard):
    """An empty card."""

    type = "blank"


class ErrorCard(MetaflowCard):
    """The card that stands for one that broke."""

    type = "error"


def with_default_component_id(function: F) -> F:
    """Leaves a card's `render` as it is: nobody asks for ids here."""
    return function


def get_cards(*args: object, **options: object) -> list[object]:
    """The cards of a task: none, as none are made."""
    return []
