"""What commands print as JSON is what their schemas in `docs/reference/schemas` say."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy
import pandas
import pytest
from commands import mfv_command
from histories import Made, fast_repository, make, random_run
from reference import PLACE

from mfv.cli.command import Option, params_of
from mfv.cli.main import COMMANDS, load

SCHEMAS = PLACE.with_name("schemas")
LISTS = ("log", "logs", "tag", "ls", "grep", "blame", "rev-parse", "op")  # one value a line


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    return found


def with_json() -> list[str]:
    """Every command that has `--json`, but for those that run a flow of the user's."""
    return [
        name
        for name in COMMANDS
        if name not in ("run", "resume")
        and any(
            isinstance(param.marker, Option) and "--json" in param.marker.flags
            for param in params_of(load(name))
        )
    ]


@pytest.mark.parametrize("name", with_json())
def test_every_command_with_json_has_a_schema_whose_keys_are_described(name: str) -> None:
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    for form in found["anyOf"]:
        if form["type"] == "object":
            assert form["additionalProperties"] is False
            assert set(form["required"]) <= form["properties"].keys()
            assert form["required"]


def test_there_is_no_schema_for_what_does_not_exist() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.json")} == set(with_json())


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs in every state, with odd values and names; not to be written to."""
    folder = tmp_path_factory.mktemp("varied")
    repository = fast_repository(folder / ".mfv")
    choose = random.Random("schemas")
    recorders = [make(repository, random_run(choose)) for _ in range(25)]
    table = pandas.DataFrame({"id": range(600), "x": [0.5, None] * 300, "s": ["a", "b"] * 300})
    model = {"w": numpy.zeros((30, 20)), "b": numpy.ones(700), "deep": {"list": [1, "x", None]}}
    odd = {"\x1b[31m": 1, "a b": float("nan"), "ünï": "\u202e"}
    for rate in (0.1, 0.2):
        other = {**model, "b": model["b"] * rate}
        made = {
            "model": other,
            "table": table.assign(x=rate),
            "text": "a\n" * 900,
        }
        made = {**made, "values": numpy.arange(900.0) * rate, "set": {1, 2}, **odd}
        recorders.append(make(repository, Made("ModelFlow", {"lr": rate}, made)))
    (folder / "copy").write_bytes(b"a\n" * 900)
    (folder / "other").write_bytes(b"nowhere")
    _open.extend(recorders)  # those that are open stay so
    return folder


_open: list[object] = []

ON_VARIED = """
log
log --columns name,lr,tag,step,started,opt,status
log --group-by opt,deep
log --compare -n 3
log --trash
show ModelFlow/1
show TrainFlow/1
show ModelFlow/1/end
show ModelFlow/1/end/1
show ModelFlow/1/end/model
show ModelFlow/1/end/table
show ModelFlow/1/end/text
show ModelFlow/1/end/values
show ModelFlow/1/end/set
show ModelFlow/1 --code
show ModelFlow/1 --env
show ModelFlow/1 --info
show ModelFlow/1 --storage
diff ModelFlow/1 ModelFlow/2
diff TrainFlow/1 TrainFlow/2
diff TrainFlow/3 EvalFlow/1
diff ModelFlow/1 ModelFlow/2 --path .
diff ModelFlow/1/end ModelFlow/2/end
diff ModelFlow/1/end/table ModelFlow/2/end/table
diff TrainFlow/1 TrainFlow/2 TrainFlow/3
graph TrainFlow/1
graph ModelFlow/1
logs ModelFlow/1
tag
env ModelFlow/1
note ModelFlow/1
blame ModelFlow
blame TrainFlow file flow.py
blame ModelFlow artifact end/model
bisect --good ModelFlow/1 --bad ModelFlow/2 --where lr>0.15
rev-parse @ ModelFlow/1/end
ls
ls ModelFlow
ls ModelFlow/1
ls ModelFlow/1/end
ls ModelFlow/1/end/1
ls ModelFlow/1:
grep a
grep adam --params
du
du --flows
du --artifacts
whence copy
whence other
whence ModelFlow/1/end/values
rm ModelFlow/1 --dry-run
rm ModelFlow/1 --artifact model --dry-run
restore --all
trust
gc --dry-run
gc --dry-run --repack
gc --dry-run --keep-last 2 --keep-tagged
fsck
fsck --data
reindex
"""


@pytest.mark.parametrize("line", ON_VARIED.strip().splitlines())
def test_what_is_printed_of_odd_runs_is_as_the_schema_says(varied: Path, line: str) -> None:
    assert_valid(varied, line)


ON_PROJECT = """
init
log
log --lineage TrainFlow/2 --descendants
show TrainFlow/1
show BreakFlow/1
show TrainFlow/1/train
show TrainFlow/1/train/2
show TrainFlow/1/accuracy
show TrainFlow/1/picture
diff TrainFlow/1 TrainFlow/2
diff BreakFlow/1 TrainFlow/1
diff TrainFlow/1 --work
graph TrainFlow/1
graph BreakFlow/1
logs TrainFlow/1
tag
env TrainFlow/1
clone TrainFlow/1 plain
clone TrainFlow/1 with-data --data
clone TrainFlow/1 again --run
verify TrainFlow/1
verify --signatures
sign --new-key key
sign TrainFlow/1 --key key
verify --signatures TrainFlow/1 BreakFlow/1
show TrainFlow/1
verify BreakFlow/1
note TrainFlow/1 -m said
op log
undo
blame TrainFlow
blame TrainFlow file train.py
grep train
rm BreakFlow/1
log --trash
restore BreakFlow/1
gc --repack --prune now
fsck
"""


def test_what_is_printed_of_real_runs_is_as_the_schema_says(copy: Path) -> None:
    for line in ON_PROJECT.strip().splitlines():
        assert_valid(copy, line)


def assert_valid(folder: Path, line: str) -> None:
    name, *words = line.split()
    ended = mfv_command(folder, name, *words, "--json")
    validator = jsonschema.Draft202012Validator(schema(name))
    values = ended.out.splitlines() if name in LISTS and "--compare" not in words else [ended.out]
    for text in values:
        if text:
            validator.validate(msgspec.json.decode(text))
    quiet = ("log --trash", "grep", "logs", "whence other", "tag")
    assert ended.out or line.startswith(quiet), ended
