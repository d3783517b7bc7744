"""Signed runs and tags: what is good, and for everything that is not, exactly why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from commands import TRAIN, Ended, mfv_command, python
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from making import memory_repository, whole_run

from mfv import keys
from mfv.errors import ConflictError, MfvError, NotFoundError, UsageError
from mfv.manifest.encoding import encode
from mfv.repo import signing
from mfv.repo.entries import Body, Signature, SignRun, Statement
from mfv.repo.names import RunState
from mfv.repo.repository import Repository


@pytest.fixture
def ana(tmp_path: Path) -> keys.Signer:
    keys.make_key(str(tmp_path / "ana"))
    return keys.load_signer(str(tmp_path / "ana"))


@pytest.fixture
def eva(tmp_path: Path) -> keys.Signer:
    keys.make_key(str(tmp_path / "eva"))
    return keys.load_signer(str(tmp_path / "eva"))


@pytest.fixture
def repository() -> Repository:
    """Two sealed runs of TrainFlow, of which the first bears `prod`."""
    repository = memory_repository()
    for value in (1, 2):
        whole_run(repository, {"accuracy": value})
    repository.tag(add=[(run_of(repository), "prod")])
    return repository


def run_of(repository: Repository, number: int = 1) -> RunState:
    found = repository.state.find("TrainFlow", number)
    assert found is not None
    return found


def look(
    repository: Repository, *signers: keys.Signer, number: int = 1, asked: str = ""
) -> list[tuple[str, str, str]]:
    """Target, status and reason of all that is found, where these keys are known as `ana`."""
    allowed = {one.public: "ana" for one in signers}
    found = signing.check(repository, run_of(repository, number), allowed, [asked])
    return [(one.target, one.status, one.why) for one in found]


def plant(repository: Repository, signature: Signature, number: int = 1) -> None:
    """Puts a signature into the log as anybody can who may write to it."""
    repository.log.append(lambda state: SignRun("TrainFlow", number, signature))


def statement(repository: Repository, signer: keys.Signer, /, **wrong: Any) -> Signature:
    """A signature by `signer`, which says something else in one place."""
    run = run_of(repository)
    said = Statement(
        repository.format.repository, run.flow, run.number, "", bytes(run.manifest or b""), 1
    )
    data = encode(msgspec.structs.replace(said, **wrong))
    return Signature("", data, signer.public, signer.sign(signing.PREFIX + data))


def test_a_run_that_was_signed_is_good(repository: Repository, ana: keys.Signer) -> None:
    assert signing.sign(repository, run_of(repository), ana)
    assert look(repository, ana) == [("TrainFlow/1", "good", "")]
    assert look(repository, ana, number=2) == [("TrainFlow/2", "unsigned", "")]


def test_a_tag_that_was_signed_is_good_and_says_nothing_of_others(
    repository: Repository, ana: keys.Signer
) -> None:
    repository.tag(add=[(run_of(repository), "best")])
    assert signing.sign(repository, run_of(repository), ana, "prod")
    assert look(repository, ana, asked="prod") == [("prod on TrainFlow/1", "good", "")]
    assert look(repository, ana, asked="best") == [
        ("best on TrainFlow/1", "unsigned", ""),
        ("prod on TrainFlow/1", "good", ""),
    ]
    assert look(repository, ana)[0] == ("TrainFlow/1", "unsigned", "")


def test_what_is_signed_by_the_same_key_is_not_signed_twice(
    repository: Repository, ana: keys.Signer, eva: keys.Signer
) -> None:
    assert signing.sign(repository, run_of(repository), ana)
    before = repository.state.number
    assert not signing.sign(repository, run_of(repository), ana)
    assert repository.state.number == before
    assert signing.sign(repository, run_of(repository), eva)
    assert [status for _, status, _ in look(repository, ana, eva)] == ["good", "good"]


def test_the_key_of_somebody_that_one_does_not_know(
    repository: Repository, ana: keys.Signer, eva: keys.Signer
) -> None:
    signing.sign(repository, run_of(repository), eva)
    assert look(repository, ana) == [
        ("TrainFlow/1", "unknown key", "the key is not in your settings")
    ]


def test_a_wrong_key(repository: Repository, ana: keys.Signer, eva: keys.Signer) -> None:
    made = statement(repository, eva)
    plant(repository, msgspec.structs.replace(made, key=ana.public))
    why = "the key that it names did not sign what it says"
    assert look(repository, ana) == [("TrainFlow/1", "bad", why)]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"repository": bytes(16)}, f"it was made in another repository, {bytes(16).hex()}"),
        ({"flow": "Other"}, "it was made for Other/1"),
        ({"number": 7}, "it was made for TrainFlow/7"),
        ({"tag": "prod"}, "it was made for the tag prod"),
        ({"manifest": bytes(32)}, "and what was signed is 00000000"),
    ],
)
def test_a_signature_that_was_made_for_something_else(
    repository: Repository, ana: keys.Signer, wrong: dict[str, Any], why: str
) -> None:
    plant(repository, statement(repository, ana, **wrong))
    ((target, status, told),) = look(repository, ana)
    assert (target, status) == ("TrainFlow/1", "bad")
    assert told.endswith(why)


def test_a_signature_of_another_run_put_on_this_one(
    repository: Repository, ana: keys.Signer
) -> None:
    signing.sign(repository, run_of(repository), ana)
    plant(repository, run_of(repository).signatures[0], number=2)
    assert look(repository, ana, number=2) == [
        ("TrainFlow/2", "bad", "it was made for TrainFlow/1")
    ]


def test_a_signature_of_another_repository_put_into_this_one(
    repository: Repository, ana: keys.Signer
) -> None:
    other = memory_repository()
    whole_run(other, {"accuracy": 1})
    signing.sign(other, run_of(other), ana)
    plant(repository, run_of(other).signatures[0])
    ((_, status, why),) = look(repository, ana)
    assert (status, why) == (
        "bad",
        f"it was made in another repository, {other.format.repository.hex()}",
    )


def test_a_signature_of_the_run_put_on_a_tag(repository: Repository, ana: keys.Signer) -> None:
    plant(repository, msgspec.structs.replace(statement(repository, ana), tag="prod"))
    why = "it was made for the run, and not for a tag"
    assert look(repository, ana, asked="prod") == [("prod on TrainFlow/1", "bad", why)]


def test_a_tag_whose_signature_was_stripped(repository: Repository, ana: keys.Signer) -> None:
    signing.sign(repository, run_of(repository), ana, "prod")
    run_of(repository).signatures.clear()
    assert look(repository, ana, asked="prod") == [("prod on TrainFlow/1", "unsigned", "")]


def test_a_tag_that_came_off_takes_its_signatures_along(
    repository: Repository, ana: keys.Signer
) -> None:
    signing.sign(repository, run_of(repository), ana)
    signing.sign(repository, run_of(repository), ana, "prod")
    repository.tag(remove=[(run_of(repository), "prod")])
    repository.tag(add=[(run_of(repository), "prod")])
    assert look(repository, ana, asked="prod") == [
        ("TrainFlow/1", "good", ""),
        ("prod on TrainFlow/1", "unsigned", ""),
    ]


def test_a_signature_of_a_tag_that_the_run_does_not_bear(
    repository: Repository, ana: keys.Signer
) -> None:
    made = statement(repository, ana, tag="best")
    plant(repository, msgspec.structs.replace(made, tag="best"))
    assert look(repository, ana)[1:] == [
        ("best on TrainFlow/1", "bad", "the run does not bear that tag")
    ]


def test_a_manifest_that_was_edited(repository: Repository, ana: keys.Signer) -> None:
    signing.sign(repository, run_of(repository), ana)
    run = run_of(repository)
    run.manifest = run_of(repository, 2).manifest  # the log was written anew, with another record
    ((_, status, why),) = look(repository, ana)
    assert (status, "the run is" in why) == ("bad", True)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda run: setattr(run, "opening", bytes(32)), "another beginning"),
        (lambda run: setattr(run, "status", "failed"), "the log says failed, and its record ok"),
    ],
)
def test_a_log_that_says_otherwise_than_the_record(
    repository: Repository, ana: keys.Signer, edit: Any, why: str
) -> None:
    signing.sign(repository, run_of(repository), ana)
    edit(run_of(repository))
    ((_, status, told),) = look(repository, ana)
    assert (status, why in told) == ("bad", True)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xc1", bytes(1000), b"\x81\xa1a\x01"])
def test_a_statement_that_says_nothing(
    repository: Repository, ana: keys.Signer, data: bytes
) -> None:
    plant(repository, Signature("", data, ana.public, ana.sign(signing.PREFIX + data)))
    assert look(repository, ana) == [("TrainFlow/1", "bad", "what it says cannot be read")]


def test_a_statement_is_read_in_its_one_form_alone(
    repository: Repository, ana: keys.Signer
) -> None:
    said = statement(repository, ana).statement
    other = b"\xde\x00" + bytes([said[0] & 15]) + said[1:]  # the same map with a longer header
    assert msgspec.msgpack.decode(other) == msgspec.msgpack.decode(said)
    plant(repository, Signature("", other, ana.public, ana.sign(signing.PREFIX + other)))
    assert look(repository, ana) == [("TrainFlow/1", "bad", "what it says cannot be read")]


def test_what_is_signed_is_set_apart_from_everything_else_that_a_key_signs(
    repository: Repository, ana: keys.Signer
) -> None:
    data = statement(repository, ana).statement
    plant(repository, Signature("", data, ana.public, ana.sign(data)))
    assert look(repository, ana)[0][1] == "bad"


def test_one_bad_signature_beside_a_good_one_is_not_good(
    repository: Repository, ana: keys.Signer, eva: keys.Signer
) -> None:
    signing.sign(repository, run_of(repository), ana)
    checked = signing.check(repository, run_of(repository), {ana.public: "ana"}, [""])
    assert signing.is_good(checked)
    signing.sign(repository, run_of(repository), eva)
    assert signing.is_good(signing.check(repository, run_of(repository), {ana.public: "a"}, [""]))
    plant(repository, statement(repository, eva, number=9))
    checked = signing.check(repository, run_of(repository), {ana.public: "ana"}, [""])
    assert not signing.is_good(checked)


def test_nothing_is_signed_that_is_open_or_does_not_bear_the_tag(
    repository: Repository, ana: keys.Signer
) -> None:
    with pytest.raises(NotFoundError, match="does not bear"):
        signing.sign(repository, run_of(repository), ana, "best")
    run_of(repository).status = "open"
    with pytest.raises(ConflictError, match="still running"):
        signing.sign(repository, run_of(repository), ana)


def test_signatures_outlive_a_checkpoint_and_another_process(
    repository: Repository, ana: keys.Signer
) -> None:
    signing.sign(repository, run_of(repository), ana)
    repository.log.write_checkpoint()
    again = Repository(repository.backend)
    assert look(again, ana) == [("TrainFlow/1", "good", "")]
    bodies: list[Body] = [one.body for one in again.log.read(1, again.state.number)]
    assert isinstance(bodies[-1], SignRun)


# Keys.


def test_a_new_key_is_its_owners_alone_and_never_in_place_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        public = keys.make_key(str(path))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.load_signer(str(path)).public == public
    with pytest.raises(ConflictError):
        keys.make_key(str(path))


def private(kind: Any, form: Any, passphrase: bytes | None = None) -> bytes:
    hidden = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase)
    )
    data: bytes = kind.private_bytes(serialization.Encoding.PEM, form, hidden)
    return data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "holds no private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "holds no private key"),
        (
            private(
                ed25519.Ed25519PrivateKey.generate(), serialization.PrivateFormat.PKCS8, b"word"
            ),
            "has a passphrase",
        ),
        (
            private(
                rsa.generate_private_key(public_exponent=65537, key_size=2048),
                serialization.PrivateFormat.OpenSSH,
            ),
            "is none of Ed25519",
        ),
    ],
)
def test_a_file_that_is_no_key_to_sign_with_says_why(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(data)
    with pytest.raises(MfvError, match=why):
        keys.load_signer(str(path))


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    keys.make_key(str(tmp_path / "key"))
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(MfvError, match="others can read"):
        keys.load_signer(str(tmp_path / "key"))
    with pytest.raises(NotFoundError, match="there is no key"):
        keys.load_signer(str(tmp_path / "none"))


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_keys_are_those_of_openssh(tmp_path: Path) -> None:
    def keygen(*words: str) -> str:
        done = ["ssh-keygen", *words]
        return subprocess.run(done, check=True, capture_output=True, text=True).stdout

    theirs, ours, hidden = (str(tmp_path / name) for name in ("theirs", "ours", "hidden"))
    try:
        keygen("-q", "-t", "ed25519", "-N", "", "-C", "ana@host", "-f", theirs)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"ssh-keygen does not run here: {error.stderr}")
    line = Path(f"{theirs}.pub").read_text()
    public = keys.load_signer(theirs).public
    assert keys.parse_public(line) == public
    assert keys.fingerprint(public) in keygen("-l", "-f", theirs)
    made = keys.make_key(ours)
    assert keys.public_text(made) == " ".join(keygen("-y", "-f", ours).split()[:2])
    keygen("-q", "-t", "ed25519", "-N", "word", "-f", hidden)
    with pytest.raises(MfvError, match="passphrase"):
        keys.load_signer(hidden)


@pytest.mark.parametrize(
    "text", ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa AAAA", "ed25519:AAAA", "ed25519:é"]
)
def test_a_line_that_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        keys.parse_public(text)


def test_a_public_key_may_be_written_in_two_ways(ana: keys.Signer) -> None:
    import base64

    plain = f"ed25519:{base64.b64encode(ana.public).decode()}"
    assert keys.parse_public(plain) == ana.public
    assert keys.parse_public(f"{keys.public_text(ana.public)} ana@host") == ana.public


# Commands.


class Desk:
    """A project, and settings that name a key of one's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "train.py").write_text(TRAIN)
        self.settings = folder / "settings" / "mfv" / "config.toml"
        self.settings.parent.mkdir(parents=True)
        self.env = {"XDG_CONFIG_HOME": str(folder / "settings")}
        made = self.mfv("sign", "--new-key", "key")
        assert made.status == 0
        self.public = made.out.strip()

    def mfv(self, *words: str) -> Ended:
        return mfv_command(self.folder, *words, env=self.env)

    def run(self, *words: str, **more: str) -> Ended:
        return python(self.folder, "train.py", "run", *words, env={**self.env, **more})

    def know(self, label: str, *, sign: bool = False) -> None:
        key = f'key = "{self.folder / "key"}"\n' if sign else ""
        self.settings.write_text(f'[sign]\n{key}allowed = {{{label} = "{self.public}"}}\n')


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_runs_are_signed_as_they_end_and_show_tells_by_whom(desk: Desk) -> None:
    desk.know("ana", sign=True)
    assert desk.run().status == 0
    done = desk.mfv("verify", "--signatures")
    assert (done.status, done.out.split()[:3]) == (0, ["TrainFlow/1", "good", "ana"])
    assert re.search(r"signed +by ana, \d{4}-", desk.mfv("show", "1").out)
    (told,) = desk.mfv("show", "1", "--json").json["signatures"]
    assert (told["status"], told["by"], told["tag"]) == ("good", "ana", None)
    assert "signed TrainFlow/1" in desk.mfv("op", "log").out


