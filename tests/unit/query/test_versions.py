"""Versions of packages are in PEP 440's order."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from mfv.query.versions import fits

SIGNS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

VERSIONS = st.builds(
    lambda epoch, release, pre, post, dev, local: (
        f"{epoch}{'.'.join(map(str, release))}{pre}{post}{dev}{local}"
    ),
    st.sampled_from(["", "", "", "1!"]),
    st.lists(st.integers(0, 12), min_size=1, max_size=4),
    st.sampled_from(["", "", "a1", "b2", "rc1", "rc10"]),
    st.sampled_from(["", "", ".post1", ".post12"]),
    st.sampled_from(["", "", ".dev0", ".dev3"]),
    st.sampled_from(["", "", "+cu118", "+local.7"]),
)


@given(VERSIONS, st.sampled_from(sorted(SIGNS)), VERSIONS)
def test_it_agrees_with_packaging(have: str, sign: str, wanted: str) -> None:
    if "+" in wanted or "+" in have:
        # A wanted version without a local part means all of them, as for pip.
        have, wanted = have.partition("+")[0], wanted.partition("+")[0]
    assert fits(have, sign, wanted) == SIGNS[sign](Version(have), Version(wanted))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("have", "sign", "wanted", "is_so"),
    [
        ("2.1.0+cu118", "=", "2.1", True),
        ("1.26.4", "=", "1.26.*", True),
        ("1.26.4", "=", "1.25.*", False),
        ("1.26.4", "!=", "1.25.*", True),
        ("not a version", "=", "not a version", True),
    ],
)
def test_what_people_expect(have: str, sign: str, wanted: str, is_so: bool) -> None:
    assert fits(have, sign, wanted) == is_so  # type: ignore[arg-type]
