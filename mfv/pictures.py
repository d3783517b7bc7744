"""Two versions of a picture beside each other, as one. Pillow reads them: `mfv[pictures]`."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable

from mfv.diff.runs import ValueChange
from mfv.errors import CorruptError, MfvError
from mfv.odb.database import Database

_GAP = 8  # pixels
_MOST = 16_000_000  # pixels of one picture
_LARGEST = 64 << 20  # bytes of one


class NoPillowError(MfvError):
    """Pictures cannot be read here."""

    code = "no-pillow"
    exit_status = 2


def write_pictures(
    changes: Iterable[ValueChange], databases: tuple[Database, Database], folder: str
) -> list[str]:
    """Writes `NAME.png` for each picture that changed: before on the left; returns the paths.

    What is no picture that Pillow reads is left out. Raises NoPillowError, OSError.
    """
    try:
        from PIL import Image
    except ImportError:
        raise NoPillowError(
            "pictures are read by Pillow, which is not installed", hint="pip install pillow"
        ) from None
    Image.MAX_IMAGE_PIXELS = _MOST
    written = []
    for change in changes:
        pair = []
        for artifact, database in zip((change.before, change.after), databases, strict=True):
            media = "" if artifact is None else artifact.summary.media or ""
            if artifact is None or not media.startswith("image/") or not artifact.frames:
                continue
            try:
                data = bytes(database.read_blob(artifact.frames[0].id, largest=_LARGEST))
                image = Image.open(io.BytesIO(data))
                if image.width * image.height <= _MOST:  # before anything is decoded
                    pair.append(image.convert("RGB"))
            except (CorruptError, OSError, ValueError, Image.DecompressionBombError):
                continue
        if len(pair) != 2:
            continue
        left, right = pair
        size = left.width + _GAP + right.width, max(left.height, right.height)
        both = Image.new("RGB", size, "white")
        both.paste(left, (0, 0))
        both.paste(right, (left.width + _GAP, 0))
        os.makedirs(folder, exist_ok=True)
        name = "".join(char if char.isalnum() or char in "._-" else "-" for char in change.name)
        path = os.path.join(folder, f"{name.strip('.-') or 'picture'}.png")
        both.save(path)
        written.append(path)
    return written