def test_a_run_is_signed_with_the_key_of_the_variable(desk: Desk) -> None:
    desk.know("ana")
    assert desk.run(MFV_SIGN_KEY=str(desk.folder / "key")).status == 0
    assert desk.mfv("verify", "--signatures", "1").status == 0


def test_a_key_that_cannot_be_used_is_told_before_anything_runs(desk: Desk) -> None:
    done = desk.run(MFV_SIGN_KEY=str(desk.folder / "none"))
    assert (done.status, "there is no key" in done.err) == (3, True)
    assert "no mfv repository" in desk.mfv("log").err


def test_a_tag_is_signed_by_its_name_and_checked_by_it(desk: Desk) -> None:
    desk.know("ana")
    assert desk.run().status == 0
    assert desk.run().status == 0
    assert desk.mfv("tag", "prod", "TrainFlow/1").status == 0
    done = desk.mfv("sign", "prod", "--key", "key")
    assert (done.status, done.out) == (0, "signed: prod on TrainFlow/1\n")
    done = desk.mfv("verify", "--signatures", "prod")
    assert (done.status, done.out.split()[:4]) == (0, ["prod", "on", "TrainFlow/1", "good"])
    done = desk.mfv("verify", "--signatures", "1", "--json")
    assert (done.status, done.json["good"]) == (1, False)
    assert [one["status"] for one in done.json["signatures"]] == ["unsigned", "good"]
    assert desk.mfv("verify", "--signatures", "2").status == 1
    assert desk.mfv("verify", "--signatures").status == 1
    assert desk.mfv("sign", "prod", "--key", "key").out.startswith("signed already")
    # The tag moves to another run: the signature does not come along.
    assert desk.mfv("tag", "-d", "prod", "TrainFlow/1").status == 0
    assert desk.mfv("tag", "prod", "TrainFlow/2").status == 0
    done = desk.mfv("verify", "--signatures", "prod")
    assert (done.status, "unsigned" in done.out) == (1, True)


