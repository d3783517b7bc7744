"""How many values a record holds, told from its bytes alone.

A value of one byte takes sixty once it is an object: of a record that was made to be large, what
is read of it is to be bounded as well as what is read.
"""

from __future__ import annotations

# By the first byte of a value: the bytes that it takes, those that it holds left out.
_STRETCH = [1] * 256
for _head, _length in {
    **{0xA0 + size: 1 + size for size in range(32)},
    0xCA: 5,
    0xCB: 9,
    0xCC: 2,
    0xCD: 3,
    0xCE: 5,
    0xCF: 9,
    0xD0: 2,
    0xD1: 3,
    0xD2: 5,
    0xD3: 9,
    0xDC: 3,
    0xDD: 5,
    0xDE: 3,
    0xDF: 5,
}.items():
    _STRETCH[_head] = _length
# Text and bytes of any length: how many bytes of it stand behind the first.
_LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}


def holds_more_than(data: bytes, most: int) -> bool:
    """Whether the MessagePack value `data` holds more than `most` values, keys of maps included.

    Of what is malformed anything may be said.
    """
    if len(data) <= most:
        return False
    at, end, count = 0, len(data), 0
    stretch, lengths = _STRETCH, _LENGTHS
    while at < end:
        head = data[at]
        width = lengths.get(head) if 0xC4 <= head <= 0xDB else None
        if width is None:
            at += stretch[head]
        else:
            at += 1 + width + int.from_bytes(data[at + 1 : at + 1 + width], "big")
        count += 1
        if count > most:
            return True
    return False
