"""The graph of a flow, as its source tells it, and what is refused before anything runs."""

from __future__ import annotations

import functools
import importlib.util
import linecache
import pickle
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from mfv.errors import FlowError
from mfv.flow.graph import Graph, Kind, read_graph
from mfv.flow.lint import check

Load = Callable[[str], type]

HEAD = "def step(f):\n    f.is_step = True\n    return f\n\n\nclass F:\n"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Import a file that holds the class F with the given body."""

    def load(body: str, head: str = HEAD) -> type:
        path = tmp_path / f"flow_{len(list(tmp_path.iterdir()))}.py"
        path.write_text(head + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = module.F
        assert isinstance(found, type)
        return found

    return load


def steps(**transitions: str) -> str:
    """The body of a flow, one step per keyword; a trailing "/j" makes it a join, "" has no next."""
    lines = []
    for name, text in transitions.items():
        arguments = "self, inputs" if text.endswith("/j") else "self"
        text = text.removesuffix("/j")
        body = f"self.next({text})" if text else "pass"
        lines.append(f"@step\ndef {name}({arguments}):\n    {body}\n")
    return "\n".join(lines)


def read(load: Load, **transitions: str) -> Graph:
    graph = read_graph(load(steps(**transitions)))
    check(graph)
    return graph


def refusal(load: Load, body: str = "", **transitions: str) -> FlowError:
    with pytest.raises(FlowError) as caught:
        check(read_graph(load(body or steps(**transitions))))
    error = caught.value
    assert error.hint
    return error


def text_at(error: FlowError) -> str:
    """The line of the user's file that an error points at."""
    assert error.file and error.line
    return linecache.getline(error.file, error.line).strip()


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph]


# What is read


def step(f):  # type: ignore[no-untyped-def]
    f.is_step = True
    return f


def passes(f):  # type: ignore[no-untyped-def]
    @functools.wraps(f)
    def wrapper(*args, **kwargs):  # type: ignore[no-untyped-def]
        return f(*args, **kwargs)

    return wrapper


class Small:
    """A flow
    of two steps.
    """

    @step
    def start(self):  # type: ignore[no-untyped-def]
        """Begin.

        And go on.
        """
        self.next(self.end)  # type: ignore[attr-defined]

    @step
    def end(self):  # type: ignore[no-untyped-def]
        pass


def test_a_node_says_where_its_step_and_its_next_are_written() -> None:
    graph = read_graph(Small)
    check(graph)
    start = graph["start"]
    lines = Path(__file__).read_text().splitlines()
    assert start.file == graph.file == Small.start.__code__.co_filename  # type: ignore[attr-defined]
    assert lines[start.line - 1].strip().startswith("def start(self):")
    assert lines[start.next_line - 1].strip().startswith("self.next(self.end)")
    assert (graph["end"].kind, graph["end"].next_line) == (Kind.END, 0)


def test_docstrings_lose_their_indent() -> None:
    graph = read_graph(Small)
    assert graph.flow == "Small"
    assert graph.doc == "A flow\nof two steps."
    assert graph["start"].doc == "Begin.\n\nAnd go on."
    assert graph["end"].doc == ""


def test_a_static_branch_opens_a_split_and_its_join_closes_it(load: Load) -> None:
    graph = read(
        load,
        start="self.a, self.b",
        a="self.join",
        b="self.join",
        join="self.end/j",
        end="",
    )
    assert graph["start"].kind is Kind.SPLIT
    assert graph["start"].next == ("a", "b")
    assert (graph["a"].split_path, graph["b"].split_path) == (("start",), ("start",))
    join = graph["join"]
    assert (join.is_join, join.closes, join.split_path) == (True, "start", ())
    assert (join.kind, join.previous) == (Kind.LINEAR, ("a", "b"))
    assert graph["end"].split_path == ()


def test_a_foreach_names_its_attribute(load: Load) -> None:
    graph = read(load, start="self.a, foreach='items'", a="self.join", join="self.end/j", end="")
    assert (graph["start"].kind, graph["start"].foreach) == (Kind.FOREACH, "items")
    assert graph["a"].split_path == ("start",)
    assert graph["join"].closes == "start"


