"""The captured output of a stream: any bytes, in any pieces, in bounded memory."""

from __future__ import annotations

import re
import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mfv.flow.spool import Spool, SpoolFile

MOMENT = 1_700_000_000_000_000  # µs since 1970


def unstamped(content: bytes | SpoolFile) -> bytes:
    """The text of a log, after checking that each line has its time."""
    lines = bytes(content).split(b"\n")
    assert all(re.match(rb"\d{16} ", line) for line in lines if line)
    return b"\n".join(line[17:] for line in lines)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


TEXTS = st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\xff", b"line \x00", b""])).map(b"".join)


@given(st.one_of(TEXTS, st.binary(max_size=300)), st.lists(st.integers(0, 300)))
def test_any_bytes_in_any_pieces_are_kept_and_shown_by_lines(data: bytes, cuts: list[int]) -> None:
    spool = Spool()
    shown = []
    for number, piece in enumerate(pieces_of(data, cuts)):
        shown += spool.add(piece, MOMENT + number)
    *lines, rest = data.split(b"\n")
    assert shown == lines
    assert spool.rest() == rest
    assert spool.rest() == b""
    assert unstamped(spool.content()) == data
    spool.close()


def test_a_line_bears_the_time_at_which_it_began() -> None:
    spool = Spool()
    spool.add(b"first li", MOMENT)
    spool.add(b"ne\nsecond\nthi", MOMENT + 5)
    spool.add(b"rd", MOMENT + 9)
    assert spool.content() == (
        b"1700000000000000 first line\n1700000000000005 second\n1700000000000005 third"
    )


def test_a_carriage_return_is_part_of_its_line() -> None:
    spool = Spool()
    assert spool.add(b" 1%\r 2%\r\ndone\n", MOMENT) == [b" 1%\r 2%\r", b"done"]
    assert unstamped(spool.content()) == b" 1%\r 2%\r\ndone\n"


def test_a_line_without_end_is_shown_in_pieces_and_kept_whole() -> None:
    spool = Spool()
    data = b"x" * 100_000
    shown = [line for piece in pieces_of(data, [40_000, 80_000]) for line in spool.add(piece, 1)]
    assert len(shown) > 1
    assert b"".join([*shown, spool.rest()]) == data
    assert unstamped(spool.content()) == data


def test_nothing_printed_is_an_empty_log() -> None:
    spool = Spool()
    assert spool.content() == b""
    spool.close()


def test_much_output_goes_to_a_file_and_memory_stays_bounded() -> None:
    spool = Spool()
    line = b"0123456789" * 100 + b"\n"
    count = 40_000  # 40 MB
    tracemalloc.start()
    for _ in range(count // 40):
        spool.add(line * 40, MOMENT)
    content = spool.content()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(content) == count * (17 + len(line))
    assert peak < 8 << 20
    assert isinstance(content, SpoolFile)
    assert content.lines == count
    stamped = b"%016d " % MOMENT + line
    assert bytes(content) == stamped * count
    ending = bytearray(100)
    assert content.read_at(memoryview(ending), content.size - 60) == 60
    assert ending[:60] == stamped[-60:]
    spool.close()


def test_the_content_may_be_asked_for_twice_also_when_more_came_in_between() -> None:
    for size in (10, 2 << 20):
        spool = Spool()
        spool.add(b"a" * size + b"\n", MOMENT)
        first = bytes(spool.content())
        assert bytes(spool.content()) == first
        spool.add(b"more\n", MOMENT)
        assert bytes(spool.content()) == first + b"1700000000000000 more\n"
        spool.close()


@given(TEXTS, st.lists(st.integers(0, 300)), st.integers(0, 300))
def test_up_to_a_limit_output_is_kept_and_then_counted(
    data: bytes, cuts: list[int], limit: int
) -> None:
    spool = Spool(limit)
    for piece in pieces_of(data, cuts):
        spool.add(piece, MOMENT)
    said = spool.note_dropped(MOMENT)
    kept = unstamped(spool.content())
    if len(data) <= limit:
        assert (kept, said) == (data, "")
    else:
        assert said == (
            f"[{len(data) - limit} bytes more were printed and are not kept: --max-log-size]"
        )
        ended = data[:limit].endswith(b"\n") or limit == 0
        assert kept == data[:limit] + (b"" if ended else b"\n") + said.encode() + b"\n"
    assert spool.note_dropped(MOMENT) == ""


def test_a_progress_bar_without_line_ends_is_shown_now_and_then_between_two_of_its_states() -> None:
    spool = Spool()
    states = [b"\r%3d%% of all that is to be done" % (number % 100) for number in range(2000)]
    shown = [line for state in states for line in spool.add(state, MOMENT)]
    assert 2 < len(shown) < 20
    assert all(line.endswith(b"done") and len(line) > 8000 for line in shown)
    assert b"".join([*shown, spool.rest()]) == b"".join(states)
