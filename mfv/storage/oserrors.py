"""What the machine refuses, as one sentence with what to do now."""

from __future__ import annotations

import errno
import os

from mfv.errors import StorageError

_HINTS = {
    errno.ENOSPC: "free some space, then run the same command again; what was recorded is kept",
    errno.EDQUOT: "free some of your quota, then run the same command again",
    errno.EROFS: "the file system is read-only; write to another folder with MFV_DIR",
    errno.EACCES: "check who owns the folder, or write to another one with MFV_DIR",
    errno.EPERM: "check who owns the folder, or write to another one with MFV_DIR",
    errno.ENFILE: "too many files are open on this machine: end something, then run it again",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`), then run it again",
    errno.EIO: "the disk reports an error: copy the repository away, then check the disk",
    errno.ENOTSUP: "mfv needs a file system with hard links; set MFV_DIR to a folder on one",
}


def storage_error(error: OSError, doing: str, path: str | os.PathLike[str]) -> StorageError:
    """`error` as one sentence about `path`, with what to do now."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StorageError(f"cannot {doing} {os.fspath(path)}: {reason}", hint=hint_for(error))


def hint_for(error: OSError) -> str | None:
    """What to do about what the machine refused; None where that is not known."""
    return _HINTS.get(error.errno or 0)
