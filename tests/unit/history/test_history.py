"""A query is answered alike by the index, by the records, and by plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from histories import Made, fast_repository, make, random_run
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.history import history as histories
from mfv.history.history import History, SortKey
from mfv.query.expression import Not
from mfv.query.parser import parse, parse_field
from mfv.repo.repository import Repository

RUNS = 150
Truth = Callable[[Made], bool]


class Kept:
    """Random runs in a repository, and how each was made."""

    def __init__(self, folder: Path) -> None:
        repository = fast_repository(folder)
        choose = random.Random("runs")
        self.made: dict[str, Made] = {}
        self.recorders = []
        for _ in range(RUNS):
            run = random_run(choose)
            recorder = make(repository, run)
            self.recorders.append(recorder)  # those that are open stay so
            self.made[recorder.name] = run
        self.folder = folder

    def names(self, query: str | None, *sort: SortKey, by_index: bool, n: int | None = None) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            entries = 0 if by_index else 1 << 40
            patch.setattr(histories, "NAMES_FROM", entries)
            patch.setattr(histories, "QUERIES_FROM", entries)
            history = History(Repository.open(self.folder))
            asked = None if query is None else parse(query)
            chosen = history.select(asked, sort, n)
            assert (history._opened is not None) == by_index
            return [run.name for run in chosen.runs], chosen.count_left()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("history") / ".mfv")


def value(run: Made, name: str) -> Any:
    """What a query for a bare name, or one with its section, finds."""
    left = {} if run.status is None else run.metrics
    metrics = {key: one for key, one in left.items() if key not in run.parameters}
    sections = {"metrics": metrics, "params": run.parameters}
    section, dot, rest = name.partition(".")
    found = [sections[section].get(rest)] if dot else [one.get(name) for one in sections.values()]
    for one in found:
        # Of lists and the like, and of numbers that no record has in place, a query knows nothing.
        if (isinstance(one, (str, float)) and one == one) or (
            isinstance(one, int) and one < 1 << 63
        ):
            return one
    return None


def kind(one: Any) -> type:
    return bool if isinstance(one, bool) else str if isinstance(one, str) else float


def compared(name: str, sign: str, wanted: Any) -> Truth:
    signs: dict[str, Callable[[Any, Any], bool]] = {
        "=": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        ">=": lambda a, b: a >= b,
    }

    def is_true(run: Made) -> bool:
        found = value(run, name)
        if found is None or kind(found) is not kind(wanted):
            return False
        return signs[sign](found, wanted)

    return is_true


def status(run: Made) -> str:
    return run.status or "open"


NAMES = ["lr", "params.lr", "accuracy", "metrics.accuracy", "opt", "deep", "score", "metrics.score"]
LEAVES: st.SearchStrategy[tuple[str, Truth]] = st.one_of(
    st.builds(
        lambda name, sign, number: (f"{name} {sign} {number}", compared(name, sign, number)),
        st.sampled_from(NAMES),
        st.sampled_from(["=", "!=", "<", ">="]),
        st.sampled_from([0.1, 0.01, 1, 0.9, 0, 7, -5, 1e20]),
    ),
    st.builds(
        lambda name, sign, text: (f"{name} {sign} '{text}'", compared(name, sign, text)),
        st.sampled_from(NAMES),
        st.sampled_from(["=", "!=", "<", ">="]),
        st.sampled_from(["adam", "sgd", "", "none", "ünï", "yes"]),
    ),
    st.builds(
        lambda name, sign, flag: (f"{name} {sign} {flag}", compared(name, sign, flag)),
        st.sampled_from(["deep", "score", "metrics.score"]),
        st.sampled_from(["=", "!="]),
        st.booleans(),
    ),
    st.builds(
        lambda name: (name, lambda run: _has(run, name)),
        st.sampled_from(NAMES),
    ),
    st.builds(
        lambda name: (f"{name} ~ 'a'", lambda run: "a" in _text(value(run, name))),
        st.sampled_from(["opt", "params.opt", "accuracy"]),
    ),
    st.builds(
        lambda sign, one: (
            f"status {sign} {one}",
            lambda run: (status(run) == one) == (sign == "="),
        ),
        st.sampled_from(["=", "!="]),
        st.sampled_from(["ok", "failed", "interrupted", "crashed", "open"]),
    ),
    st.sampled_from(["prod", "best", "v?", "*", "x"]).map(
        lambda glob: (f"tag:{glob}", lambda run: any(_fits(glob, tag) for tag in run.tags))
    ),
    st.sampled_from(["TrainFlow", "*Flow", "E*"]).map(
        lambda glob: (f"flow:{glob}", lambda run: _fits(glob, run.flow))
    ),
    st.sampled_from(["ana", "ben", "c"]).map(
        lambda user: (f"user = {user}", lambda run: run.user == user)
    ),
    st.sampled_from(["start", "end"]).map(
        lambda step: (f"step:{step}", lambda run: (run.status == "ok") == (step == "end"))
    ),
    st.just(("opt in (adam, sgd)", lambda run: value(run, "opt") in ("adam", "sgd"))),
    st.just(("package:numpy<3", lambda run: True)),
    st.just(("failure = ValueError", lambda run: run.status == "failed")),
    st.just(("deep = none", lambda run: not _has(run, "deep"))),
)


def _has(run: Made, name: str) -> bool:
    return value(run, name) is not None and value(run, name) is not False


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""


def _fits(glob: str, text: str) -> bool:
    if glob.endswith("?"):
        return len(text) == len(glob) and text.startswith(glob[:-1])
    if glob.startswith("*"):
        return text.endswith(glob[1:])
    return text.startswith(glob[:-1]) if glob.endswith("*") else text == glob


QUERIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda a, b: (f"({a[0]}) and ({b[0]})", lambda run: a[1](run) and b[1](run)),
            inner,
            inner,
        ),
        st.builds(
            lambda a, b: (f"({a[0]}) or ({b[0]})", lambda run: a[1](run) or b[1](run)),
            inner,
            inner,
        ),
        inner.map(lambda a: (f"not ({a[0]})", lambda run: not a[1](run))),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(asked=QUERIES)
def test_every_query_agrees_with_a_filter_in_plain_python(
    kept: Kept, asked: tuple[str, Truth]
) -> None:
    query, is_true = asked
    expected = [name for name, run in reversed(kept.made.items()) if is_true(run)]
    assert kept.names(query, by_index=True) == (expected, 0)
    assert kept.names(query, by_index=False) == (expected, 0)


def ordered(kept: Kept, name: str, descending: bool) -> list[str]:
    """All runs by one value: numbers before texts before flags, those without one last."""
    newest_first = list(reversed(kept.made.items()))
    with_one = [
        (name_, value(run, name)) for name_, run in newest_first if value(run, name) is not None
    ]
    without = [name_ for name_, run in newest_first if value(run, name) is None]
    ranks = [float, str, bool]
    with_one.sort(key=lambda one: (ranks.index(kind(one[1])), one[1]), reverse=descending)
    return [name_ for name_, _ in with_one] + without


@pytest.mark.parametrize("by_index", [True, False])
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("name", ["lr", "accuracy", "deep", "metrics.score", "params.opt"])
def test_runs_are_sorted_by_a_value_and_those_without_one_come_last(
    kept: Kept, name: str, descending: bool, by_index: bool
) -> None:
    key = SortKey(parse_field(name), descending)
    assert kept.names(None, key, by_index=by_index) == (ordered(kept, name, descending), 0)
    first, left = kept.names(None, key, by_index=by_index, n=7)
    assert (first, left) == (ordered(kept, name, descending)[:7], RUNS - 7)


@pytest.mark.parametrize("by_index", [True, False])
def test_several_keys_count_one_after_the_other(kept: Kept, by_index: bool) -> None:
    keys = [SortKey(parse_field("flow")), SortKey(parse_field("number"), True)]
    expected = sorted(kept.made, key=lambda n: (n.partition("/")[0], -int(n.partition("/")[2])))
    assert kept.names(None, *keys, by_index=by_index) == (expected, 0)


@pytest.mark.parametrize("name", ["status", "duration", "name", "started", "user", "commit", "id"])
def test_the_runs_own_fields_sort_alike_with_and_without_the_index(kept: Kept, name: str) -> None:
    key = SortKey(parse_field(name))
    found, expected = (kept.names(None, key, by_index=which)[0] for which in (True, False))
    assert sorted(found) == sorted(kept.made)
    assert name == "duration" or found == expected  # of open runs it grows meanwhile


@pytest.mark.parametrize("by_index", [True, False])
def test_no_more_runs_than_asked_for_and_the_rest_is_counted(kept: Kept, by_index: bool) -> None:
    found, left = kept.names(None, by_index=by_index, n=10)
    assert found == list(reversed(kept.made))[:10]
    assert left == RUNS - 10
    matching = [name for name, run in reversed(kept.made.items()) if status(run) == "open"]
    assert kept.names("status = open", by_index=by_index, n=2) == (matching[:2], len(matching) - 2)


def test_a_changed_file_is_one_that_differs_from_the_run_before_it_of_the_flow(kept: Kept) -> None:
    before: dict[str, bytes] = {}
    changed = []
    for name, run in kept.made.items():
        if before.get(run.flow) != run.script:
            changed.append(name)
        before[run.flow] = run.script
    for by_index in (True, False):
        assert kept.names("code:*.py", by_index=by_index)[0] == changed[::-1]
        assert kept.names("code:other.py", by_index=by_index)[0] == []


def test_what_is_exact_stays_so_when_it_is_turned_round(kept: Kept) -> None:
    query = "accuracy > 0.6"
    some, others = kept.names(query, by_index=True)[0], kept.names(f"not {query}", by_index=True)[0]
    assert sorted(some + others) == sorted(kept.made)
    assert isinstance(parse(f"not {query}"), Not)
