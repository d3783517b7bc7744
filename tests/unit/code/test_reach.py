"""Which steps an edit of some file makes run again: those that can reach what was edited."""

from __future__ import annotations

import pytest

from mfv.code.compare import carriers, changed
from mfv.code.parts import digest_of
from mfv.code.reach import Code

STEPS = ("start", "train", "score", "end")

FLOW = '''
"""A flow."""
import json
import numpy as np
import shapes.round
import util
from mfv import FlowSpec, Parameter, environment, retry, step
from base import Base, Mixin
from model import Net
from shapes import square as box

LIMIT = 10
FACTOR: int = 2


def double(x):
    """Twice."""
    return x * FACTOR


def unused():
    return 1


class Train(Base, Mixin):
    alpha = Parameter("alpha", default=0.1)
    size = 3
    derived = size * 2

    @step
    def start(self):
        self.x = util.load(LIMIT)
        self.next(self.train)

    @retry(times=2)
    @environment(vars={"A": "1"})
    @step
    def train(self):
        self.y = double(self.x) * self.alpha
        self.net = Net(self.size)
        self.helper()
        self.next(self.score)

    @step
    def score(self):
        self.z = box(self.y) + shapes.round.circle(1)
        self.mixed()
        self.next(self.end)

    @step
    def end(self):
        print(self.derived)

    def helper(self):
        return self.deeper()

    def deeper(self):
        return np.mean([1])


if __name__ == "__main__":
    Train()
'''
FILES = {
    "flow.py": FLOW,
    "util.py": "import leaf\n\ndef load(n):\n    return leaf.read(n)\n\ndef other():\n    pass\n",
    "leaf.py": "BASE = 1\n\ndef read(n):\n    return n + BASE\n\ndef far():\n    pass\n",
    "base.py": "from mfv import FlowSpec\n\nclass Base(FlowSpec):\n"
    "    def basic(self):\n        pass\n"
    "\nclass Mixin:\n    def mixed(self):\n        return self.inner()\n"
    "    def inner(self):\n        return 1\n",
    "model.py": "class Layer:\n    def go(self):\n        return 1\n\n"
    "class Net:\n    def __init__(self, n):\n        self.layer = Layer()\n",
    "shapes/__init__.py": "from .square import square\n",
    "shapes/square.py": "def square(x):\n    return x * x\n",
    "shapes/round.py": "def circle(r):\n    return r\n\ndef ball(r):\n    return r\n",
    "tests/util.py": "def load(n):\n    return None\n",
    "data.csv": "a,b\n",
}


def code(files: dict[str, str], steps: tuple[str, ...] = STEPS, flow: str = "Train") -> Code:
    return Code(
        {path: digest_of(text.encode()) for path, text in files.items()},
        lambda path: files[path].encode(),
        "flow.py",
        flow,
        steps=steps,
        constants=("size", "derived"),
        parameters=("alpha",),
    )


def edited(path: str, old: str, new: str, files: dict[str, str] = FILES) -> dict[str, str]:
    assert old in files[path]
    return {**files, path: files[path].replace(old, new)}


def rerun(before: dict[str, str], after: dict[str, str]) -> set[str]:
    old, new = code(before), code(after)
    return {step for step in STEPS if changed(old, new, step) is not None}


