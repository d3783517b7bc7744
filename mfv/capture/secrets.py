"""What must never be recorded: files, names and URLs that carry secrets.

Judged by name alone, since reading a file to see whether it is secret would already be too much.
In doubt a path counts as secret, for a snapshot without it is repaired more easily than a leak;
a parameter's name does only when a whole word says so, since `max_tokens` is worth recording.
"""

from __future__ import annotations

import re

REDACTED = "<redacted>"  # what is recorded in the place of a secret


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EXAMPLES = _words("example sample template dist defaults")
_SECRET_FOLDERS = _words(".ssh .gnupg .azure gcloud")
_SECRET_FILES = _words(
    """
    _netrc .boto .dockercfg .env .envrc .git-credentials .htpasswd .my.cnf .netrc .npmrc .pgpass
    .pypirc .s3cfg .vault-token application_default_credentials.json credentials.json kaggle.json
    kubeconfig secrets.env secrets.json secrets.toml secrets.yaml secrets.yml
    """
)
_SECRET_IN_FOLDER = frozenset(
    {
        (".aws", "credentials"),
        (".aws", "config"),
        (".docker", "config.json"),
        (".huggingface", "token"),
        (".kube", "config"),
    }
)
_SECRET_ENDINGS = (
    ".jks",
    ".kdbx",
    ".key",
    ".keystore",
    ".p12",
    ".p8",
    ".pem",
    ".pfx",
    ".ppk",
)
_PRIVATE_KEYS = ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519")

_SECRET_WORDS = _words(
    """
    accesskey accesstoken apikey apikeys apitoken authorization authtoken bearer credential
    credentials creds jwt passcode passphrase passwd password passwords privatekey pwd secret
    secretkey secrets
    """
)
_SECRET_BEFORE_KEY = _words(
    "access account api auth aws azure deploy encryption hf master private service signing ssh"
)
_SECRET_BEFORE_PASS = _words("database db ftp login mysql pg smtp ssh sudo user")
_SECRET_BEFORE_TOKEN = _words("access api auth bearer github gitlab hf oauth refresh session")
# Tokens of a vocabulary, which are what a model is about.
_PLAIN_BEFORE_TOKEN = _words(
    """
    audio begin blank bos by class cls concept control current each end eos eot extra first image
    input last mask max min new newline next num output pad padding per placeholder prev previous
    prompt register sep separator single sos special start stop sub target trigger unk unknown
    video vocab word
    """
)

_SECRET_QUERY = _words(
    "auth awsaccesskeyid code googleaccessid key key-pair-id policy sig signature"
)
_SIGNED_QUERY = ("x-amz-", "x-goog-")


def is_secret_path(path: str) -> bool:
    """Whether the file at `path` (`/`-separated) is likely to hold keys or passwords."""
    folders = path.lower().split("/")
    name = folders.pop()
    if name in _SECRET_FILES or name.endswith(_SECRET_ENDINGS):
        return True
    if not _SECRET_FOLDERS.isdisjoint(folders):
        return True
    if folders and (folders[-1], name) in _SECRET_IN_FOLDER:
        return True
    if name.startswith(".env."):
        return name.rpartition(".")[2] not in _EXAMPLES
    if name.endswith(".env"):
        return name.removesuffix(".env") not in _EXAMPLES
    if name.endswith(".json"):
        stem = name.replace("-", "_")
        return "service_account" in stem or stem.startswith("client_secret")
    return _is_private_key(name)


def _is_private_key(name: str) -> bool:
    if not name.startswith(_PRIVATE_KEYS):
        return False
    for key in _PRIVATE_KEYS:
        # id_rsa.bak and id_rsa_work are keys too; id_rsa.pub is public, id_rsa.py a program.
        if name == key or name.startswith((key + ".", key + "_", key + "-")):
            return not name.endswith((".pub", ".py"))
    return False


def is_secret_name(name: str) -> bool:
    """Whether a parameter, option or variable called `name` is likely to hold a secret.

    Words are told apart by punctuation, digits and camelCase. `api_key`, `HF_TOKEN` and
    `dbPassword` are secret; `tokenizer`, `max_tokens`, `eos_token` and `key` are not.
    """
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    if any(word in _SECRET_WORDS for word in words):
        return True
    for before, word in zip(["", *words], words, strict=False):
        if word in ("key", "keys") and before in _SECRET_BEFORE_KEY:
            return True
        if word == "pass" and before in _SECRET_BEFORE_PASS:
            return True
        if word in ("token", "tokens") and before in _SECRET_BEFORE_TOKEN:
            return True
    if not words or words[-1] != "token":
        return False
    return len(words) == 1 or words[-2] not in _PLAIN_BEFORE_TOKEN


def strip_credentials(url: str) -> str:
    """`url` without user, password, tokens and signatures; unchanged where it has none.

    The user of an ssh URL stays, since it is part of the address; so does all of `git@host:path`.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    end = _end_of_authority(rest)
    authority, tail = rest[:end], rest[end:]
    login, at, host = authority.rpartition("@")
    if at:
        user = login.partition(":")[0]
        keeps_user = user and scheme.lower().endswith(("ssh", "sftp"))
        authority = f"{user}@{host}" if keeps_user else host
    return scheme + separator + authority + _without_secret_parts(tail)


def _end_of_authority(rest: str) -> int:
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" not in host and re.search(r":(?!\d*$)", host) and not host.startswith("["):
        # What follows the colon is no port, so it is a password with an unescaped / ? or #.
        at = rest.rfind("@")
        if at >= 0:
            return at + len(re.split("[/?#]", rest[at:], maxsplit=1)[0])
    return len(host)


def _without_secret_parts(tail: str) -> str:
    path, hash_mark, fragment = tail.partition("#")
    path, question_mark, query = path.partition("?")
    query = _without_secret_fields(query)
    fragment = _without_secret_fields(fragment)
    return "".join(
        (
            path,
            question_mark if query else "",
            query,
            hash_mark if fragment else "",
            fragment,
        )
    )


def _without_secret_fields(query: str) -> str:
    fields = re.split("[&;]", query)
    kept = [field for field in fields if not _is_secret_field(field)]
    return query if len(kept) == len(fields) else "&".join(kept)


def _is_secret_field(field: str) -> bool:
    name, equals, _ = field.partition("=")
    if not equals:
        return False
    if "%" in name:
        from urllib.parse import unquote

        name = unquote(name)
    name = name.lower()
    return name in _SECRET_QUERY or name.startswith(_SIGNED_QUERY) or is_secret_name(name)
