"""What one item of a buffer is, as far as storing it well is concerned."""

from __future__ import annotations

FLOAT = "f"
SIGNED = "i"
UNSIGNED = "u"

# The kind of number (one of the above, little-endian, or anything else for "no number") and the
# bytes of one. A plain tuple, so that whoever knows the object need not know this room.
Item = tuple[str, int]
