"""Flows with one mistake each, of those that Metaflow's validation finds before anything runs.

Each is the body of a class; `names` are the steps that the error must name.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple


class Mistake(NamedTuple):
    """A flow that must be refused."""

    body: str
    names: tuple[str, ...]
    commands: tuple[str, ...] = ("check", "run")

    @property
    def source(self) -> str:
        head = (
            "from metaflow import FlowSpec, JSONType, Parameter, step\n\n\nclass Wrong(FlowSpec):\n"
        )
        tail = '\n\nif __name__ == "__main__":\n    Wrong()\n'
        return head + textwrap.indent(textwrap.dedent(self.body).strip(), "    ") + tail


START = """
@step
def start(self):
    self.next(self.end)
"""
END = """
@step
def end(self):
    pass
"""


def step(name: str, line: str, inputs: str = "") -> str:
    return f"\n@step\ndef {name}(self{inputs}):\n    {line}\n"


MISTAKES = {
    "no_steps": Mistake("x = 1", ()),
    "no_start": Mistake(step("begin", "self.next(self.end)") + END, ("start",)),
    "no_end": Mistake(step("start", "self.next(self.last)") + step("last", "pass"), ("end",)),
    "no_next": Mistake(step("start", "self.x = 1") + END, ("start",)),
    "unknown_step": Mistake(step("start", "self.next(self.nowhere)") + END, ("nowhere",)),
    "unreachable": Mistake(START + step("lonely", "self.next(self.end)") + END, ("lonely",)),
    "next_of_text": Mistake(step("start", 'self.next("end")') + END, ("start",)),
    "next_of_nothing": Mistake(step("start", "self.next()") + END, ("start",)),
    "next_inside_an_if": Mistake(
        step("start", "self.x = 1\n    if self.x:\n        self.next(self.end)") + END, ("start",)
    ),
    "circle": Mistake(
        step("start", "self.next(self.a)")
        + step("a", "self.next(self.b)")
        + step("b", "self.next(self.a)")
        + END,
        ("a",),
    ),
    "split_without_join": Mistake(
        step("start", "self.next(self.a, self.b)")
        + step("a", "self.next(self.end)")
        + step("b", "self.next(self.end)")
        + END,
        ("end",),
    ),
    "join_without_inputs": Mistake(
        step("start", "self.next(self.a, self.b)")
        + step("a", "self.next(self.join)")
        + step("b", "self.next(self.join)")
        + step("join", "self.next(self.end)")
        + END,
        ("join",),
    ),
    "inputs_without_split": Mistake(
        step("start", "self.next(self.join)")
        + step("join", "self.next(self.end)", ", inputs")
        + END,
        ("join",),
    ),
    "foreach_without_join": Mistake(
        step("start", "self.items = [1]\n    self.next(self.each, foreach='items')")
        + step("each", "self.next(self.end)")
        + END,
        ("end",),
    ),
    "foreach_of_two": Mistake(
        step("start", "self.items = [1]\n    self.next(self.a, self.b, foreach='items')")
        + step("a", "self.next(self.join)")
        + step("b", "self.next(self.join)")
        + step("join", "self.next(self.end)", ", inputs")
        + END,
        ("start",),
    ),
    "inner_split_joined_outside": Mistake(
        step("start", "self.items = [1]\n    self.next(self.each, foreach='items')")
        + step("each", "self.next(self.a, self.b)")
        + step("a", "self.next(self.join)")
        + step("b", "self.next(self.join)")
        + step("join", "self.next(self.end)", ", inputs")
        + END,
        ("end",),
    ),
    "end_with_inputs": Mistake(
        step("start", "self.next(self.a, self.b)")
        + step("a", "self.next(self.end)")
        + step("b", "self.next(self.end)")
        + step("end", "pass", ", inputs"),
        ("end",),
    ),
    "end_with_next": Mistake(START + step("end", "self.next(self.start)"), ("end",)),
    "switch_without_condition": Mistake(
        step("start", "self.next({'a': self.a, 'b': self.end})")
        + step("a", "self.next(self.end)")
        + END,
        ("start",),
    ),
    "switch_of_nothing": Mistake(step("start", "self.next({}, condition='x')") + END, ("start",)),
    "condition_without_switch": Mistake(
        step("start", "self.next(self.end, condition='x')") + END, ("start",)
    ),
    "parameter_twice": Mistake(
        "a = Parameter('alpha', default=1)\nb = Parameter('ALPHA', default=1)\n" + START + END, ()
    ),
    "parameter_reserved": Mistake("a = Parameter('tag', default=1)\n" + START + END, ()),
    "parameter_of_wrong_default": Mistake(
        "a = Parameter('a', type=int, default='x')\n" + START + END, (), ("run",)
    ),
}
