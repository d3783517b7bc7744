"""What people may say of runs: one validator for tags and flow names, and one for notes."""

from __future__ import annotations

import unicodedata

from mfv.errors import UsageError

TAG_LIMIT = 200  # bytes of UTF-8
TAGS_PER_RUN = 50
NOTE_LIMIT = 64 << 10  # bytes of UTF-8
_RESERVED = {"head", "latest", "con", "prn", "aux", "nul", ".mfv"}
_HEX = set("0123456789abcdef")


def check_tag(tag: str) -> str:
    """`tag` itself if it can be a tag; else UsageError that says what is wrong with it."""
    reason = _trouble(tag)
    if reason:
        raise UsageError(
            f"{tag!r} cannot be a tag: {reason}",
            hint="use letters, digits, '.', '_', '-' and ':', for example best or team:prod",
        )
    return tag


def check_note(text: str) -> None:
    """UsageError for what cannot be a note: it is too long, or no text."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise UsageError("a note is text, and this is not valid UTF-8") from None
    if size > NOTE_LIMIT:
        raise UsageError(
            f"a note has at most {NOTE_LIMIT} bytes, and this one has {size}",
            hint="put long texts into a file that the run leaves, and name it",
        )


def _trouble(tag: str) -> str | None:
    if not tag:
        return "it is empty"
    try:
        size = len(tag.encode())
    except UnicodeEncodeError:
        return "it is not valid text"
    if size > TAG_LIMIT:
        return f"it is longer than {TAG_LIMIT} bytes"
    if any(unicodedata.category(char)[0] in "CZ" for char in tag):
        return "it has a space, a control character or an invisible one"
    if unicodedata.normalize("NFC", tag) != tag:
        return "its accents are written apart from their letters (it is not NFC)"
    if tag.startswith(("-", ".", "@")) or tag.endswith((".lock", ".")):
        return "it starts or ends as no name may"
    if ".." in tag or set(tag) & set("/\\~^@{}*?[]|<>\"'"):
        return "it has a character that revisions or file systems use"
    if tag.lower() in _RESERVED:
        return "that word has a meaning of its own"
    if tag.isdecimal() or (len(tag) >= 8 and set(tag.lower()) <= _HEX):
        return "it reads as a run number or an id"
    return None
