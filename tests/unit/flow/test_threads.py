"""Which threads are worth a warning before a fork; each case in a process of its own."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest


def others(code: str) -> tuple[str, ...]:
    """What `other_threads` says after `code` ran in a new interpreter."""
    code += "\nfrom mfv.flow.threads import other_threads\nprint(other_threads())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: tuple[str, ...] = ast.literal_eval(done.stdout)
    return found


def test_a_process_of_one_thread_has_no_others() -> None:
    assert others("import threading") == ()


def test_threads_of_python_are_named() -> None:
    code = """
import threading
for name in ("loader", "beat"):
    threading.Thread(target=threading.Event().wait, name=name, daemon=True).start()
"""
    assert others(code) == ("loader", "beat")


def test_the_pool_of_openblas_survives_a_fork_and_is_not_told() -> None:
    code = "import numpy as np, scipy.linalg as la; la.inv(np.eye(300) + np.ones((300, 300)))"
    assert others(code) == ()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="tasks are listed by Linux")
def test_native_threads_are_counted() -> None:
    # Started below Python's threading, as a library does it.
    code = """
import _thread, time
for _ in range(2):
    _thread.start_new_thread(time.sleep, (60,))
"""
    assert others(code) == ("2 native threads",)