def test_num_parallel_may_be_a_number_or_an_expression(load: Load) -> None:
    for count in ("3", "self.workers"):
        graph = read(
            load,
            start=f"self.a, num_parallel={count}",
            a="self.join",
            join="self.end/j",
            end="",
        )
        assert graph["start"].kind is Kind.PARALLEL
        assert graph["start"].num_parallel
        assert graph["start"].foreach is None
        assert graph["join"].closes == "start"


def test_nested_foreaches_and_branches_close_from_the_inside(load: Load) -> None:
    graph = read(
        load,
        start="self.outer, foreach='xs'",
        outer="self.a, self.b",
        a="self.inner, foreach='ys'",
        inner="self.innermost_join",
        innermost_join="self.branch_join/j",
        b="self.branch_join",
        branch_join="self.outer_join/j",
        outer_join="self.end/j",
        end="",
    )
    assert graph["inner"].split_path == ("start", "outer", "a")
    assert graph["innermost_join"].closes == "a"
    assert graph["innermost_join"].split_path == ("start", "outer")
    assert graph["branch_join"].closes == "outer"
    assert graph["outer_join"].closes == "start"
    assert graph["outer_join"].split_path == ()


def test_a_switch_has_its_cases_in_order_and_each_target_once(load: Load) -> None:
    graph = read(
        load,
        start="{'x': self.a, 'y': self.b, 3: self.a, -1: self.b, True: self.a, "
        "self.config.mode: self.b}, condition='kind'",
        a="self.end",
        b="self.end",
        end="",
    )
    start = graph["start"]
    assert (start.kind, start.condition, start.next) == (Kind.SWITCH, "kind", ("a", "b"))
    assert start.cases == (
        ("x", "a"),
        ("y", "b"),
        ("3", "a"),
        ("-1", "b"),
        ("True", "a"),
        ("self.config.mode", "b"),
    )
    assert graph["end"].split_path == ()  # a switch opens nothing


def test_a_switch_may_repeat_its_own_step(load: Load) -> None:
    graph = read(
        load,
        start="self.loop",
        loop="{'again': self.loop, 'done': self.end}, condition='state'",
        end="",
    )
    assert graph["loop"].previous == ("start", "loop")


def test_a_switch_may_lead_back_over_a_whole_split(load: Load) -> None:
    graph = read(
        load,
        start="self.fan",
        fan="self.a, self.b",
        a="self.join",
        b="self.join",
        join="self.more/j",
        more="{'done': self.end, 'again': self.fan}, condition='state'",
        end="",
    )
    assert graph["fan"].split_path == ()
    assert graph["join"].closes == "fan"
    assert names(graph) == ["start", "fan", "a", "b", "join", "more", "end"]


def test_a_switch_inside_a_branch_may_take_several_ways_to_the_join(load: Load) -> None:
    graph = read(
        load,
        start="self.a, self.b",
        a="{'x': self.c, 'y': self.d}, condition='kind'",
        b="self.join",
        c="self.join",
        d="self.join",
        join="self.end/j",
        end="",
    )
    assert graph["join"].previous == ("b", "c", "d")
    assert graph["join"].closes == "start"


def test_iteration_goes_forward_whatever_the_order_of_definition(load: Load) -> None:
    graph = read(
        load,
        end="",
        join="self.end/j",
        b="self.join",
        a="self.a2",
        a2="self.join",
        start="self.a, self.b",
    )
    assert names(graph) == ["start", "a", "a2", "b", "join", "end"]
    assert list(graph.nodes) == ["end", "join", "b", "a", "a2", "start"]


def test_iteration_ends_with_the_end_even_beside_a_loop(load: Load) -> None:
    graph = read(
        load,
        start="self.check",
        check="{'done': self.end, 'again': self.work}, condition='state'",
        work="self.check",
        end="",
    )
    assert names(graph) == ["start", "check", "work", "end"]


def test_a_flow_may_have_more_steps_than_python_has_frames(load: Load) -> None:
    count = 1200
    chain = {f"s{i}": f"self.s{i + 1}" for i in range(count)}
    graph = read(load, start="self.s0", **chain, **{f"s{count}": "self.end"}, end="")
    assert names(graph)[-2:] == [f"s{count}", "end"]


