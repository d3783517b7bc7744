"""The bases of decorators that users write for steps, and how they are put on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mfv.errors import FlowError
from mfv.flow.decorators.base import Decoration, place_outside
from mfv.flow.decorators.user.names import register_step, short_name
from mfv.flow.delayed import resolve_delayed
from mfv.flow.spec import FlowSpec

if TYPE_CHECKING:
    from mfv.flow.decorators.user.mutablestep import MutableStep

USER_SKIP_STEP: dict[str, Any] = {}  # what a decorator gives to skip the step and go on


class _Kind(type):
    """Their class: calling one with a step puts it on, so that no brackets are needed."""

    decorator_name: str

    def __init__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> None:
        super().__init__(name, bases, space)
        cls.decorator_name = space.get("_decorator_name", f"{cls.__module__}.{cls.__name__}")
        if not cls.__module__.startswith("mfv.") or "_decorator_name" in space:
            register_step(cls)  # type: ignore[arg-type]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if args and getattr(args[0], "is_step", None) is True:
            return super().__call__(*args[1:], **kwargs)(args[0])
        return super().__call__(*args, **kwargs)

    def __str__(cls) -> str:
        return f"{cls.__name__}({cls.decorator_name})"


class UserStepDecoratorBase(metaclass=_Kind):
    """What UserStepDecorator and StepMutator have in common. Arguments arrive in `init`."""

    _fields: ClassVar[tuple[str, ...]] = ()  # of a step's function, where it is kept
    _allows_positional: ClassVar[bool] = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.file, self.line = place_outside()
        self.statically_defined = True
        self._args, self._kwargs = list(args), kwargs
        self._is_settled = False
        if args and not self._allows_positional:
            if callable(args[0]):
                raise self._no_step(args[0])
            raise self.wrong(
                f"@{self.shown} takes its attributes by name",
                hint=f"write @{self.shown}(name=value) above a @step",
            )

    def __call__(self, step: Any) -> Any:
        """Puts it on a step, and returns that step."""
        if getattr(step, "is_step", None) is not True:
            raise self._no_step(step)
        for field in self._every_field():
            step.__dict__.setdefault(field, []).append(self)
        return step

    def put_on(self, worn: Decoration) -> None:
        """Puts it on a step of one flow."""
        fields = self._every_field()
        if "wrappers" in fields:
            worn.wrappers.append(self)  # type: ignore[arg-type]
        if "config_decorators" in fields:
            worn.mutators.append(self)  # type: ignore[arg-type]

    @property
    def shown(self) -> str:
        """The name that is enough to mean it."""
        return short_name(type(self))

    def get_args_kwargs(self) -> tuple[list[Any], dict[str, Any]]:
        """The arguments that it was given."""
        return list(self._args), dict(self._kwargs)

    def init(self, *args: Any, **kwargs: Any) -> None:
        """Takes the arguments, once the configs are known; to be written where there are any."""

    def settle(self) -> None:
        """Hands the arguments to `init`, once; FlowError if it has none."""
        if self._is_settled:
            return
        self._args = [resolve_delayed(value) for value in self._args]
        self._kwargs = resolve_delayed(self._kwargs)
        if (self._args or self._kwargs) and type(self).init is _NO_INIT:
            raise self.wrong(
                f"@{self.shown} has arguments, and no `init` that takes them",
                hint=f"write `def init(self, *args, **kwargs):` in {type(self).__name__}",
            )
        self.init(*self._args, **self._kwargs)
        self._is_settled = True

    def wrong(self, message: str, *, hint: str) -> FlowError:
        """The error for something about this decorator, at the line where it is used."""
        return FlowError(message, file=self.file, line=self.line, hint=hint)

    def __str__(self) -> str:
        return str(type(self))

    def _no_step(self, thing: Any) -> FlowError:
        return self.wrong(
            f"@{self.shown} is on '{getattr(thing, '__name__', thing)}', which is not a step where "
            "it is applied",
            hint=f"put @step on the line just above the def, and @{self.shown} above @step",
        )

    def _every_field(self) -> list[str]:
        found = (field for kind in type(self).__mro__ for field in vars(kind).get("_fields", ()))
        return list(dict.fromkeys(found))


_NO_INIT = UserStepDecoratorBase.init


class UserStepDecorator(UserStepDecoratorBase):
    """Runs code before and after a step, or in its place.

    To be subclassed; the most of `init`, `pre_step` and `post_step` that is needed is written.
    """

    _fields = ("wrappers",)
    _allows_positional = False

    def pre_step(
        self, step_name: str, flow: FlowSpec, inputs: Any | None = None
    ) -> Callable[..., Any] | None:
        """Before the step and what else is around it; `inputs` are those of a join.

        A function that is returned runs in the place of all that: it gets the flow, and the inputs
        of a join. If it returns True or a dict, `self.next` is called for it as the step does it,
        or with these arguments.
        """
        return None

    def post_step(
        self, step_name: str, flow: FlowSpec, exception: Exception | None = None
    ) -> Exception | tuple[Exception | None, Any] | None:
        """After the step, with what was raised; it may still change artifacts.

        Returns what is to be raised (None: nothing, the step is ok), or that and the arguments of
        `self.next` (a dict; empty or True: as the step has them; None: the step called it).
        """
        if exception:
            return exception, None
        return None, None

    @property
    def skip_step(self) -> bool | Mapping[str, Any]:
        """Whether the step is skipped; a dict: and self.next is called with these arguments."""
        asked: bool | Mapping[str, Any] = self.__dict__.get("_skip_step", False)
        return asked

    @skip_step.setter
    def skip_step(self, value: bool | Mapping[str, Any]) -> None:
        self.__dict__["_skip_step"] = value


class StepMutator(UserStepDecoratorBase):
    """Changes the decorators of the step that it is on. To be subclassed."""

    _fields = ("config_decorators",)

    def pre_mutate(self, mutable_step: MutableStep) -> None:
        """As soon as the configs are known; step mutators can be added here only."""

    def mutate(self, mutable_step: MutableStep) -> None:
        """When the command line is known, --with included, and before decorators look at it."""
