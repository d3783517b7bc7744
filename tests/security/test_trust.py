"""Whose repository it is decides what is run of it: nothing, unless it is yours or you said so."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from commands import TRAIN, Ended, mfv_command, python
from users import Machine, User, machine, only_root

from mfv.capture import user
from mfv.client import DataArtifact, Run, default_namespace, metadata, namespace
from mfv.errors import ConflictError, UntrustedError
from mfv.manifest.records import Run as RunRecord
from mfv.repo import person, trust
from mfv.repo.config import ConfigError
from mfv.repo.repository import Repository
from mfv.repo.standing import standing_of
from mfv.repo.view import RunView

EVIL = textwrap.dedent('''
    """Leaves a value that runs a command wherever it is unpickled."""

    import os

    import numpy as np

    from mfv import FlowSpec, step


    class Evil:
        def __init__(self, canary):
            self.canary = canary

        def __reduce__(self):
            return os.system, (f"touch {self.canary}",)


    class EvilFlow(FlowSpec):
        @step
        def start(self):
            self.weights = {"w": np.arange(3.0), "names": ("a", "b")}
            self.accuracy = 0.5
            self.next(self.end)

        @step
        def end(self):
            self.model = Evil(os.environ.get("CANARY", "canary"))


    if __name__ == "__main__":
        EvilFlow()
    ''')


@pytest.fixture(autouse=True)
def _the_clients_own_choices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test after these is to look into the evil repository."""
    monkeypatch.setattr("mfv.client.place._chosen", None)
    yield
    default_namespace()


@pytest.fixture
def computer() -> Iterator[Machine]:
    with machine() as found:
        yield found


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evil")
    (folder / "evil.py").write_text(EVIL)
    assert python(folder, "evil.py", "run").status == 0
    return folder


@pytest.fixture
def evil(tmp_path: Path, recorded: Path) -> Path:
    """A project of one's own in which one value is a trap; `canary` appears where it springs."""
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    return tmp_path


def nothing(folder: Path, *words: str) -> Ended:
    return mfv_command(folder, *words, env={"MFV_TRUST": "none"})


def test_what_is_ones_own_is_unpickled_where_that_is_asked_for(evil: Path) -> None:
    assert mfv_command(evil, "cat", "1/model", "--load").out == "0\n"
    assert (evil / "canary").exists()


def test_nothing_at_all_is_unpickled_where_mfv_trust_says_so(evil: Path) -> None:
    done = nothing(evil, "cat", "1/model", "--load")
    assert done.status == 1
    first, second = done.err.splitlines()
    assert first.startswith("error: 1/model is not loaded: it names posix.system")
    assert "MFV_TRUST" in first
    assert second.startswith("hint: unset MFV_TRUST, or for this once --trust")
    assert not (evil / "canary").exists()
    assert nothing(evil, "cat", "1/model", "--load", "--trust").status == 0
    assert (evil / "canary").exists()


def test_values_of_harmless_data_are_loaded_all_the_same(evil: Path) -> None:
    assert nothing(evil, "cat", "1/weights", "--load").out == (
        "{'w': array([0., 1., 2.]), 'names': ('a', 'b')}\n"
    )
    assert nothing(evil, "cat", "1/accuracy", "--load").out == "0.5\n"


@pytest.mark.parametrize(
    "line",
    [
        "log",
        "show 1",
        "show 1/model",
        "diff 1 1",
        "ls 1",
        "fsck --data",
        "clone 1 out --data",
        "clone 1 other",
        "cat 1/model",
        "cat 1/model --raw",
        "whence evil.py",
        "grep Evil",
        "blame EvilFlow artifact model",
        "graph 1",
        "du --artifacts",
        "gc",
        "reindex",
        "verify 1",
        "verify 1 --load",
        "run evil.py --reuse",
        "resume --origin-run-id 1",
    ],
)
def test_no_command_springs_the_trap_of_a_repository_that_is_not_trusted(
    evil: Path, line: str
) -> None:
    nothing(evil, *line.split())
    assert not (evil / "canary").exists()