def test_steps_are_inherited_and_overridden(tmp_path: Path, load: Load) -> None:
    base = load(steps(start="self.middle", middle="self.end", end=""))
    body = steps(middle="self.extra", extra="self.end")
    child = load(body)
    both = type("Both", (child, base), {})
    graph = read_graph(both)
    check(graph)
    assert graph.flow == "Both"
    assert names(graph) == ["start", "middle", "extra", "end"]
    assert list(graph.nodes) == ["start", "middle", "end", "extra"]
    assert graph["start"].file != graph["middle"].file


def test_a_step_overridden_by_something_else_is_no_step() -> None:
    hidden = type("Hidden", (Small,), {"end": None})
    with pytest.raises(FlowError, match="no step 'end'"):
        check(read_graph(hidden))


def test_decorators_and_nested_functions_do_not_confuse_the_reader(load: Load) -> None:
    graph = read_graph(
        load(
            """
            @many(
                1,
                key=lambda self: self.next(self.start),
            )
            @wrapped
            @step
            def start(
                self,
            ):
                def start(self):
                    self.next(self.nowhere)

                class Inner:
                    def next(self):
                        self.next(self.nowhere)

                call = lambda: self.next(self.nowhere)
                other.next(self.nowhere)
                self.next(
                    self.end,
                )

            @step
            def end(self): pass
            """,
            head="import functools\n\n\n"
            + HEAD.replace(
                "class F",
                "def many(*a, **k):\n    return lambda f: f\n\n\n"
                "def wrapped(f):\n    @functools.wraps(f)\n    def inner(*a):\n"
                "        return f(*a)\n    return inner\n\n\nclass F",
            ),
        )
    )
    check(graph)
    assert graph["start"].next == ("end",)
    assert linecache.getline(graph.file, graph["start"].line).strip() == "def start("


def test_two_functions_of_one_name_in_one_file_are_told_apart(load: Load) -> None:
    flow = load(
        steps(start="self.end", end="")
        + "\nclass G:\n"
        + textwrap.indent(steps(start="self.middle", middle="self.end", end=""), "    ")
    )
    assert names(read_graph(flow)) == ["start", "end"]
    assert names(read_graph(vars(flow)["G"])) == ["start", "middle", "end"]


def test_the_flow_need_not_be_called_self(load: Load) -> None:
    graph = read_graph(
        load("@step\ndef start(me):\n    me.next(me.end)\n@step\ndef end(me):\n    pass\n")
    )
    assert graph["start"].next == ("end",)


def test_one_step_alone_is_both_start_and_end(load: Load) -> None:
    graph = read(load, only="")
    assert (graph.start, graph.end) == ("only", "only")
    assert graph["only"].kind is Kind.END


def test_start_and_end_may_be_marked_instead_of_named(load: Load) -> None:
    flow = load(steps(first="self.last", last=""))
    vars(flow)["first"].is_start_step = True
    vars(flow)["last"].is_end_step = True
    graph = read_graph(flow)
    check(graph)
    assert (graph.start, graph.end, graph["last"].kind) == ("first", "last", Kind.END)


def test_a_marked_start_beside_a_named_one_is_refused(load: Load) -> None:
    flow = load(steps(start="self.end", first="self.end", end=""))
    vars(flow)["first"].is_start_step = True
    with pytest.raises(FlowError, match="'first' and 'start' both want to be the start"):
        read_graph(flow)


def test_a_file_written_anew_is_read_anew(load: Load, tmp_path: Path) -> None:
    flow = load(steps(start="self.end", end=""))
    path = Path(vars(flow)["start"].__code__.co_filename)
    assert read_graph(flow)["start"].next == ("end",)
    path.write_text("# another program\n")
    with pytest.raises(FlowError, match="not where it was loaded from") as caught:
        read_graph(flow)
    assert caught.value.file == str(path)
    path.write_text("def broken(:\n")
    with pytest.raises(FlowError, match="not where it was loaded from"):
        read_graph(flow)


def test_a_flow_without_a_file_is_refused() -> None:
    space: dict[str, type] = {}
    exec(HEAD + "    @step\n    def start(self):\n        pass\n", space)
    with pytest.raises(FlowError, match="not where it was loaded from"):
        read_graph(space["F"])


