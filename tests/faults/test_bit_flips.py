"""Whatever befalls one file, fsck finds it or it costs nothing, and nothing wrong is read.

The short form turns over a sample of bits of every file; `--long` every bit of every file, one at
a time, which takes hours. What lies in cache/ and tmp/ is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from harming import Harm, Patient, cuts, files_of, flip, flip_all, kind_of, sampled_bits, swaps
from harming import tally as tally_of
from smallrepo import make_small

KINDS = {"archive", "checkpoint", "config.toml", "entry", "format", "packs", "tip"}


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Patient:
    folder = tmp_path_factory.mktemp("small") / ".mfv"
    make_small(folder)
    return Patient(files_of(folder))


def first_of_each_kind(patient: Patient) -> set[str]:
    """The largest file of each kind."""
    by_size = sorted(patient.files, key=lambda key: len(patient.files[key]))
    return set({kind_of(key): key for key in by_size}.values())


def check(patient: Patient, harms: Iterator[Harm] | list[Harm]) -> None:
    counts = tally_of(patient, harms)
    assert [bad for one in counts.values() for bad in one.bad] == []
    assert sum(one.found for one in counts.values()) > 0


def test_the_repository_is_small_and_has_a_file_of_each_kind(patient: Patient) -> None:
    assert {kind_of(key) for key in patient.files} == KINDS
    assert sum(map(len, patient.files.values())) < 48 << 10


def test_a_bit_turned_over_is_found_or_costs_nothing(patient: Patient, long: bool) -> None:
    if long:
        counts = flip_all(patient.files)
        print({kind: one[:2] for kind, one in counts.items()})
        assert [bad for one in counts.values() for bad in one.bad] == []
        bits = 8 * sum(map(len, patient.files.values()))
        assert sum(one.found + one.harmless for one in counts.values()) == bits
        return
    detailed = first_of_each_kind(patient)
    check(
        patient,
        (
            flip(patient.files, key, bit)
            for key, data in patient.files.items()
            for bit in (
                sampled_bits(len(data), ends=20, between=16)
                if key in detailed
                else sampled_bits(len(data), ends=3, between=3)
            )
        ),
    )


def test_a_file_that_is_gone_emptied_or_cut_is_found_or_costs_nothing(
    patient: Patient, long: bool
) -> None:
    keys = sorted(patient.files) if long else sorted(first_of_each_kind(patient))
    check(patient, (harm for key in keys for harm in cuts(patient.files, key)))


def test_two_whole_files_in_each_others_place_are_found(patient: Patient, long: bool) -> None:
    check(patient, swaps(patient.files) if long else islice(swaps(patient.files), 0, None, 5))


def test_what_a_wrong_reading_would_be_is_seen(patient: Patient) -> None:
    """The judge itself: it tells a wrong value, a run that is not there, and a tag less."""
    other = dict(patient.whole)
    name = next(name for name in other if name.startswith("blob "))
    assert patient.misled({**other, name: b"wrong"}, told=True) != ""
    assert patient.misled({n: v for n, v in other.items() if n != name}, told=False) != ""
    said = next(name for name in other if name.startswith("log:"))
    assert patient.misled({**other, said: b"less"}, told=False) != ""
    assert patient.misled({**other, said: b"less"}, told=True) == ""
    assert patient.misled(other, told=False) == ""
