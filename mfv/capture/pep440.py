"""Versions as Python's packaging has them (PEP 440): told from other text, in their one spelling.

Knows nothing of where a version comes from.
"""

from __future__ import annotations

import re

_VERSION = r"""
    v?(?:(?P<epoch>[0-9]+)!)?(?P<release>[0-9]+(?:\.[0-9]+)*)
    (?:[-_.]?(?P<pre>alpha|beta|preview|pre|a|b|c|rc)[-_.]?(?P<pre_number>[0-9]*))?
    (?:-(?P<bare_post>[0-9]+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post>[0-9]*))?
    (?:[-_.]?dev[-_.]?(?P<dev>[0-9]*))?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?
"""
_FLAGS = re.VERBOSE | re.IGNORECASE | re.ASCII
_PRE = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}


def is_version(text: str) -> bool:
    """Whether `text` is a version, in whichever of the spellings that PEP 440 takes."""
    return re.fullmatch(_VERSION, text, _FLAGS) is not None


def public_version(text: str, after: int = 0) -> str | None:
    """The public version `after` commits past the version `text`, in its one spelling.

    `v1.0-rc.1` is `1.0rc1`; `1.0` and 5 commits are `1.0.post5`. A version that is a post or a
    development release itself counts on: there is no post release of one. The local part is left
    out. None where `text` is no version.
    """
    found = re.fullmatch(_VERSION, text, _FLAGS)
    if found is None:
        return None
    epoch = int(found["epoch"] or 0)
    release = ".".join(str(int(part)) for part in found["release"].split("."))
    version = f"{epoch}!{release}" if epoch else release
    if found["pre"]:
        name = found["pre"].lower()
        version += f"{_PRE.get(name, name)}{int(found['pre_number'] or 0)}"
    post = _number(found["bare_post"], found["post"])
    dev = _number(found["dev"])
    if dev is not None:
        dev += after
    elif after:
        post = (post or 0) + after
    version += "" if post is None else f".post{post}"
    return version + ("" if dev is None else f".dev{dev}")


def tagged_version(tag: str, after: int = 0) -> str | None:
    """The public version `after` commits past the tag `tag`; None where the tag names none.

    A tag may have a name before its version: `release-1.2`, `model/v1.2`, `train_1.2`.
    """
    version = public_version(tag, after)
    starts = (found.end() for found in re.finditer(r"[-_/.](?=v?[0-9])", tag, re.IGNORECASE))
    for start in starts:
        if version is None and tag[:1].isalpha():
            version = public_version(tag[start:], after)
    return version


def _number(*texts: str | None) -> int | None:
    """The number of a part that is there; 0 where it was spelled without one."""
    there = [text for text in texts if text is not None]
    return int(there[0] or 0) if there else None