def test_a_graph_is_a_value(load: Load) -> None:
    graph, again = read_graph(Small), read_graph(Small)
    assert graph == again
    assert hash(graph) == hash(again)
    assert graph != read_graph(type("Other", (Small,), {}))
    assert pickle.loads(pickle.dumps(graph)) == graph
    assert repr(graph) == "Graph(Small: start, end)"
    assert "start" in graph
    assert "nothing" not in graph
    assert len(graph) == 2
    with pytest.raises(AttributeError):
        graph.flow = "Else"
    with pytest.raises(AttributeError):
        del graph.flow


# What a step says by itself


def test_a_flow_without_steps_is_refused(load: Load) -> None:
    assert "has no steps" in refusal(load, "x = 1").message


def test_a_flow_without_start_is_refused_and_the_near_name_told(load: Load) -> None:
    error = refusal(load, strat="self.end", end="")
    assert "no step 'start'" in error.message
    assert error.hint == "did you mean 'strat'?"
    assert text_at(error) == "def strat(self):"
    assert "'begin'" in (refusal(load, begin="self.end", end="").hint or "")


def test_a_flow_without_end_is_refused(load: Load) -> None:
    assert "no step 'end'" in refusal(load, start="self.a", a="self.start").message


def test_a_step_that_does_not_lead_on_is_refused(load: Load) -> None:
    error = refusal(load, start="self.a", a="", end="")
    assert "'a' does not say what comes next" in error.message
    assert text_at(error) == "def a(self):"


def test_an_end_that_leads_on_is_refused(load: Load) -> None:
    error = refusal(load, start="self.end", end="self.start")
    assert "nothing comes after it" in error.message
    assert text_at(error) == "self.next(self.start)"


@pytest.mark.parametrize(
    ("opening", "inside"),
    [
        ("if self.x:", "inside an `if`"),
        ("for x in self.xs:", "inside a `for`"),
        ("while self.x:", "inside a `while`"),
        ("with self.x:", "inside a `with`"),
        ("match self.x:\n        case _:", "inside a `match`"),
    ],
)
def test_a_next_that_depends_on_the_run_is_refused_and_a_switch_proposed(
    load: Load, opening: str, inside: str
) -> None:
    indent = " " * (4 * (opening.count(":") + 1))
    body = f"@step\ndef start(self):\n    {opening}\n{indent}self.next(self.end)\n"
    error = refusal(load, body + steps(end=""))
    assert inside in error.message
    assert "condition=" in (error.hint or "")
    assert text_at(error) == "self.next(self.end)"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("try:\n        self.next(self.end)\n    finally:\n        pass", "inside a `try`"),
        ("return self.next(self.end)", "in a `return`"),
        ("x = self.next(self.end)", "inside another statement"),
        ("self.next(self.a)\n    self.next(self.end)", "2 times"),
        ("self.next(self.end)\n    print()", "not the last statement"),
        ("if self.x:\n        self.next(self.a)\n    self.next(self.end)", "inside an `if`"),
    ],
)
def test_a_next_that_is_not_the_one_last_statement_is_refused(
    load: Load, lines: str, said: str
) -> None:
    body = f"@step\ndef start(self):\n    {lines}\n"
    assert said in refusal(load, body + steps(a="self.end", end="")).message


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        ("", "names no step", "self.next(self.end)"),
        ("'end'", "takes steps, not 'end'", "write self.end, without quotes"),
        ("end", "takes steps, not end", "write self.end"),
        ("self.end()", "takes steps, not self.end()", "without brackets"),
        ("*self.all", "takes steps, not *self.all", "name every step"),
        ("self.a.b", "takes steps, not self.a.b", "name of a step"),
        ("F.end", "takes steps, not F.end", "name of a step"),
        ("self.ennd", "leads to 'ennd', which is no step", "did you mean 'end'?"),
        ("self.helper", "leads to 'helper', which is no step", "@step above `def helper"),
        ("self.a, self.a", "leads to 'a' twice", "foreach"),
        ("self.a, foreach_='x'", "unknown argument foreach_='x'", "did you mean 'foreach'?"),
        ("self.a, **self.options", "unknown argument **self.options", "it knows foreach"),
        ("self.a, self.b, foreach='xs'", "foreach and 2 targets", "foreach='xs'"),
        ("self.a, foreach=self.xs", "not self.xs", 'write foreach="xs"'),
        ("self.a, foreach='self.xs'", "not 'self.xs'", 'write foreach="xs"'),
        ("self.a, foreach=NAMES", "not NAMES", "set self.items"),
        ("self.a, foreach=''", "not ''", "set self.items"),
        ("self.a, foreach=None", "not None", "set self.items"),
        ("self.a, foreach='xs', num_parallel=2", "foreach and num_parallel at once", "keep one"),
        ("self.a, self.b, num_parallel=2", "num_parallel and 2 targets", "num_parallel=2"),
        ("self.a, num_parallel=0", "num_parallel of step 'start' is 0", "1 or more"),
        ("self.a, num_parallel='2'", "num_parallel of step 'start' is '2'", "whole number"),
        ("{'x': self.a, 'y': self.b}", "a dict and no condition", "condition="),
        ("self.a, condition='x'", "a condition, but not one dict", "each value its step"),
        ("{'x': self.a}, self.b, condition='x'", "but not one dict", "each value its step"),
        ("{'x': self.a, 'y': self.b}, condition=self.x", "not self.x", 'condition="x"'),
        ("{'x': self.a, 'y': self.b}, condition=''", "not ''", "set self.items"),
        ("{'x': self.a, 'y': self.b}, condition='x', foreach='y'", "at once", "keep one"),
        ("{'x': self.a, 'y': 'b'}, condition='x'", "takes steps, not 'b'", "without quotes"),
        ("{'x': self.a, KEY: self.b}, condition='x'", "only a run could know: KEY", "quotes"),
        ("{'x': self.a, None: self.b}, condition='x'", "could know: None", "quotes"),
        ("{'x': self.a, **self.more}, condition='x'", "could know: **", "quotes"),
        ("{'x': self.a, 'x': self.b}, condition='x'", "two cases for 'x'", "remove one"),
        ("{1: self.a, True: self.b}, condition='x'", "two cases for 'True'", "remove one"),
        ("{'x': self.a}, condition='x'", "has 1 case;", "add a case"),
        ("{}, condition='x'", "has 0 cases;", "add a case"),
    ],
)
def test_a_next_that_says_nothing_clear_is_refused(
    load: Load, arguments: str, said: str, hint: str
) -> None:
    body = f"@step\ndef start(self):\n    self.next({arguments})\n"
    body += "def helper(self):\n    pass\n" + steps(a="self.end", b="self.end", end="")
    error = refusal(load, body)
    assert said in error.message
    assert hint in (error.hint or "")
    assert text_at(error) == f"self.next({arguments})"


