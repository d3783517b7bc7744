"""Changing the tags of a run, by Metaflow's rules."""

from __future__ import annotations

from collections.abc import Iterable

from mfv.client.errors import MetaflowTaggingError
from mfv.client.rundata import RunData
from mfv.errors import NotFoundError
from mfv.repo.tags import TAGS_PER_RUN

_LONGEST = 500  # characters

Tag = str | bytes


def change_tags(data: RunData, remove: Tag | Iterable[Tag], add: Tag | Iterable[Tag]) -> None:
    """Takes tags off a run, then puts tags on: all of it or nothing.

    A user tag to be removed that is not there is passed over, and so is one to be added that is
    there, be it a system tag. Raises MetaflowTaggingError for a system tag to be removed, an
    empty change, a tag of 0 or more than 500 characters, or more tags than a run can bear, and
    UsageError for a name that the command line could not tell from something else.
    """
    removing, adding = _read(remove), _read(add)
    if not removing and not adding:
        raise MetaflowTaggingError("no tag was given to add or to remove")
    system = data.system_tags()
    fixed = [tag for tag in removing if tag in system]
    if fixed:
        raise MetaflowTaggingError(
            f"{', '.join(fixed)} cannot be removed from {data.name}: the system gave it",
            hint="what the system says of a run stays; remove tags that people put on",
        )
    adding = [tag for tag in adding if tag not in system]
    tried = None
    while True:
        state = data.state
        after = {*state.tags}.difference(removing).union(adding)
        if len(after) > max(TAGS_PER_RUN, len(state.tags)):
            raise MetaflowTaggingError(
                f"{data.name} would bear {len(after)} tags", hint=f"at most {TAGS_PER_RUN} fit"
            )
        off = [(state, tag) for tag in removing if tag in state.tags and tag not in adding]
        on = [(state, tag) for tag in adding if tag not in state.tags]
        names = [tag for _, tag in off], [tag for _, tag in on]
        try:
            with data.place.lock:
                data.place.repository.tag(add=on, remove=off)
        except NotFoundError:
            # Somebody else took one of them off in between, which is as well.
            if names == tried:
                raise
            tried = names
            continue
        return


def _read(tags: Tag | Iterable[Tag]) -> list[str]:
    """The tags as text, each once, in their order."""
    if isinstance(tags, (str, bytes)):
        tags = [tags]
    try:
        return list(dict.fromkeys(_text(tag) for tag in tags))
    except TypeError:
        raise MetaflowTaggingError(f"{tags!r} is neither a tag nor several") from None


def _text(tag: Tag) -> str:
    if isinstance(tag, bytes):
        try:
            tag = tag.decode()
        except UnicodeDecodeError:
            raise MetaflowTaggingError(f"{tag!r} cannot be a tag: it is not UTF-8") from None
    if not isinstance(tag, str):
        raise MetaflowTaggingError(f"{tag!r} cannot be a tag: it is not text")
    if not 1 <= len(tag) <= _LONGEST:
        raise MetaflowTaggingError(
            f"{tag[:40]!r} cannot be a tag: it has {len(tag)} characters",
            hint=f"a tag has 1 to {_LONGEST}",
        )
    return tag