@pytest.mark.parametrize(
    ("path", "old", "new", "steps"),
    [
        ("flow.py", "self.z = box", "self.z = 1 + box", "score"),
        ("flow.py", "x * FACTOR", "x + FACTOR", "train"),
        ("flow.py", "FACTOR: int = 2", "FACTOR: int = 3", "train"),
        ("flow.py", "LIMIT = 10", "LIMIT = 11", "start"),
        ("flow.py", "np.mean", "np.median", "train"),
        ("flow.py", '"A": "1"', '"A": "2"', "train"),
        ("flow.py", "return 1", "return 2", ""),
        ("flow.py", "times=2", "times=3", ""),
        ("flow.py", "Twice.", "Two times.", ""),
        ("flow.py", "A flow.", "The flow.", ""),
        ("flow.py", "LIMIT = 10", "LIMIT  =  10  # at most\n", ""),
        ("flow.py", "size = 3", "size = 4", ""),
        ("flow.py", "default=0.1", "default=0.2", ""),
        ("flow.py", "import Net", "import Layer as Net", "train"),
        ("flow.py", "LIMIT = 10", "LIMIT = 10\nnp.random.seed(0)", "start train score end"),
        ("flow.py", "Base, Mixin)", "Mixin, Base)", "start train score end"),
        ("util.py", "leaf.read(n)", "leaf.read(n + 1)", "start"),
        ("util.py", "pass", "return 1", ""),
        ("util.py", "import leaf", "import leaf\nprint('hello')", "start train score end"),
        ("leaf.py", "BASE = 1", "BASE = 2", "start"),
        ("leaf.py", "pass", "return 1", ""),
        ("base.py", "return self.inner()", "return 2 * self.inner()", "score"),
        ("base.py", "return 1", "return 2", "score"),
        ("base.py", "pass", "return 1", ""),
        ("model.py", "return 1", "return 2", "train"),
        ("shapes/square.py", "x * x", "x ** 2", "score"),
        ("shapes/round.py", "circle(r):\n    return r", "circle(r):\n    return 2 * r", "score"),
        ("shapes/round.py", "ball(r):\n    return r", "ball(r):\n    return 2 * r", ""),
        ("tests/util.py", "None", "1", ""),
        ("data.csv", "a,b", "a,c", ""),
    ],
)
def test_an_edit_makes_run_again_what_reaches_it(path: str, old: str, new: str, steps: str) -> None:
    assert rerun(FILES, edited(path, old, new)) == set(steps.split())


# In the body of `score`: what cannot be followed by name.
@pytest.mark.parametrize(
    "line",
    [
        'getattr(util, "oth" + "er")()',
        'globals()["un" + "used"]()',
        "exec(self.text)",
        'eval("util.other()")',
        '__import__("ut" + "il").other()',
        'import importlib; importlib.import_module("ut" + "il").other()',
        'import importlib; importlib.import_module("util").other()',
        'import sys; sys.modules["util"].other()',
        'import subprocess; subprocess.run(["python", "util.py"])',
        "import os; os.system('python util.py')",
        "import pickle; pickle.load(open(self.path, 'rb'))",
        "vars(util)['other']()",
        "util.__dict__['other']()",
        "self.y(util)",
        "from util import other; other()",
        "import util as u; u.other()",
        "f = util.other; f()",
        'getattr(util, "other")()',
    ],
)
def test_what_cannot_be_followed_by_name_counts_as_reached(line: str) -> None:
    before = edited("flow.py", "self.mixed()", line)
    assert rerun(before, edited("util.py", "pass", "return 1", before)) == {"score"}


def test_a_computed_name_in_something_from_outside_reaches_nothing_of_the_project() -> None:
    before = edited("flow.py", "self.mixed()", "getattr(np, self.y)()")
    assert rerun(before, edited("util.py", "pass", "return 1", before)) == set()


def test_names_that_come_by_a_star_are_followed() -> None:
    before = edited("flow.py", "import util\n", "from util import *\n")
    before = edited("flow.py", "util.load", "load", before)
    assert rerun(before, edited("util.py", "leaf.read(n)", "leaf.read(-n)", before)) == {"start"}


REGISTRY = "TABLE = {}\n\ndef register(f):\n    TABLE[f.__name__] = f\n    return f\n"


def test_a_function_that_a_decorator_may_keep_counts_for_all_that_import_it() -> None:
    files = {
        **edited("flow.py", "import util\n", "import util\nimport tools\n"),
        "registry.py": REGISTRY,
        "tools.py": "from registry import register\n\n@register\ndef tool():\n    return 1\n",
    }
    after = edited("tools.py", "return 1", "return 2", files)
    assert rerun(files, after) == set(STEPS)