@pytest.mark.parametrize(
    "arguments", ["", "self, x, y", "*args", "self, *inputs", "self, *, x", "self, **more"]
)
def test_a_step_with_other_arguments_is_refused(load: Load, arguments: str) -> None:
    body = f"@step\ndef a({arguments}):\n    pass\n"
    error = refusal(load, body + steps(start="self.a", end=""))
    assert f"step 'a' takes ({arguments})" in error.message
    assert "def a(self, inputs):" in (error.hint or "")


def test_a_decorator_that_hides_the_step_is_named_as_the_reason(load: Load) -> None:
    error = refusal(
        load,
        "def hides(f):\n    def inner(*args):\n        return f(*args)\n    return inner\n"
        "@step\n@hides\ndef start(self):\n    self.next(self.end)\n" + steps(end=""),
    )
    assert "functools.wraps" in (error.hint or "")


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("async def start(self):\n    pass", "async def"),
        ("def start(self):\n    yield 1\n    self.next(self.end)", "yield"),
    ],
)
def test_a_step_that_would_run_nothing_when_called_is_refused(
    load: Load, code: str, word: str
) -> None:
    error = refusal(load, f"@step\n{code}\n" + steps(end=""))
    assert f"uses `{word}`" in error.message


def test_a_step_that_wraps_no_function_is_refused(load: Load) -> None:
    flow = load(steps(start="self.end", end=""))
    vars(flow)["start"].__wrapped__ = functools.partial(print)
    with pytest.raises(FlowError, match="'start' is no function but a partial"):
        read_graph(flow)


@pytest.mark.parametrize("name", ["name", "next", "input", "index", "cmd"])
def test_names_that_every_flow_has_are_refused(load: Load, name: str) -> None:
    error = refusal(load, **{"start": f"self.{name}", name: "self.end", "end": ""})
    assert f"no step can be named '{name}'" in error.message
    assert text_at(error) == f"def {name}(self):"