def test_an_unknown_key_is_told_with_its_fingerprint(desk: Desk) -> None:
    desk.run(MFV_SIGN_KEY=str(desk.folder / "key"))
    done = desk.mfv("verify", "--signatures", "1")
    fingerprint = keys.fingerprint(keys.parse_public(desk.public))
    assert done.status == 1
    assert f"unknown key  {fingerprint}" in done.out
    assert f"unknown key {fingerprint}" in desk.mfv("show", "1").out


def test_a_run_whose_pack_was_edited_is_bad(desk: Desk) -> None:
    desk.know("ana", sign=True)
    assert desk.run().status == 0
    for pack in (desk.folder / ".mfv" / "packs").iterdir():
        data = bytearray(pack.read_bytes())
        data[64:-64] = bytes(len(data) - 128)
        pack.chmod(0o600)
        pack.write_bytes(data)
    done = desk.mfv("verify", "--signatures", "1")
    assert (done.status, done.out.split()[1]) == (1, "bad")
    assert "its record cannot be read" in done.out
    other = desk.mfv("verify", "--signatures", "1", "--json").json["signatures"]
    assert [one["status"] for one in other] == ["bad"]


def test_signing_wants_a_key_and_something_to_sign(desk: Desk) -> None:
    desk.run()
    assert desk.mfv("sign").status == 2
    done = desk.mfv("sign", "1")
    assert (done.status, "--new-key" in done.err) == (2, True)
    assert desk.mfv("sign", "9", "--key", "key").status == 3
    assert desk.mfv("sign", "--new-key", "key").status == 4
    assert desk.mfv("verify").status == 2
    assert desk.mfv("verify", "1", "1").status == 2
    assert desk.mfv("verify", "1", "--signatures", "--env").status == 2