def test_the_client_says_what_it_did_not_run_and_how_to_trust_it(
    evil: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(evil)
    metadata(evil / ".mfv")
    namespace(None)
    monkeypatch.setenv("MFV_TRUST", "none")
    data = Run("EvilFlow/1").data
    assert data.accuracy == 0.5
    assert data.weights["names"] == ("a", "b")
    with pytest.raises(UntrustedError, match=r"EvilFlow/1/end/\d+/model .* posix\.system") as told:
        _ = data.model
    assert "`.load(trust=True)`" in str(told.value.hint)
    assert not (evil / "canary").exists()


def test_a_caller_of_the_client_may_ask_for_more_or_for_less(
    evil: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(evil)
    metadata(evil / ".mfv")
    namespace(None)
    model: DataArtifact = Run("EvilFlow/1")["end"].task["model"]
    with pytest.raises(UntrustedError, match="only what is harmless was asked for"):
        model.load(trust=False)
    assert not (evil / "canary").exists()
    monkeypatch.setenv("MFV_TRUST", "none")
    assert model.load(trust=True) == 0
    assert (evil / "canary").exists()


def test_a_run_that_is_resumed_or_verified_has_to_be_trusted(evil: Path) -> None:
    done = python(evil, "evil.py", "resume", env={"MFV_TRUST": "none"})
    assert (done.status, "is not gone on from" in done.err) == (1, True)
    done = nothing(evil, "verify", "1")
    assert (done.status, "is a program, and MFV_TRUST says" in done.err) == (1, True)
    done = python(evil, "evil.py", "run", "--reuse", env={"MFV_TRUST": "none"})
    assert (done.status, "nothing of earlier runs is reused" in done.err + done.out) == (0, True)


def refused(repository: Repository, origin: bytes) -> str:
    found = trust.refusal(repository, origin)
    return "" if found is None else f"{found.reason}: {found.hint}"


def test_a_run_of_another_repository_is_trusted_once_its_origin_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.delenv("MFV_TRUST", raising=False)
    repository = Repository.create(tmp_path / ".mfv")
    own, other = repository.format.repository, bytes(range(16))
    assert refused(repository, own) == ""
    assert f"`mfv trust --origin {other.hex()}`" in refused(repository, other)
    done = mfv_command(
        tmp_path,
        "trust",
        "--origin",
        other.hex(),
        env={"XDG_CONFIG_HOME": str(tmp_path / "settings")},
    )
    assert done.status == 0
    assert refused(repository, other) == ""
    assert refused(repository, bytes(16)) != ""


def test_the_settings_of_a_repository_vouch_for_others_but_not_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    repository = Repository.create(tmp_path / ".mfv")
    other = bytes(range(16))
    own = repository.format.repository.hex()
    config = tmp_path / ".mfv" / "config.toml"
    config.write_text(f'trust.origins = ["{other.hex()}", "{own}"]\n')
    assert refused(Repository.open(tmp_path / ".mfv"), other) == ""
    somebodys = Repository.open(tmp_path / ".mfv")
    somebodys.standing = "foreign"
    for origin in (other, bytes.fromhex(own)):
        assert "`mfv trust " in refused(somebodys, origin)


def test_an_artifact_of_another_origin_is_refused_with_the_command_that_grants_it(
    evil: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(evil / "settings"))
    metadata(evil / ".mfv")
    namespace(None)
    run = Run("EvilFlow/1")
    made: RunRecord | None = run._run_data._now().view.manifest
    assert made is not None
    other = bytes(range(16))
    forged = msgspec.structs.replace(made, origin=other)
    monkeypatch.setattr(RunView, "manifest", property(lambda _: forged))
    with pytest.raises(UntrustedError, match="it was made in another repository") as told:
        _ = run.data.model
    assert f"`mfv trust --origin {other.hex()}`" in str(told.value.hint)
    assert run.data.weights["names"] == ("a", "b")


def test_trusting_a_folder_adds_it_and_leaves_all_else_of_the_settings(tmp_path: Path) -> None:
    path = str(tmp_path / "mfv" / "config.toml")
    assert person.trust(path, folder="/srv/a b")
    assert person.trust(path, folder="/srv/ä")
    assert not person.trust(path, folder="/srv/ä")
    assert person.trust(path, origin="00" * 16)
    assert person.read(path).folders == ("/srv/ä", "/srv/a b")
    assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "# mine\n",
        '[sign]\nkey = "k"\n',
        '[trust]\nfolders = ["/a"]\n',
        '[trust] # whom\nfolders = ["/a"] # all\n\n[sign]\nkey = "k"\n',
        '[trust]\norigins = []\n[sign]\nallowed = {ana = "x"}\n',
        '[sign]\nkey = "k"\n[trust]',
        '[trust]\nfolders = [\n  "/a", # first\n  "/b",\n]\n',
    ],
)
def test_settings_of_any_form_are_added_to(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    before = person.read(str(path))
    assert person.trust(str(path), folder="/new")
    after = person.read(str(path))
    assert after == before._replace(folders=("/new", *before.folders))
    assert all(line in path.read_text() for line in text.splitlines() if "folders" not in line)


@pytest.mark.parametrize("text", ['trust = {folders = ["/a"]}\n', 'trust.folders = ["/a"]\n'])
def test_settings_that_cannot_be_added_to_stay_and_say_what_to_do(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConflictError) as told:
        person.trust(str(path), folder="/new")
    assert '"/new"' in str(told.value.hint)
    assert path.read_text() == text


@pytest.mark.parametrize(
    "text",
    ["trust = 1", "[trust]\nfolder = []", "[trust]\nfolders = 1", "[", '[trust]\norigins = ["x"]'],
)
def test_settings_that_are_wrong_say_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml"):
        person.parse(text, "config.toml")


def test_mfv_trust_wants_a_repository(tmp_path: Path) -> None:
    settings = {"XDG_CONFIG_HOME": str(tmp_path / "settings")}
    assert mfv_command(tmp_path, "trust", ".", env=settings).status == 3
    assert mfv_command(tmp_path, "trust", "--origin", "x", env=settings).status == 2
    Repository.create(tmp_path / ".mfv")
    done = mfv_command(tmp_path, "trust", ".", env=settings)
    assert done.out.startswith(f"trusted: {tmp_path.resolve()}/.mfv, which is of ")
    assert mfv_command(tmp_path, "trust", env=settings).out == f"{tmp_path.resolve()}/.mfv\n"


def opened_to_all(store: Path) -> None:
    for one in (store, *store.rglob("*")):
        one.chmod(0o777 if one.is_dir() else 0o666)


def recorded_by(computer: Machine, owner: User) -> Path:
    folder = computer.folder_of(owner)
    (folder / "train.py").write_text(TRAIN)
    (folder / "evil.py").write_text(EVIL)
    assert owner.python(folder, "train.py", "run").status == 0
    assert owner.python(folder, "evil.py", "run").status == 0
    return folder


@only_root
def test_to_the_repository_of_somebody_else_nothing_is_written_though_one_could(
    computer: Machine,
) -> None:
    ana, eva = computer.user("ana", 1, member=False), computer.user("eva", 2, member=False)
    folder = recorded_by(computer, ana)
    opened_to_all(folder / ".mfv")
    before = {one: one.lstat().st_mtime_ns for one in (folder / ".mfv").rglob("*")}
    for line in ("log", "log --where lr>0", "show TrainFlow/1", "fsck", "ls TrainFlow"):
        done = eva.mfv(folder, *line.split())
        assert done.status == 0, (line, done)
        assert "note: .mfv is of user 54321" in done.err
    for line in ("tag x TrainFlow/1", "gc", "rm TrainFlow/1", "reindex", "note TrainFlow/1 -m x"):
        done = eva.mfv(folder, *line.split())
        assert done.status == 1, (line, done)
        assert "so nothing is written to it" in done.err
        assert "`mfv trust " in done.err
    done = eva.python(folder, "train.py", "run")
    assert (done.status, "so nothing is written to it" in done.err) == (1, True), done
    after = {one: one.lstat().st_mtime_ns for one in (folder / ".mfv").rglob("*")}
    assert after == before


@only_root
def test_nothing_of_somebody_else_is_unpickled_before_one_says_so(computer: Machine) -> None:
    ana, eva = computer.user("ana", 1, member=False), computer.user("eva", 2, member=False)
    folder = recorded_by(computer, ana)
    opened_to_all(folder / ".mfv")
    canary = eva.home / "canary"
    words = ("cat", "EvilFlow/1/model", "--load")
    done = eva.mfv(folder, *words)
    assert done.status == 1
    assert "posix.system" in done.err
    assert eva.mfv(folder, "cat", "EvilFlow/1/weights", "--load").status == 0
    assert eva.mfv(folder, "trust", ".").status == 0
    done = eva.mfv(folder, *words)
    assert (done.status, done.out) == (0, "256\n"), done  # `touch` in a folder that is not hers
    assert not canary.exists()
    assert "note:" not in done.err


@only_root
def test_who_shares_a_repository_writes_to_it_and_unpickles_what_they_trust(
    computer: Machine,
) -> None:
    ana, ben = computer.user("ana", 1, member=True), computer.user("ben", 2, member=True)
    folder = computer.folder_of(ana)
    assert ana.mfv(folder, "init", "--group", computer.group.gr_name).status == 0
    (folder / "evil.py").write_text(EVIL)
    assert ana.python(folder, "evil.py", "run").status == 0
    assert ben.python(folder, "evil.py", "run").status == 0
    done = ben.mfv(folder, "cat", "EvilFlow/1/model", "--load")
    assert (done.status, "and the group" in done.err) == (1, True), done
    assert ben.mfv(folder, "cat", "EvilFlow/1/model", "--load", "--trust").status == 0
    done = ben.mfv(folder, "cat", "1/model", "--load", MFV_TRUST=str(folder))
    assert done.status == 0, done
    # Who shared it trusts those with whom.
    assert ana.mfv(folder, "cat", "EvilFlow/2/model", "--load").status == 0


@only_root
def test_root_is_no_exception_but_for_whom_it_works(
    computer: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("SUDO_UID", "MFV_TRUST"):
        monkeypatch.delenv(name, raising=False)
    ana = computer.user("ana", 1, member=False)
    store = computer.folder_of(ana) / ".mfv"
    assert ana.mfv(store.parent, "init").status == 0
    assert Repository.open(store).standing == "foreign"
    with pytest.raises(UntrustedError):
        Repository.create(store).backend.put("log/1", [b"x"])
    for folders in (store, store.parent, f"/nowhere:{store}", f"{store.parent.parent}/*", "*"):
        monkeypatch.setenv("MFV_TRUST", str(folders))
        assert standing_of(str(store)) == "trusted"
    for folders in ("none", "/", "/nowhere", ".mfv", f"{store}/*", f"{store}x"):
        monkeypatch.setenv("MFV_TRUST", str(folders))
        assert standing_of(str(store)) == "foreign"
    monkeypatch.delenv("MFV_TRUST")
    monkeypatch.setenv("SUDO_UID", str(ana.uid))
    assert standing_of(str(store)) == "own"


@only_root
def test_what_is_of_root_is_trusted_by_all(computer: Machine) -> None:
    eva = computer.user("eva", 2, member=False)
    store = Repository.create(computer.folder / ".mfv").folder
    assert store is not None
    Path(store).chmod(0o755)
    for one in Path(store).rglob("*"):
        one.chmod(0o755 if one.is_dir() else 0o644)
    done = eva.mfv(computer.folder, "log")
    assert (done.status, "note:" in done.err) == (0, False)


def test_whose_settings_are_read_is_told_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user.settings_file() == str(tmp_path / "mfv" / "config.toml")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/eva")
    assert user.settings_file() == "/home/eva/.config/mfv/config.toml"
