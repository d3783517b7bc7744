"""`mfv log --lineage`"""

import sys

from mfv.cli import main
from mfv.cli.place import repository
from mfv.errors import EXIT_CORRUPT, EXIT_OK


def print_lineage(run: str, *, both: bool, json: bool) -> int:
    """The lineage of one run; damage costs what it touches."""
    from mfv import trace
    from mfv.history.find import find_run
    from mfv.render.text import escape

    view = find_run(repository(), run)
    traced = [trace.ancestors(view), *([trace.descendants(view)] if both else ())]
    if json:
        from mfv.render.json import line
        from mfv.render.lineage import known_json

        for lineage, _ in traced:
            for known in lineage.runs:
                print(line(known_json(lineage, known)))
    else:
        from mfv.render.lineage import lineage_text
        from mfv.render.terminal import Paint, coloured, page, width

        paint = Paint(coloured(sys.stdout))
        texts = [lineage_text(lineage, width=width(), paint=paint) for lineage, _ in traced]
        page("\n\n".join(texts), pager=main.settings.pager)
    damaged = sorted({name for _, names in traced for name in names})
    for name in damaged[:5]:
        print(f"warning: {escape(name)} is damaged (`mfv fsck` says more)", file=sys.stderr)
    return EXIT_CORRUPT if damaged else EXIT_OK