def test_no_key_is_taken_from_the_settings_of_a_repository(desk: Desk) -> None:
    assert desk.mfv("init").status == 0
    config = desk.folder / ".mfv" / "config.toml"
    for line in ('sign.key = "key"', f'sign.allowed = {{ana = "{desk.public}"}}'):
        config.write_text(f"{line}\n")
        done = desk.run()
        assert (done.status, "is unknown" in done.err) == (2, True)


def test_settings_with_a_wrong_key_say_which(desk: Desk) -> None:
    desk.run()
    desk.settings.write_text('[sign]\nallowed = {ana = "nonsense"}\n')
    done = desk.mfv("verify", "--signatures", "1")
    assert (done.status, "sign.allowed.ana" in done.err) == (2, True)


def test_a_signed_run_is_shown_where_signatures_cannot_be_checked(desk: Desk) -> None:
    desk.know("ana", sign=True)
    assert desk.run().status == 0
    without = desk.folder / "without"
    without.mkdir()
    (without / "cryptography.py").write_text("raise ImportError('it is not installed')\n")
    path = f"{without}:{Path(keys.__file__).parent.parent}"
    done = mfv_command(desk.folder, "show", "1", env={**desk.env, "PYTHONPATH": path})
    assert (done.status, "not checked" in done.out) == (0, True), done.out
    done = mfv_command(desk.folder, "verify", "--signatures", env={**desk.env, "PYTHONPATH": path})
    assert (done.status, 'pip install "mfv-store[sign]"' in done.err) == (1, True)
