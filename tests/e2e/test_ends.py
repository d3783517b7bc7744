"""However a task's process ends: it is reported as what it was, and nothing hangs or stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Place, assert_nothing_left

from mfv.manifest.records import Task

STEP = """
@step
def start(self):
    self.kept = 1
    {act}
    self.next(self.end)

@step
def end(self):
    self.reached = True
"""


@pytest.fixture(params=["fork", "spawn"])
def either(place: Place, request: pytest.FixtureRequest) -> Place:
    """A place whose runs make processes in the one way, then in the other."""
    place.variables["MFV_PROCESS"] = request.param
    return place


def ended(place: Place, act: str) -> tuple[Task, str]:
    """The task of a run whose step does `act` and fails, and what was printed."""
    place.write(STEP.format(act=act))
    done = place.run(code=1)
    assert place.statuses() == {"F/1": "failed"}
    return place.task("start"), done.text


def test_a_crash_in_native_code_is_told_with_the_line_of_python(either: Place) -> None:
    task, text = ended(either, "import ctypes; ctypes.string_at(0)")
    assert task.failure is not None
    assert (task.failure.type, task.signal) == ("killed", signal.SIGSEGV)
    assert "ended by SIGSEGV, a crash in native code" in text
    log = either.output("stderr", task).decode()
    assert "Fatal Python error: Segmentation fault" in log
    assert 'flow.py", line' in log
    assert "in start" in log


def test_a_kill_without_lack_of_memory_only_asks_whether_it_was_that(either: Place) -> None:
    task, text = ended(either, "os.kill(os.getpid(), 9)")
    assert task.signal == signal.SIGKILL
    assert "ended by SIGKILL (out of memory? see `dmesg`)" in text


@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_leaves_without_a_word_is_told_with_its_code(
    either: Place, code: int
) -> None:
    task, text = ended(either, f"print('last words', flush=True); os._exit({code})")
    assert task.failure is not None
    assert (task.failure.type, task.exit_code) == ("exited", code)
    assert f"ended with exit code {code} before the step was over" in text
    assert either.output("stdout", task) == b"last words\n"


def test_a_keyboard_interrupt_that_a_step_raises_itself_fails_its_task_alone(
    either: Place,
) -> None:
    task, _ = ended(either, "raise KeyboardInterrupt('mine')")
    assert task.failure is not None
    assert (task.failure.type, task.failure.message) == ("KeyboardInterrupt", "mine")
    assert either.values("start") == {"kept": 1}


def test_a_step_that_closes_its_files_is_recorded(either: Place) -> None:
    either.write(STEP.format(act="print('before', flush=True); os.close(1); os.close(2)"))
    either.run()
    assert either.output("stdout", either.task("start")) == b"before\n"
    assert either.values("end")["reached"] is True


def test_a_thread_that_the_step_left_is_waited_for_and_a_daemon_is_not(either: Place) -> None:
    threads = (
        "import threading; "
        "work = lambda: (time.sleep(0.2), open('worked', 'w').close(), print('worked late')); "
        "threading.Thread(target=work, name='late').start(); "
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
    )
    either.write(STEP.format(act=threads))
    done = either.run()
    assert (either.folder / "worked").exists()
    assert "waiting for threads that the step left: late" in done.out
    assert "worked late" in done.out


def test_idle_workers_of_an_executor_hold_nothing_up(either: Place) -> None:
    either.write(
        STEP.format(
            act="from concurrent.futures import ThreadPoolExecutor; "
            "global pool; pool = ThreadPoolExecutor(2); "
            "self.sum = pool.submit(sum, [1, 2]).result()"
        )
    )
    either.run()
    assert either.values("start")["sum"] == 3


def test_what_a_step_registers_is_done_at_exit_once_and_what_its_file_does_not_by_a_task(
    place: Place,
) -> None:
    place.write(
        STEP.format(act="import atexit; atexit.register(lambda: open('step', 'a').write('x'))")
    )
    path = place.folder / "flow.py"
    path.write_text(
        "import atexit, os\nTOP = os.getpid()\n"
        "atexit.register(lambda: open('file', 'a').write('x'))\n" + path.read_text()
    )
    place.run()
    assert (place.folder / "step").read_text() == "x"
    assert (place.folder / "file").read_text() == "x"


def test_a_child_that_outlives_the_step_and_holds_its_output_open_holds_nothing_up(
    either: Place,
) -> None:
    either.write(
        STEP.format(
            act="import subprocess; "
            "child = subprocess.Popen(['sleep', '600']); "
            "open('child', 'w').write(str(child.pid)); "
            "apart = subprocess.Popen(['sleep', '600'], start_new_session=True); "
            "open('apart', 'w').write(str(apart.pid))"
        )
    )
    process = either.start("flow.py", "run", stdout=subprocess.DEVNULL)
    assert process.wait(60) == 0
    assert either.statuses() == {"F/1": "ok"}
    # It is the step's own business what goes on after it; here it is ours to end it.
    for name in ("child", "apart"):
        os.kill(int((either.folder / name).read_text()), signal.SIGKILL)
    assert_nothing_left(process)


def test_what_a_crashed_task_had_started_goes_with_it(either: Place) -> None:
    either.write(
        STEP.format(
            act="import subprocess; subprocess.Popen(['sleep', '600']); os.kill(os.getpid(), 9)"
        )
    )
    process = either.start("flow.py", "run")
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert_nothing_left(process)


@pytest.fixture
def small_group(tmp_path: Path) -> Iterator[Path]:
    """A control group of the kernel with 300 MB of memory."""
    root = Path("/sys/fs/cgroup")
    old = root / "memory"
    group = (old if old.is_dir() else root) / f"mfv-{os.getpid()}"
    try:
        group.mkdir()
        limits = ("memory.limit_in_bytes",) if old.is_dir() else ("memory.max", "memory.swap.max")
        (group / limits[0]).write_text(str(300 << 20))
        for more in limits[1:]:
            with contextlib.suppress(OSError):
                (group / more).write_text("0")
        if not any((group / name).exists() for name in ("memory.oom_control", "memory.events")):
            pytest.skip("control groups do not count here")
    except OSError:
        pytest.skip("control groups cannot be made here")
    yield group
    with contextlib.suppress(OSError):
        group.rmdir()


def test_a_task_that_the_kernel_kills_for_lack_of_memory_is_told_as_such(
    place: Place, small_group: Path
) -> None:
    place.write(STEP.format(act="self.much = b'x' * (1 << 30)"))
    enter = (small_group / "cgroup.procs").write_text
    process = place.start("flow.py", "run", preexec_fn=lambda: enter(str(os.getpid())))
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 1, out
    task = place.task("start")
    assert task.failure is not None
    assert task.failure.message == "out of memory: the kernel ended its process"
    assert (task.failure.type, task.signal) == ("killed", signal.SIGKILL)
    assert "failed after" in out


def test_memory_that_python_itself_cannot_get_is_an_exception_of_the_step(either: Place) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29)); "
    task, _ = ended(either, limit + "self.much = b'x' * (1 << 30)")
    assert task.failure is not None
    assert task.failure.type == "MemoryError"
    assert either.values("start") == {"kept": 1}