@pytest.mark.parametrize("name", ["_hidden", "Train", "größe"])
def test_names_that_metaflow_refuses_are_refused(load: Load, name: str) -> None:
    error = refusal(load, **{"start": f"self.{name}", name: "self.end", "end": ""})
    assert f"cannot be named '{name}'" in error.message
    assert "lower-case" in (error.hint or "")


# How steps fit together


def test_a_step_that_leads_to_itself_is_refused(load: Load) -> None:
    error = refusal(load, start="self.a", a="self.a", end="")
    assert "'a' leads to itself" in error.message
    assert "condition=" in (error.hint or "")


def test_a_circle_is_told_from_its_first_step(load: Load) -> None:
    error = refusal(
        load, start="self.a, self.c", c="self.b", b="self.d", d="self.a", a="self.b", end=""
    )
    assert "circle: b -> d -> a -> b" in error.message
    assert text_at(error) == "self.next(self.b)"


def test_a_circle_behind_other_steps_is_found(load: Load) -> None:
    error = refusal(
        load,
        start="{'x': self.a, 'y': self.end}, condition='k'",
        a="self.b",
        b="self.c",
        c="self.a",
        end="",
    )
    assert "a -> b -> c -> a" in error.message
    assert text_at(error) == "self.next(self.a)"


def test_a_step_back_to_the_start_is_refused(load: Load) -> None:
    error = refusal(
        load,
        start="self.a",
        a="{'x': self.start, 'y': self.end}, condition='k'",
        end="",
    )
    assert "leads back to 'start'" in error.message


def test_an_unreached_step_is_refused(load: Load) -> None:
    error = refusal(load, start="self.end", lost="self.end", end="")
    assert "'lost' is never reached" in error.message
    assert text_at(error) == "def lost(self):"


def test_a_loop_without_a_way_out_is_refused(load: Load) -> None:
    error = refusal(
        load,
        start="{'x': self.a, 'y': self.end}, condition='k'",
        a="{'x': self.a, 'y': self.b}, condition='k'",
        b="self.a",
        end="",
    )
    assert "no way leads from step 'a' to 'end'" in error.message


def test_branches_that_meet_in_a_step_without_inputs_are_refused(load: Load) -> None:
    error = refusal(load, start="self.a, self.b", a="self.c", b="self.c", c="self.end", end="")
    assert "the branches 'a' and 'b' of the split in step 'start' meet" in error.message
    assert error.hint == "make it a join: `def c(self, inputs):`"
    assert text_at(error) == "def c(self):"


def test_branches_that_meet_inside_a_foreach_are_told_by_the_inner_split(load: Load) -> None:
    error = refusal(
        load,
        start="self.fan, foreach='xs'",
        fan="self.a, self.b",
        a="self.c",
        b="self.c",
        c="self.join",
        join="self.end/j",
        end="",
    )
    assert "the branches 'a' and 'b' of the split in step 'fan' meet" in error.message


def test_an_unjoined_foreach_is_refused_and_the_collecting_step_told(load: Load) -> None:
    error = refusal(load, start="self.a, foreach='xs'", a="self.b", b="self.end", end="")
    assert "the foreach in step 'start' is never joined before 'end'" in error.message
    assert "`def b(self, inputs):`" in (error.hint or "")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [("self.a, self.b", "split"), ("self.a, foreach='xs'", "foreach")],
)
def test_a_split_that_runs_into_the_end_is_refused(load: Load, arguments: str, word: str) -> None:
    more = {"b": "self.end"} if "self.b" in arguments else {}
    error = refusal(load, start=arguments, a="self.end", **more, end="")
    assert f"the {word} in step 'start' is never joined" in error.message
    assert "add a step `def join(self, inputs):`" in (error.hint or "")


def test_only_the_inner_of_two_splits_being_joined_is_not_enough(load: Load) -> None:
    error = refusal(
        load,
        start="self.a, foreach='xs'",
        a="self.b, foreach='ys'",
        b="self.join",
        join="self.end/j",
        end="",
    )
    assert "the foreach in step 'start' is never joined" in error.message


def test_inputs_without_a_split_are_refused(load: Load) -> None:
    error = refusal(load, start="self.a", a="self.end/j", end="")
    assert "no split or foreach is open" in error.message
    assert "`def a(self):`" in (error.hint or "")