def test_a_decorator_of_the_project_that_only_wraps_counts_where_its_function_is_used() -> None:
    wrap = (
        "import functools\n\ndef timed(f):\n    @functools.wraps(f)\n    def inner(*a):\n"
        "        print(1)\n        return f(*a)\n    return inner\n"
        "\ndef named(name):\n    def outer(f):\n        def inner(*a):\n"
        "            return f(name)\n        return inner\n    return outer\n"
    )
    util = "from wrap import named, timed\n\n@timed\ndef load(n):\n    return n\n"
    util += "\n@named('x')\ndef other():\n    return 1\n"
    files = {**FILES, "wrap.py": wrap, "util.py": util}
    assert rerun(files, edited("util.py", "return n", "return -n", files)) == {"start"}
    assert rerun(files, edited("wrap.py", "print(1)", "print(2)", files)) == {"start"}
    assert rerun(files, edited("util.py", "return 1", "return 2", files)) == set()
    # One that keeps what it is given is another matter.
    keeping = edited("wrap.py", "def outer(f):", "def outer(f):\n        print(f)", files)
    assert rerun(keeping, edited("util.py", "return 1", "return 2", keeping)) == set(STEPS)


def test_a_decorator_of_the_project_is_not_taken_for_one_of_the_same_name() -> None:
    before = edited("flow.py", "environment, retry, step", "environment, step")
    before = edited("flow.py", "from model", "from own import retry\nfrom model", before)
    before["own.py"] = "def retry(times):\n    print(times)\n    return lambda f: f\n"
    assert rerun(before, edited("own.py", "print(times)", "print(1)", before)) == set(STEPS)


def test_a_class_whose_base_lists_its_subclasses_counts_for_all_that_import_it() -> None:
    plain = "class Plug:\n    pass\n\nclass One(Plug):\n    def go(self):\n        return 1\n"
    files = {
        **edited("flow.py", "import util\n", "import util\nimport plugs\n"),
        "plugs.py": plain,
    }
    assert rerun(files, edited("plugs.py", "return 1", "return 2", files)) == set()
    listing = plain.replace("pass", "def __init_subclass__(cls):\n        print(cls)", 1)
    files["plugs.py"] = listing
    assert rerun(files, edited("plugs.py", "return 1", "return 2", files)) == set(STEPS)


@pytest.mark.parametrize(
    ("line", "hit"),
    [
        ('open("data.csv")', True),
        ('open("other.csv")', False),
        ("open(self.path)", True),
        ('open("out.csv", "w")', False),
        ("open(self.path, 'w')", False),
        ('__import__("pandas").read_csv("./data.csv")', True),
        ('__import__("pathlib").Path("data.csv").read_text()', True),
        ("import glob; glob.glob('*.csv')", True),
        ("import glob; glob.glob('*.json')", False),
        ("import os; os.listdir('.')", True),
        ("print('data.csv')", True),
        ("json.load(self.x)", False),
    ],
)
def test_a_file_that_changed_counts_for_steps_that_may_read_it(line: str, hit: bool) -> None:
    line = line.replace("__import__", "np.lib")
    before = edited("flow.py", "self.mixed()", line)
    assert rerun(before, edited("data.csv", "a,b", "a,c", before)) == ({"score"} if hit else set())


def test_a_docstring_counts_where_it_can_be_read() -> None:
    before = edited("flow.py", "self.mixed()", "print(double.__doc__)")
    assert rerun(before, edited("flow.py", "Twice.", "Two times.", before)) == {"score"}
    before = edited("flow.py", "self.mixed()", "self.y(double)")
    assert rerun(before, edited("flow.py", "Twice.", "Two times.", before)) == {"score"}


def test_what_a_step_reads_of_the_flow_is_known_with_its_helpers() -> None:
    found = code(FILES)
    train = found.reach("train")
    assert train.reads is not None
    assert {"x", "alpha", "size"} <= train.reads
    assert "z" not in train.reads
    assert {"y", "net"} <= train.stored
    assert found.reach("score").reads is not None


@pytest.mark.parametrize(
    "line",
    [
        "print(self)",
        "getattr(self, self.x)",
        "setattr(self, self.x, 1)",
        "self.__dict__",
        "vars(self)",
    ],
)
def test_a_step_that_hands_itself_out_may_read_everything(line: str) -> None:
    assert code(edited("flow.py", "self.mixed()", line)).reach("score").reads is None


