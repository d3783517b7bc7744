"""The run that is to be resumed, found before its flow is prepared."""

import inspect
from collections.abc import Sequence
from pathlib import Path

from mfv.cli.flowcli.starting import folder_of
from mfv.flow.config import VALUE_OPTION, ConfigOption
from mfv.flow.spec import FlowSpec
from mfv.ids import BlobId
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.resume import find_origin

_ORIGIN = "--origin-run-id"


def find(flow: type[FlowSpec], number: str | None) -> RunView:
    """The run of that number, else the newest one of the flow; NotFoundError, ConflictError."""
    folder = folder_of(Path(inspect.getfile(flow)).absolute())
    return find_origin(Repository.open(folder), flow.__name__, number)


def configs_of(flow: type[FlowSpec], words: Sequence[str]) -> list[ConfigOption]:
    """The configs of the run that a `resume` with these words means, as they were given there."""
    number = None
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag.replace("_", "-") == _ORIGIN:
            number = value if equals else "".join(words[place + 1 : place + 2])
    view = find(flow, number)
    found = []
    for given in view.opening.given:
        kind, *names = given.option
        if kind == "config" and names:
            text = str(view.repository.database.read_blob(BlobId(given.blob)), "utf-8")
            found.append(ConfigOption(names[0], text, False, VALUE_OPTION))
    return found
