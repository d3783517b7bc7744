"""One INFO of a run, wherever it is asked for; and what a run records of its surroundings."""

from __future__ import annotations

import json
import subprocess

from processes import Place

from mfv.capture.environment import read_environment

BODY = """
seed = Parameter("seed", default=7)

@step
def start(self):
    self.told = current.info
    self.mine = current.run.code.info
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_a_task_the_client_the_command_and_a_clone_tell_the_same(place: Place) -> None:
    place.write(BODY)
    place.run()
    shown = json.loads(place.mfv("show", "--info", "F/1").out)
    place.mfv("clone", "F/1", "out")
    cloned = json.loads((place.folder / "out" / ".mfv-clone" / "INFO.json").read_text())
    values = place.values("start")
    assert values["told"] == values["mine"]
    # The run had no true name yet while its task ran.
    assert {**values["told"], "id": shown["id"]} == shown == cloned
    assert (shown["run"], shown["username"], shown["script"]) == ("F/1", "ana", "flow.py")
    assert "flow.py" in shown["argv"] and shown["packages"]["msgspec"]
    assert shown["seeds"] == {"PYTHONHASHSEED": "random", "seed": 7}


def test_the_client_tells_it_as_well(place: Place) -> None:
    place.write(BODY)
    place.variables["PYTHONHASHSEED"] = "123"
    place.run()
    code = (
        "import json, mfv; mfv.namespace(None);"
        "run = mfv.Run('F/1'); print(json.dumps(run.code.info));"
        "print(sorted(run['start'].task.environment_info))"
    )
    told, environment = place.python("-c", code).out.splitlines()
    assert json.loads(told) == json.loads(place.mfv("show", "--info", "F/1").out)
    assert json.loads(told)["seeds"]["PYTHONHASHSEED"] == "123"
    assert "sources" in environment


def test_the_environment_is_one_record_that_runs_share_and_is_read_once(place: Place) -> None:
    place.write(BODY)
    place.run()
    notes = place.store / "cache" / "surroundings" / "packages"
    noted = notes.read_bytes()
    before = sum(path.stat().st_size for path in (place.store / "packs").iterdir())
    place.run()
    after = sum(path.stat().st_size for path in (place.store / "packs").iterdir())
    first, second = place.view(1), place.view(2)
    assert first.opening.environment == second.opening.environment
    assert after - before < 16_000
    assert notes.read_bytes() == noted
    assert first.environment.sources == second.environment.sources != ()
    assert len(first.environment.packages) == len(read_environment().packages)


def test_the_version_of_the_project_is_recorded_and_told_inside_the_run(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            import mfv
            self.version = mfv.get_version(), mfv.get_version(public=True)
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    git = ["git", "-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "1"], ["tag", "v1.0-rc.1"]):
        command = [*git, *words]
        subprocess.run(command, cwd=place.folder, env=place.environment(), check=True)
    place.run()
    assert place.view().opening.version == "v1.0-rc.1"
    assert place.values("start")["version"] == ("v1.0-rc.1", "1.0rc1")
    assert json.loads(place.mfv("show", "--info").out)["version"] == "v1.0-rc.1"