def test_a_start_with_inputs_is_refused(load: Load) -> None:
    assert "nothing runs before it" in refusal(load, start="self.end/j", end="").message


def test_an_end_with_inputs_is_refused(load: Load) -> None:
    error = refusal(load, start="self.a, self.b", a="self.end", b="self.end", end="/j")
    assert "the end cannot be a join" in error.message


@pytest.mark.parametrize(
    "arguments",
    ["self.c, self.d", "self.c, foreach='xs'", "{'x': self.c, 'y': self.d}, condition='k'"],
)
def test_a_join_that_splits_again_is_refused(load: Load, arguments: str) -> None:
    error = refusal(
        load,
        start="self.a, self.b",
        a="self.join",
        b="self.join",
        join=f"{arguments}/j",
        c="self.end",
        d="self.end",
        end="",
    )
    assert "'join' is both a join" in error.message


def test_a_join_of_different_splits_is_refused(load: Load) -> None:
    error = refusal(
        load,
        start="self.a, self.b",
        a="self.c, self.d",
        b="self.join",
        c="self.join",
        d="self.join",
        join="self.end/j",
        end="",
    )
    assert "joins branches of different splits" in error.message
    assert "'b', 'c', 'd'" in error.message


def test_a_join_that_misses_a_branch_is_refused(load: Load) -> None:
    error = refusal(
        load,
        start="self.a, self.b, self.c",
        a="self.join",
        b="self.join",
        c="self.late",
        join="self.late/j",
        late="self.end/j",
        end="",
    )
    assert "joins only some branches" in error.message
    assert "'c' never leads to it" in error.message


@pytest.mark.parametrize("arguments", ["self.join, self.a", "self.join, foreach='xs'"])
def test_a_split_straight_into_its_join_is_refused(load: Load, arguments: str) -> None:
    more = {"a": "self.join"} if "self.a" in arguments else {}
    error = refusal(load, start=arguments, **more, join="self.end/j", end="")
    assert "leads straight to the join 'join'" in error.message
    assert text_at(error).startswith("self.next(self.join")


def test_a_switch_straight_into_a_join_is_refused(load: Load) -> None:
    error = refusal(
        load,
        start="self.a, foreach='xs'",
        a="{'x': self.b, 'y': self.join}, condition='k'",
        b="self.join",
        join="self.end/j",
        end="",
    )
    assert "the switch in step 'a' leads straight to the join" in error.message


def test_two_joins_of_one_foreach_are_refused(load: Load) -> None:
    error = refusal(
        load,
        start="self.a, foreach='xs'",
        a="{'x': self.b, 'y': self.c}, condition='k'",
        b="self.one",
        c="self.two",
        one="self.end/j",
        two="self.end/j",
        end="",
    )
    assert "is joined by" in error.message
    assert "'one'" in error.message
    assert "'two'" in error.message


def test_a_switch_out_of_a_foreach_is_refused(load: Load) -> None:
    error = refusal(
        load,
        start="self.fan",
        fan="self.a, foreach='xs'",
        a="{'x': self.b, 'y': self.after}, condition='k'",
        b="self.join",
        join="self.after/j",
        after="self.end",
        end="",
    )
    assert "'after' is reached both from within the foreach in step 'fan' and" in error.message


def test_a_switch_back_into_an_open_foreach_is_refused(load: Load) -> None:
    error = refusal(
        load,
        start="self.fan",
        fan="self.a, foreach='xs'",
        a="{'x': self.b, 'again': self.fan}, condition='k'",
        b="self.join",
        join="self.end/j",
        end="",
    )
    assert "'fan' is reached both from within the foreach in step 'fan' and" in error.message


def test_many_unjoined_splits_are_refused_without_following_every_way(load: Load) -> None:
    transitions = {}
    for i in range(40):  # 2 ** 40 ways
        transitions |= {f"s{i}": f"self.a{i}, self.b{i}"}
        transitions |= {f"a{i}": f"self.s{i + 1}", f"b{i}": f"self.s{i + 1}"}
    error = refusal(load, start="self.s0", **transitions, s40="self.end", end="")
    assert "the branches 'a0' and 'b0' of the split in step 's0' meet" in error.message
