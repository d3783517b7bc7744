"""A law: resumed after any edit, a run has what a fresh one has, and ran only what it had to.

Which tasks had to run is known without looking at the code: each step of the flow below says what
it uses, and what it is given is compared between the origin and the fresh run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from processes import Place, flow

from mfv.manifest.records import Task
from mfv.repo.view import RunView

# step: its body, and what it uses: names of what it is given, and of code, constants, parameters.
_Step = tuple[str, str, str]
STEPS: dict[str, _Step] = {
    "start": (
        "self.base = lib.first(self.alpha) + {start}; self.rest = 1; self.unread = {unread}",
        "",
        "lib.first alpha unread",
    ),
    "left": ("self.low = self.base % 7 + {left}", "base", ""),
    "prep": ("self.items = [self.low % 3, 2] + [1] * {prep}", "low", ""),
    "work": ("self.got = deep.twice(self.input) * self.GAIN + {work}", "items", "deep.twice GAIN"),
    "gather": (
        "self.total = sum(one.got for one in inputs) + {gather}; self.base = inputs[0].base",
        "got base",
        "",
    ),
    "right": ("self.high = self.base // 2 + {right}", "base", ""),
    "scale": ("self.big = (self.high > self.beta) + {scale}", "high", "beta"),
    "tail": ("self.flag = self.helper(self.big) + {tail}", "big", "helper"),
    "both": (
        "self.sum = inputs.gather.total * inputs.tail.flag + {both}; "
        "self.base = inputs.gather.base; self.big = inputs.tail.big",
        "total flag base big",
        "",
    ),
    "report": ("self.text = lib.words(self.sum) + '!' * {report}", "sum", "lib.words"),
    "finish": ("self.length = len(self.text) + LIMIT + {finish}", "text", "LIMIT"),
    "end": ("self.done = (self.length > 3) + {end}", "length", ""),
}
NEXT = {
    "start": "self.left, self.right",
    "left": "self.prep",
    "prep": 'self.work, foreach="items"',
    "work": "self.gather",
    "gather": "self.both",
    "right": "self.scale",
    "scale": "self.tail",
    "tail": "self.both",
    "both": "self.report",
    "report": "self.finish",
    "finish": "self.end",
}
JOINS = {"gather", "both"}
# What else can be edited: a number, where {name} stands.
OTHERS = (
    *("unread", "lib.first", "lib.words", "deep.twice", "unused", "GAIN", "LIMIT", "helper"),
    *("loner", "comment"),
)
FILES = {
    "lib.py": "import deep\n\ndef first(x):\n    return deep.half(x) + {lib_first}\n\n\n"
    "def words(n):\n    return 'n' * (n % 5) + 'n' * {lib_words}\n\n\n"
    "def unused():\n    return {unused}\n",
    "deep.py": "def half(x):\n    return x // 2\n\n\n"
    "def twice(x):\n    return 2 * x + {deep_twice}\n",
}


DEFAULTS = {"alpha": "9", "beta": "3"}


class Edit(NamedTuple):
    """What is done between the run and its resumption."""

    where: str  # a step, one of OTHERS, or a parameter
    to: str  # of code: an expression; of a parameter: its value


def write(place: Place, edits: dict[str, str]) -> None:
    values = {name.replace(".", "_"): "1" for name in (*STEPS, *OTHERS)} | edits
    body = ['alpha = Parameter("alpha", default=9)', 'beta = Parameter("beta", default=3)']
    body.append(f"GAIN = {values['GAIN']}")
    for name, (text, _, _) in STEPS.items():
        arguments = "(self, inputs)" if name in JOINS else "(self)"
        follow = [f"    self.next({NEXT[name]})"] if name in NEXT else []
        lines = [f"    {line.format(**values)}" for line in text.split("; ")]
        body += ["@step", f"def {name}{arguments}:", *lines, *follow]
    body += ["def helper(self, x):", f"    return x + {values['helper']}"]
    body += ["def loner(self):", f"    return {values['loner']}  # {values['comment']}"]
    script = flow("\n".join(body))
    head = f"import deep\nimport lib\n\nLIMIT = {values['LIMIT']}\n"
    (place.folder / "flow.py").write_text(head + script)
    for name, text in FILES.items():
        (place.folder / name).write_text(text.format(**values))


def edits_of(chance: random.Random) -> Iterator[Edit]:
    """Nothing, or one edit: one that changes values, or one that may not."""
    where = chance.choice([*STEPS, *STEPS, *OTHERS, *OTHERS, "alpha", "beta", "nothing"])
    if where in ("alpha", "beta"):
        yield Edit(where, str(chance.randint(1, 12)))
    elif where != "nothing":
        yield Edit(where, chance.choice(["2", "(2 - 1)", "(3 + 4)", "1  # as it was"]))


def tasks_of(view: RunView) -> dict[tuple[str, tuple[int, ...]], Task]:
    tasks = [view.repository.task(ref) for ref in view.refs]
    return {(task.step, tuple(split.index for split in task.splits)): task for task in tasks}


def ids_of(task: Task) -> dict[str, bytes]:
    return {one.name: bytes(one.id) for one in task.artifacts}


def given(tasks: dict[tuple[str, tuple[int, ...]], Task], task: Task) -> list[object]:
    """What a task may have used of what its parents left."""
    by_id = {one.id: one for one in tasks.values()}
    reads = STEPS[task.step][1].split()
    parents = [(by_id[parent].step, ids_of(by_id[parent])) for parent in task.parents]
    return [(step, [(name, ids.get(name)) for name in reads]) for step, ids in parents]


@pytest.mark.parametrize("seed", range(6))
def test_a_resumed_run_is_what_a_fresh_one_is_and_ran_only_what_it_had_to(
    place: Place, seed: int
) -> None:
    chance = random.Random(seed)
    write(place, {})
    place.run()
    for turn in range(2):
        edits = list(edits_of(chance))
        code = {e.where.replace(".", "_"): e.to for e in edits if e.where not in ("alpha", "beta")}
        values = {e.where: e.to for e in edits if e.where in ("alpha", "beta")}
        write(place, code)
        words = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
        said = place.python("flow.py", "resume", "--origin-run-id", "1", *words)
        assert said.code == 0, said.text
        place.variables["MFV_DIR"] = str(place.folder.parent / f"fresh{turn}")
        place.run(*(word for name, value in values.items() for word in (f"--{name}", value)))
        place.variables.clear()
        old, new = tasks_of(place.view(1)), tasks_of(place.view(2 + turn))
        place.store, kept = place.folder.parent / f"fresh{turn}", place.store
        fresh = tasks_of(place.view(1))
        place.store = kept
        assert new.keys() == fresh.keys()
        assert {at: ids_of(task) for at, task in new.items()} == {
            at: ids_of(task) for at, task in fresh.items()
        }, edits
        touched = {e.where for e in edits if e.to not in ("1  # as it was",)}
        touched -= {name for name, value in values.items() if value == DEFAULTS[name]}
        if code.get("GAIN") == "(2 - 1)":
            touched.discard("GAIN")  # a constant counts by its value
        needless = [
            at
            for at, task in new.items()
            if task.origin is None
            and task.step not in touched
            and touched.isdisjoint(STEPS[task.step][2].split())
            and at in old
            and given(old, old[at]) == given(fresh, fresh[at])
        ]
        assert needless == [], (edits, said.text)
