"""Where a clone looks for its modules: below itself, whatever a repository says."""

from __future__ import annotations

import msgspec
import pytest
from making import memory_repository, opening_of

from mfv.errors import CorruptError
from mfv.manifest.records import Opening
from mfv.odb.writer import Writer
from mfv.repo.paths import python_path


@pytest.fixture(scope="module")
def opening() -> Opening:
    return opening_of()(Writer(memory_repository().database))


@pytest.mark.parametrize(
    ("folder", "module_path", "expected"),
    [
        ("", (), ""),
        ("", ("src", ".mfv-modules"), "src:.mfv-modules"),
        ("flows/daily", (".", "flows", ".mfv-modules"), "../..:..:../../.mfv-modules"),
        ("", ("a:b",), "a%3Ab"),  # the name under which it is written
    ],
)
def test_the_module_path_of_a_clone_is_relative_to_where_it_runs(
    opening: Opening, folder: str, module_path: tuple[str, ...], expected: str
) -> None:
    changed = msgspec.structs.replace(opening, folder=folder, module_path=module_path)
    assert python_path(changed) == expected


@pytest.mark.parametrize("folder", ["/tmp/evil", "../evil", "src/../../evil", "", ".git/hooks"])
def test_a_module_path_that_leads_out_of_the_clone_is_refused(
    opening: Opening, folder: str
) -> None:
    with pytest.raises(CorruptError):
        python_path(msgspec.structs.replace(opening, module_path=("src", folder)))
