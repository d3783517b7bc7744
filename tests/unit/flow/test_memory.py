"""The kernel's counters of kills for lack of memory."""

from __future__ import annotations

from pathlib import Path

from mfv.flow.memory import OutOfMemory


def test_each_kill_is_told_once(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 3\noom_kill 3\n")
    memory = OutOfMemory([events])
    assert not memory.killed()
    events.write_text("low 0\noom 5\noom_kill 5\n")
    assert [memory.killed() for _ in range(3)] == [True, True, False]


def test_the_first_counter_that_is_there_decides(tmp_path: Path) -> None:
    group, machine = tmp_path / "memory.oom_control", tmp_path / "vmstat"
    group.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n")
    machine.write_text("nr_free_pages 7\noom_kill 0\n")
    memory = OutOfMemory([tmp_path / "absent", group, machine])
    machine.write_text("nr_free_pages 7\noom_kill 1\n")  # of somebody else's group
    assert not memory.killed()


def test_without_counters_nothing_is_known(tmp_path: Path) -> None:
    assert not OutOfMemory([tmp_path / "absent"]).killed()


def test_this_machine_can_be_asked() -> None:
    assert not OutOfMemory().killed()