JOIN = """
from mfv import FlowSpec, step

class Train(FlowSpec):
    @step
    def start(self):
        pass

    @step
    def join(self, inputs):
        BODY
"""


@pytest.mark.parametrize(
    ("body", "reads"),
    [
        ("self.total = sum(one.got for one in inputs)", {"got"}),
        ("self.total = inputs.left.got + inputs[0].had", {"got", "had"}),
        ("self.n = len(inputs)", set()),
        ("self.merge_artifacts(inputs, include=['kept'])", {"kept"}),
        ("self.merge_artifacts(inputs)", None),
        ("self.merge_artifacts(inputs, exclude=['x'])", None),
        ("self.got = [print(one) for one in inputs]", None),
        ("f = list(inputs)", None),
        (
            "for one in inputs:\n            self.x = one.got\n            use(one.had)",
            {"got", "had"},
        ),
        ("for a, b in zip(inputs, inputs):\n            pass", None),
        ("self.x = [getattr(one, 'got') for one in inputs]", None),
    ],
)
def test_what_a_join_reads_of_its_inputs(body: str, reads: set[str] | None) -> None:
    found = code({"flow.py": JOIN.replace("BODY", body)}, ("start", "join")).reach("join")
    assert found.reads_inputs == reads


def test_the_reason_names_what_changed() -> None:
    def why(path: str, old: str, new: str, step: str) -> str | None:
        return changed(code(FILES), code(edited(path, old, new)), step)

    assert why("util.py", "leaf.read(n)", "1", "start") == "load in util.py changed, and 2 more"
    assert why("leaf.py", "BASE = 1", "BASE = 2", "start") == "BASE in leaf.py changed"
    assert why("flow.py", "self.z = box", "self.z = -box", "score") == "its code changed"
    top = why("util.py", "import leaf", "import leaf\nprint()", "end")
    assert top == "top level of util.py is new"


def test_a_file_that_is_no_python_counts_as_a_whole() -> None:
    before = edited("util.py", "def load(n):", "def load(n)")
    assert rerun(before, edited("util.py", "pass", "return 1", before)) == set(STEPS)


def test_a_flow_that_is_not_at_the_top_of_its_script_is_known_by_all_files() -> None:
    inner = {**FILES, "flow.py": "def make():\n    class Train:\n        pass\n"}
    assert rerun(inner, edited("tests/util.py", "None", "1", inner)) == set(STEPS)


def test_definitions_that_a_value_can_lead_to_are_told_if_they_changed() -> None:
    old, new = code(FILES), code(edited("model.py", "return 1", "return 2"))
    assert {(one.module, one.name) for one in carriers(old, new)} == {
        ("model", "Layer"),
        ("model", "Net"),
    }
    (one,) = carriers(old, code(edited("util.py", "pass", "x = 1")))
    assert (one.module, one.name, one.why) == ("util", "other", "other in util.py changed")


def test_a_module_in_several_places_counts_in_each_unless_it_is_beside_the_script() -> None:
    files = {"flow.py": "import lib.tool\n" + JOIN.replace("BODY", "lib.tool.go()")}
    files |= {f"{place}/lib/tool.py": "def go():\n    return 1\n" for place in ("a", "b/src")}
    old = code(files, ("start", "join"))
    for place in ("a", "b/src"):
        new = code(edited(f"{place}/lib/tool.py", "1", "2", files), ("start", "join"))
        assert changed(old, new, "join") is not None
        assert changed(old, new, "start") is None
    beside = {**files, "lib/tool.py": "def go():\n    return 1\n"}
    old = code(beside, ("start", "join"))
    new = code(edited("a/lib/tool.py", "1", "2", beside), ("start", "join"))
    assert changed(old, new, "join") is None


def test_code_that_is_nested_too_deeply_to_be_read_counts_as_everything() -> None:
    deep = "x = " + "+".join("1" for _ in range(1500)) + "\n"
    before = {**FILES, "util.py": FILES["util.py"] + deep}
    assert rerun(before, before) == set()
    assert rerun(before, edited("tests/util.py", "None", "1", before)) == set(STEPS)
