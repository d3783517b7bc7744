"""What a policy keeps and why; and what becomes of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfv.maintain.retention import Candidate, Policy, decide

DAY = 86_400_000_000  # µs


def run(number: int, **more: object) -> Candidate:
    """The run that was opened as that many, a day after the one before."""
    facts = {"flow": "F", "status": "ok", "tags": (), "asked": False, **more}
    return Candidate(number=number, opened=number, started=number * DAY, **facts)  # type: ignore[arg-type]


FIVE = [
    run(1, tags=("prod",)),
    run(2, status="failed"),
    run(3, asked=True),
    run(4, status="crashed"),
    run(5),
]


def kept(policy: Policy, runs: list[Candidate] = FIVE) -> list[int]:
    return sorted(one.run.number for one in decide(runs, policy) if one.is_kept)


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        (Policy(), [1, 2, 3, 4, 5]),
        (Policy(last=0), []),
        (Policy(last=2), [4, 5]),
        (Policy(last=9), [1, 2, 3, 4, 5]),
        (Policy(tagged=True), [1]),
        (Policy(successful=True), [1, 3, 5]),
        (Policy(where="x > 1"), [3]),
        (Policy(within=2 * 86400), [3, 4, 5]),
        (Policy(within=0), [5]),
        (Policy(last=1, tagged=True), [1, 5]),
        (Policy(last=1, tagged=True, where="x"), [1, 3, 5]),
    ],
)
def test_each_rule_keeps_what_it_names_and_together_they_keep_all_of_that(
    policy: Policy, numbers: list[int]
) -> None:
    assert kept(policy) == numbers


def test_rules_count_flow_by_flow() -> None:
    runs = [run(1), run(2, flow="G"), run(3), run(4)]
    found = {one.run.name for one in decide(runs, Policy(last=1)) if one.is_kept}
    assert found == {"F/4", "G/2"}


def test_a_run_that_goes_on_is_kept_by_every_rule() -> None:
    (decision,) = decide([run(1, status="open")], Policy(last=0))
    assert decision.reasons == ("it is open",)


def test_it_says_why_each_run_is_kept() -> None:
    decisions = decide(FIVE, Policy(last=3, within=DAY / 1e6, tagged=True, where="x > 1"))
    assert {one.run.number: one.reasons for one in decisions} == {
        5: ("one of the last 3", "young enough"),
        4: ("one of the last 3", "young enough"),
        3: ("one of the last 3", "x > 1"),
        2: (),
        1: ("tagged prod",),
    }
    assert [one.run.number for one in decisions] == [5, 4, 3, 2, 1]


RUNS = st.lists(
    st.builds(
        lambda flow, status, tags, asked: (flow, status, tuple(tags), asked),
        st.sampled_from("FG"),
        st.sampled_from(["ok", "failed", "open"]),
        st.lists(st.sampled_from("ab"), unique=True),
        st.booleans(),
    ),
    max_size=12,
)
POLICIES = st.builds(
    Policy,
    st.none() | st.integers(0, 4),
    st.none() | st.sampled_from([0.0, 86400.0, 3 * 86400.0]),
    st.booleans(),
    st.booleans(),
    st.none() | st.just("x"),
)


@given(RUNS, POLICIES, POLICIES)
def test_more_rules_never_keep_less(
    facts: list[tuple[str, str, tuple[str, ...], bool]], policy: Policy, other: Policy
) -> None:
    runs = [
        run(number, flow=flow, status=status, tags=tags, asked=asked)
        for number, (flow, status, tags, asked) in enumerate(facts, 1)
    ]
    both = Policy(
        max((one for one in (policy.last, other.last) if one is not None), default=None),
        max((one for one in (policy.within, other.within) if one is not None), default=None),
        policy.tagged or other.tagged,
        policy.successful or other.successful,
        policy.where or other.where,
    )
    if policy and other:
        assert set(kept(both, runs)) == set(kept(policy, runs)) | set(kept(other, runs))


@given(RUNS, POLICIES)
def test_what_is_kept_is_kept_again(
    facts: list[tuple[str, str, tuple[str, ...], bool]], policy: Policy
) -> None:
    runs = [
        run(number, flow=flow, status=status, tags=tags, asked=asked)
        for number, (flow, status, tags, asked) in enumerate(facts, 1)
    ]
    once = [one for one in runs if one.number in kept(policy, runs)]
    assert kept(policy, once) == kept(policy, runs)
