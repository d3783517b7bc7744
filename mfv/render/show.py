"""`mfv show`: a run, a step, a task, an artifact, each on about one screen."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from mfv.found.portrait import Portrait
from mfv.manifest.artifact import PICKLE, SCALAR, Artifact
from mfv.manifest.records import Environment, Failure, Opening, Task, TaskRef
from mfv.render.facts import facts_lines, origin_of
from mfv.render.portrait import portrait_lines
from mfv.render.runs import parameter_text, status_text
from mfv.render.shown import ShownRun
from mfv.render.terminal import Paint
from mfv.render.text import cut, escape, pad, table
from mfv.render.units import age, count, date, duration, size
from mfv.render.values import kind_text, scalar_text, value_text

_BAR = 20  # columns of a line of time
_FRAMES = 100  # frames, or columns of a table, that are listed of one artifact


def run_text(
    run: ShownRun, last: Task | None, signed: str = "", *, width: int, paint: Paint
) -> str:
    """A run: how it went, what it was given, what it made.

    `last`: the task that ended it. `signed`: by whom, in words.
    """
    opening = run.opening
    when = f"{date(run.started)}, {age(time.time() - run.started / 1e6)}"
    facts = [
        ("status", f"{status_text(run.status, paint)} in {duration(run.seconds)}"),
        ("started", when),
        ("in the trash", _trash_text(run)),
        ("let go", ", ".join(escape(name) for name in run.state.dropped)),
        ("lost", _lost_text(run)),
        ("tags", " ".join(escape(tag) for tag in run.tags)),
        ("signed", signed),
        ("by", escape(f"{opening.user}@{opening.host}")),
        ("command", escape(" ".join(opening.argv))),
        ("code", _code_text(run, opening)),
        ("version", escape(opening.version or "")),
        ("environment", _environment_text(run.environment)),
        ("cloned from", escape(opening.cloned_from or "")),
        ("goes on from", escape(origin_of(opening) or "")),
        ("took from", ", ".join(_sources(run))),
    ]
    title = paint(f"run {escape(run.name)}", "bold")
    blocks = [[f"{title}  {run.run_id or '(open)'}", *facts_lines(facts, width)]]
    if run.state.note:
        lines = escape(run.state.note, keep="\n").split("\n")
        blocks.append([paint("note", "bold"), *(f"  {line}" for line in lines)])
    blocks.append(_named("parameters", run.parameters.values(), width, paint))
    blocks.append(_named("metrics", run.metrics.values(), width, paint))
    blocks.append(_steps(run, width, paint))
    if last is not None:
        shown = [a for a in last.artifacts if not a.is_number and not a.name.startswith("_")]
        title = f"artifacts of {escape(last.pathspec)}"
        blocks.append(_artifacts(title, shown, width, paint))
    manifest = run.manifest
    if manifest is not None and manifest.failure is not None:
        blocks.append(_failure(manifest.failure, manifest.failed_step or "", paint))
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _lost_text(run: ShownRun) -> str:
    lost = len(run.state.lost)
    hint = "`mfv fsck --repair --from COPY` brings back what a copy still has"
    return f"{lost} of its objects, by damage; {hint}" if lost else ""


def _trash_text(run: ShownRun) -> str:
    """Since when and why it is there, and what is to be done about it."""
    state = run.state
    if not state.removed:
        return ""
    since = f"{age(time.time() - state.removed / 1e6)} by {escape(state.reason)}"
    if state.swept:
        return f"{since}; its bytes are gone: `mfv clone {escape(run.name)}` brings back its code"
    return f"{since}; `mfv restore {escape(run.name)}` brings it back"


def step_text(run: ShownRun, step: str, *, width: int, paint: Paint) -> str:
    """A step: its tasks, newest attempts."""
    rows: list[tuple[str, ...]] = [("task", "status", "duration", "memory", "item", "metrics")]
    for task in run.tasks(step):
        rows.append(
            (
                str(task.id),
                task.status,
                duration((task.ended - task.started) / 1e6),
                size(task.peak_memory),
                escape(_split_text(task)),
                "  ".join(
                    f"{escape(a.name)} {scalar_text(a)}"
                    for a in task.artifacts
                    if a.is_number and a.name not in task.inherited
                ),
            )
        )
    title = paint(f"step {escape(run.name)}/{escape(step)}", "bold")
    doc = next((node.doc for node in run.opening.graph if node.name == step), "")
    lines = [title, *(f"  {cut(escape(line), width - 2)}" for line in doc.strip().splitlines()[:3])]
    if not any(row[4] for row in rows[1:]):
        rows = [(*row[:4], row[5]) for row in rows]
    narrow = 4 if len(rows[0]) == 6 else None
    lined = table(rows, width=width - 2, right=frozenset({2, 3}), shrink=narrow)
    body = [f"  {line}" for line in lined]
    return "\n".join([*lines, paint(body[0], "dim"), *body[1:]])


def task_text(task: Task, inputs: Sequence[Artifact], *, width: int, paint: Paint) -> str:
    """A task: how it went, and every artifact. `inputs`: parameters and constants."""
    facts = [
        ("status", status_text(task.status, paint) + (", @catch took over" if task.caught else "")),
        ("started", date(task.started)),
        ("duration", duration((task.ended - task.started) / 1e6)),
        ("attempt", str(task.attempt) if task.attempt else ""),
        ("item", escape(_split_text(task))),
        ("after", ", ".join(map(str, task.parents))),
        ("cpu", duration(task.cpu)),
        ("memory", f"{size(task.peak_memory)} at most"),
        ("exit", _exit_text(task)),
        ("output", _output_text(task)),
    ]
    blocks = [[paint(f"task {escape(task.pathspec)}", "bold"), *facts_lines(facts, width)]]
    own = [a for a in task.artifacts if a.name not in task.inherited]
    passed = [a for a in task.artifacts if a.name in task.inherited]
    blocks.append(_artifacts("artifacts", own, width, paint))
    blocks.append(_artifacts("handed on unchanged", passed, width, paint))
    blocks.append(_artifacts("parameters and constants", inputs, width, paint))
    blocks.append(_reads(task, width, paint))
    if task.dropped:
        lines = [f"  {escape(why)}" for _, why in task.dropped]
        blocks.append([paint("not stored", "bold", "yellow"), *lines])
    for failure in (task.failure, task.caught):
        if failure is not None:
            blocks.append(_failure(failure, task.step, paint))
    return "\n\n".join("\n".join(block) for block in blocks if block)


def artifact_text(
    where: str,
    artifact: Artifact,
    portrait: Portrait | None = None,
    *,
    width: int,
    paint: Paint,
) -> str:
    """An artifact by its record, and by what its frames hold; nothing is loaded."""
    summary = artifact.summary
    facts = [
        ("type", escape(artifact.type)),
        ("what", kind_text(artifact)),
        ("value", value_text(artifact, max(20, width - 14))),
        ("size", size(artifact.size)),
        ("id", artifact.id.hex()),
    ]
    lines = [paint(f"artifact {escape(where)}", "bold"), *facts_lines(facts, width)]
    if portrait is not None:
        lines += portrait_lines(portrait, width=width, paint=paint)
    if summary.columns and (portrait is None or portrait.unknown):
        rows = [(escape(one.name), escape(one.kind)) for one in summary.columns[:_FRAMES]]
        lines += ["", *(f"  {line}" for line in table(rows, width=width - 2))]
    if artifact.frames:
        lines += ["", paint("frames", "bold")]
        lines += [
            f"  {frame.id}  {pad(size(frame.size), 8, right=True)}"
            for frame in artifact.frames[:_FRAMES]
        ]
        if len(artifact.frames) > _FRAMES:
            lines.append(f"  and {len(artifact.frames) - _FRAMES} more: --json lists them")
    if artifact.serializer != SCALAR:
        how = " --load" if artifact.serializer == PICKLE else ""
        lines += ["", paint(f"`mfv cat{how} {escape(where)}`", "dim")]
    return "\n".join(lines)


def _sources(run: ShownRun) -> list[str]:
    """The runs that its tasks read from, or took results of, beside that which it goes on from."""
    manifest, before = run.manifest, run.opening.resumed_from
    found = () if manifest is None else manifest.sources or ()
    return [
        escape(f"{source.flow}/{source.number}")
        for source in found
        if (source.flow, source.number) != (run.flow, before)
    ]


def _named(title: str, artifacts: Iterable[Artifact], width: int, paint: Paint) -> list[str]:
    rows = [(escape(a.name), parameter_text(a)) for a in artifacts]
    if not rows:
        return []
    return [paint(title, "bold"), *(f"  {line}" for line in table(rows, width=width - 2))]


def _artifacts(title: str, artifacts: Iterable[Artifact], width: int, paint: Paint) -> list[str]:
    rows = [(escape(a.name), kind_text(a), size(a.size), value_text(a, 60)) for a in artifacts]
    if not rows:
        return []
    lines = table(rows, width=width - 2, right=frozenset({2}), shrink=3)
    return [paint(title, "bold"), *(f"  {line}" for line in lines)]


def _reads(task: Task, width: int, paint: Paint) -> list[str]:
    """The artifacts of other runs that the task loaded."""
    if not task.reads:
        return []
    rows = [(escape(read.pathspec), read.artifact.hex()[:8]) for read in task.reads]
    lines = [f"  {line}" for line in table(rows, width=width - 2, shrink=0)]
    if task.more_reads:
        lines.append(f"  and {task.more_reads} more, which were not noted")
    return [paint("read from other runs", "bold"), *lines]


def _steps(run: ShownRun, width: int, paint: Paint) -> list[str]:
    steps = run.steps()
    if not steps:
        return []
    begun = min(ref.started for refs in steps.values() for ref in refs)
    ended = max(ref.ended for refs in steps.values() for ref in refs)
    rows = [
        (*_step_row(name, refs), _bar(refs, begun, ended) if width >= 72 else "")
        for name, refs in steps.items()
    ]
    lines = table(rows, width=width - 2, right=frozenset({2}))
    return [paint("steps", "bold"), *(f"  {line}" for line in lines)]


def _step_row(name: str, refs: Sequence[TaskRef]) -> tuple[str, ...]:
    failed = sum(ref.status == "failed" for ref in refs)
    seconds = (max(ref.ended for ref in refs) - min(ref.started for ref in refs)) / 1e6
    ids = str(refs[0].id) if len(refs) == 1 else f"{refs[0].id}-{refs[-1].id}"
    state = "ok" if not failed else f"{failed} failed"
    return escape(name), count(len(refs), "task"), duration(seconds), state, f"id {ids}"


def _bar(refs: Sequence[TaskRef], begun: int, ended: int) -> str:
    """When a step ran, on a line from the beginning of the run to its end."""
    whole = max(1, ended - begun)
    first = (min(ref.started for ref in refs) - begun) * _BAR // whole
    last = -(-(max(ref.ended for ref in refs) - begun) * _BAR // whole)
    first = min(first, _BAR - 1)
    return " " * first + "█" * max(1, last - first)


def _failure(failure: Failure, step: str, paint: Paint) -> list[str]:
    text = failure.traceback or f"{failure.type}: {failure.message}"
    lines = [f"  {escape(line)}" for line in text.rstrip().splitlines()]
    return [paint(f"failed in {escape(step)}", "bold", "red"), *lines]


def _split_text(task: Task) -> str:
    return " / ".join(f"{s.variable}[{s.index}] = {s.value}" for s in task.splits)


def _exit_text(task: Task) -> str:
    if task.signal:
        return f"signal {task.signal}"
    return f"code {task.exit_code}" if task.exit_code else ""


def _output_text(task: Task) -> str:
    parts = []
    if task.stdout.lines:
        parts.append(f"{count(task.stdout.lines, 'line')} on stdout")
    if task.stderr.lines:
        parts.append(f"{count(task.stderr.lines, 'line')} on stderr")
    return ", ".join(parts) + (f" (`mfv logs {escape(task.pathspec)}`)" if parts else "")


def _code_text(run: ShownRun, opening: Opening) -> str:
    text = f"{escape(opening.script)} in tree {opening.tree.hex()[:8]}"
    text += f" ({count(len(run.tree.files), 'file')}"
    if opening.left_out:
        text += f", {len(opening.left_out)} left out"
    text += ")"
    git = opening.git
    if git is not None and git.commit is not None:
        text += f", git {git.commit[:8]}"
        if git.branch:
            text += f" on {escape(git.branch)}"
        if git.dirty:
            text += f", dirty: {count(len(git.changed), 'file')}"
    return text


def _environment_text(environment: Environment) -> str:
    text = (
        f"Python {environment.python}, {count(len(environment.packages), 'package')}, "
        f"{environment.system} {environment.machine}, {environment.cpu_count} cores, "
        f"{size(environment.memory)}"
    )
    return escape(text + "".join(f", {gpu}" for gpu in environment.gpus))
