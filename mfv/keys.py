"""Ed25519 keys as people have them, in OpenSSH's files, and what is signed with them.

Knows nothing of runs. The mathematics are those of `cryptography`, which is loaded by who signs or
checks a signature, and by nobody else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Callable
from typing import Any, NamedTuple

from mfv.errors import ConflictError, MfvError, NotFoundError, UsageError

KEY_BYTES = 32
SIGNATURE_BYTES = 64
_KIND = b"ssh-ed25519"
_HEAD = len(_KIND).to_bytes(4, "big") + _KIND + KEY_BYTES.to_bytes(4, "big")
_LARGEST = 1 << 16  # bytes of a file with a key


class KeyFileError(MfvError):
    """A file with a key to sign with cannot be used."""

    code = "key"


class Signer(NamedTuple):
    """A private key, ready to sign."""

    public: bytes
    sign: Callable[[bytes], bytes]


def load_signer(path: str) -> Signer:
    """The private key in the file `path`: OpenSSH's or PEM, Ed25519, without a passphrase.

    Raises NotFoundError, KeyFileError.
    """
    path = os.path.expanduser(path)
    data = _read_private(path)
    ed25519, serialization = _library()
    load = (
        serialization.load_ssh_private_key
        if b"OPENSSH PRIVATE KEY" in data
        else serialization.load_pem_private_key
    )
    try:
        key = load(data, password=None)
    except Exception as error:  # what the library says to what is in the file
        if isinstance(error, TypeError) or b"ENCRYPTED" in data or "assword" in str(error):
            raise KeyFileError(
                f"the key in {path} has a passphrase, and mfv signs without asking for one",
                hint="`mfv sign --new-key FILE` makes a key for mfv alone",
            ) from None
        raise KeyFileError(f"{path} holds no private key") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise KeyFileError(
            f"the key in {path} is none of Ed25519", hint="`mfv sign --new-key FILE` makes one"
        )
    public = key.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    return Signer(public, key.sign)


def make_key(path: str) -> bytes:
    """Writes a new private key to `path`, for its owner alone; returns the public one.

    Raises ConflictError where there is a file already, KeyFileError.
    """
    path = os.path.expanduser(path)
    ed25519, serialization = _library()
    key = ed25519.Ed25519PrivateKey.generate()
    data = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(path, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
    except FileExistsError:
        raise ConflictError(f"there is a file {path} already", hint="choose another name") from None
    except OSError as error:
        raise KeyFileError(f"cannot write {path}: {error.strerror}") from None
    public: bytes = key.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    return public


def is_signed(public: bytes, data: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `data` by the key `public`."""
    ed25519, _ = _library()
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except Exception:  # InvalidSignature, or a key that is no point of the curve
        return False
    return True


def parse_public(text: str) -> bytes:
    """The public key in a line of OpenSSH's (`ssh-ed25519 AAAA... ana`), or `ed25519:BASE64`.

    Raises UsageError.
    """
    words = text.split()
    try:
        if words and words[0].startswith("ed25519:"):
            key = base64.b64decode(words[0].removeprefix("ed25519:"), validate=True)
        else:
            _, encoded, *_ = words
            data = base64.b64decode(encoded, validate=True)
            key = data.removeprefix(_HEAD)
            if data != _HEAD + key:
                raise ValueError
        if len(key) != KEY_BYTES:
            raise ValueError
    except (ValueError, binascii.Error):
        raise UsageError(
            f"{text[:80]!r} is no public key of Ed25519",
            hint="it takes the line of a .pub file: ssh-ed25519 AAAA...",
        ) from None
    return key


def public_text(key: bytes) -> str:
    """A public key as OpenSSH writes it."""
    return f"{_KIND.decode()} {base64.b64encode(_HEAD + key).decode()}"


def fingerprint(key: bytes) -> str:
    """The short name of a public key, as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(_HEAD + key).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _read_private(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(_LARGEST)
    except FileNotFoundError:
        raise NotFoundError(
            f"there is no key {path}", hint="`mfv sign --new-key FILE` makes one"
        ) from None
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from None
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise KeyFileError(f"others can read the key {path}", hint=f"chmod 600 {path}")
    return data


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise KeyFileError(
            "signatures need the package cryptography",
            hint='pip install "mfv-store[sign]"',
        ) from None
    return ed25519, serialization
