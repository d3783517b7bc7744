"""The guide says what is so: its flow is run, and its session is typed in."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mfv.client import default_namespace

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "client.md"


def test_the_session_of_the_guide_goes_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = GUIDE.read_text()
    flow = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert flow
    (tmp_path / "train.py").write_text(flow[1])
    monkeypatch.setenv("MFV_DIR", str(tmp_path / ".mfv"))
    command = [sys.executable, "train.py", "run"]
    subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, check=True)

    session = "\n".join(re.findall(r"```pycon\n(.*?)```", text, re.DOTALL))
    parsed = doctest.DocTestParser().get_doctest(session, {}, "client.md", str(GUIDE), 0)
    assert len(parsed.examples) > 20
    said: list[str] = []
    failed = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(
        parsed, out=said.append
    )
    default_namespace()
    assert failed.failed == 0, "".join(said)
