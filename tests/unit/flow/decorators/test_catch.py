"""`@catch`: a failure becomes an artifact, and the run goes on."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import pytest
from attempting import attempt, begin, refusal

from mfv.flow.decorators.catch import catch
from mfv.flow.decorators.retry import retry
from mfv.flow.exceptions import MetaflowExceptionWrapper
from mfv.flow.order import Transition
from mfv.flow.spec import FlowSpec, step


class Failing(FlowSpec):
    @catch(var="failure")
    @step
    def start(self) -> None:
        self.before = 1
        raise ValueError("no such thing")
        self.next(self.a, self.b)

    @step
    def a(self) -> None:
        self.next(self.join)

    @step
    def b(self) -> None:
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.next(self.end)

    @step
    def end(self) -> None: ...


class Fine(FlowSpec):
    @catch(var="failure")
    @step
    def start(self) -> None:
        self.next(self.end)

    @step
    def end(self) -> None: ...


class Retried(FlowSpec):
    @catch(var="failure", print_exception=False)
    @retry(times=2)
    @step
    def start(self) -> None:
        raise ValueError("no")
        self.next(self.end)

    @step
    def end(self) -> None: ...


def test_the_exception_is_kept_as_text_and_all_next_steps_follow() -> None:
    tried = attempt(Failing)
    assert tried.ok
    kept = tried.values["failure"]
    assert (kept.type, kept.exception) == ("builtins.ValueError", "no such thing")
    assert kept.stacktrace.startswith("Traceback (most recent call last):\n")
    assert 'raise ValueError("no such thing")' in kept.stacktrace
    assert "decorators/" not in kept.stacktrace.replace(__file__, "")
    assert tried.report.transition == Transition(("a", "b"))


def test_what_was_set_before_the_exception_is_kept() -> None:
    assert attempt(Failing).values["before"] == 1


def test_without_an_exception_var_is_none() -> None:
    tried = attempt(Fine)
    assert tried.ok
    assert tried.values == {"failure": None}


def test_the_traceback_is_printed_unless_that_is_turned_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    attempt(Failing)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "@catch caught an exception from Failing"
    assert printed[-1] == ">  ValueError: no such thing"
    attempt(Retried, number=2)
    assert capsys.readouterr().out == ""


def test_an_attempt_after_which_others_follow_fails_and_only_the_last_is_caught() -> None:
    assert [attempt(Retried, number=number).ok for number in (0, 1, 2)] == [False, False, True]


def test_a_fallback_runs_nothing_of_the_step_and_says_that_its_process_kept_dying() -> None:
    class F(FlowSpec):
        @catch(var="failure")
        @step
        def start(self) -> None:
            self.ran = True
            self.next(self.end)

        @step
        def end(self) -> None: ...

    tried = attempt(F, number=1)
    assert tried.ok
    assert "ran" not in tried.values
    assert tried.values["failure"].type == "mfv.flow.exceptions.FailureHandledByCatch"
    assert "in its one attempt" in tried.values["failure"].exception
    later = attempt(Retried, number=3)
    assert "in all of its 3 attempts" in later.values["failure"].exception
    assert "Traceback" not in later.values["failure"].stacktrace


def test_an_exit_is_no_exception_and_is_left_to_the_fallbacks() -> None:
    class F(FlowSpec):
        @catch(var="failure")
        @step
        def start(self) -> None:
            sys.exit(3)

    assert not attempt(F).ok


def test_at_the_end_step_nothing_follows() -> None:
    class F(FlowSpec):
        @step
        def start(self) -> None:
            self.next(self.end)

        @catch(var="failure")
        @step
        def end(self) -> None:
            raise ValueError("late")

    tried = attempt(F, "end", parents=[{}])
    assert tried.ok
    assert tried.report.transition == Transition()


def test_the_wrapper_survives_pickling_and_shows_the_traceback_as_its_text() -> None:
    kept = pickle.loads(pickle.dumps(attempt(Failing).values["failure"]))
    assert isinstance(kept, MetaflowExceptionWrapper)
    assert str(kept) == kept.stacktrace
    assert repr(kept) == "MetaflowExceptionWrapper(builtins.ValueError: no such thing)"


def test_it_is_refused_on_a_foreach_with_file_and_line() -> None:
    class F(FlowSpec):
        @catch
        @step
        def start(self) -> None:
            self.items = [1]
            self.next(self.each, foreach="items")

        @step
        def each(self) -> None:
            self.next(self.join)

        @step
        def join(self, inputs: Any) -> None:
            self.next(self.end)

        @step
        def end(self) -> None: ...

    error = refusal(F)
    assert error.file == __file__ and error.line
    assert "@catch is on step 'start', which goes on by a foreach" in error.message


def test_it_is_refused_on_a_switch() -> None:
    class F(FlowSpec):
        @catch
        @step
        def start(self) -> None:
            self.kind = "a"
            self.next({"a": self.a, "b": self.b}, condition="kind")

        @step
        def a(self) -> None:
            self.next(self.end)

        @step
        def b(self) -> None:
            self.next(self.end)

        @step
        def end(self) -> None: ...

    assert "which goes on by a switch" in refusal(F).message


@pytest.mark.parametrize("var", ["two words", "", 3])
def test_a_var_that_no_attribute_can_be_named_is_refused(var: object) -> None:
    class F(FlowSpec):
        @catch(var=var)
        @step
        def start(self) -> None: ...

    assert "which no attribute can be named" in refusal(F).message


def test_a_var_that_the_flow_has_already_is_refused() -> None:
    class F(FlowSpec):
        SIZE = 3

        @catch(var="SIZE")
        @step
        def start(self) -> None: ...

    assert "which the flow itself has already" in refusal(F).message


def test_a_plain_catch_keeps_no_artifact_but_the_private_one() -> None:
    class F(FlowSpec):
        @catch
        @step
        def start(self) -> None:
            raise KeyError("x")

    begin(F)
    assert list(attempt(F).values) == ["_catch_exception"]
