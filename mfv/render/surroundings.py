"""`mfv show --code` and `--env`: the files of a run, and the machine that it ran on."""

from __future__ import annotations

from mfv.manifest.records import Source
from mfv.render.facts import facts_lines, file_name
from mfv.render.shown import ShownRun
from mfv.render.terminal import Paint
from mfv.render.text import escape, table
from mfv.render.units import count, size


def code_text(run: ShownRun, *, width: int, paint: Paint) -> str:
    """The files of a run's code snapshot, and those that were left out."""
    files = run.tree.files
    rows = [(f"{file.mode:o}", size(file.size), file_name(file.path)) for file in files]
    title = (
        f"code of {escape(run.name)}: {count(len(files), 'file')}, tree {run.opening.tree.hex()}"
    )
    lines = [paint(title, "bold")]
    lines += [f"  {line}" for line in table(rows, width=width - 2, right=frozenset({1}))]
    if run.opening.left_out:
        lines += ["", paint("left out", "bold", "yellow")]
        left = [(size(f.size), escape(f.path), escape(f.reason)) for f in run.opening.left_out]
        lines += [f"  {line}" for line in table(left, width=width - 2, right=frozenset({0}))]
    return "\n".join(lines)


def environment_text(run: ShownRun, *, width: int, paint: Paint) -> str:
    """The machine and the packages of a run."""
    environment = run.environment
    facts = [
        ("python", f"{environment.python} ({environment.implementation})"),
        ("", " ".join(filter(None, (environment.python_kind, environment.python_build)))),
        ("system", f"{environment.system} {environment.release} {environment.machine}"),
        ("", environment.distribution),
        ("libc", environment.libc),
        ("cpu", f"{environment.cpu_count} x {environment.cpu}"),
        ("", f"{environment.cpu_usable} to use" if environment.cpu_usable else ""),
        ("features", " ".join(environment.cpu_features)),
        ("memory", size(environment.memory)),
        ("gpu", ", ".join(environment.gpus)),
        ("driver", environment.gpu_driver),
        ("cuda", environment.cuda),
        ("blas", environment.blas),
        ("locale", " ".join(filter(None, (environment.locale, environment.encoding)))),
        ("time zone", environment.timezone),
        ("hash seed", run.opening.hash_seed),
    ]
    lines = [paint(f"environment of {escape(run.name)}", "bold")]
    lines += facts_lines([(name, escape(text)) for name, text in facts], width)
    variables = [(escape(name), escape(value)) for name, value in run.opening.variables]
    if variables:
        lines += ["", paint("variables", "bold")]
        lines += [f"  {line}" for line in table(variables, width=width - 2)]
    sources = {source.name: source for source in environment.sources}
    packages = [
        (escape(p.name), escape(p.version), escape(_source_text(sources.get(p.name))))
        for p in environment.packages
    ]
    if packages:
        lines += ["", paint(count(len(packages), "package"), "bold")]
        lines += [f"  {line}" for line in table(packages, width=width - 2)]
    return "\n".join(lines)


def _source_text(source: Source | None) -> str:
    """Where a package came from; empty for what most are, from an index."""
    if source is None or source.kind == "index":
        return ""
    if source.kind == "vcs":
        return f"{source.vcs}+{source.url}@{source.commit[:12]}"
    return f"{'editable ' if source.editable else ''}{source.url}"
