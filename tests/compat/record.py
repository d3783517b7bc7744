"""Writes expected/*.json: what Metaflow itself does in every scenario.

MFV_METAFLOW_PYTHON=/path/to/python python tests/compat/record.py [SCENARIO …]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from drive import HERE, Player, play
from scenarios import TABLE

if __name__ == "__main__":
    for name in sys.argv[1:] or TABLE:
        with tempfile.TemporaryDirectory() as folder:
            player = Player(os.environ["MFV_METAFLOW_PYTHON"], Path(folder) / "place")
            try:
                seen = play(TABLE[name], player)
            except AssertionError as error:
                print(name, "FAILED", str(error)[-1500:], flush=True)
                continue
        text = json.dumps(seen, indent=1, sort_keys=True, ensure_ascii=False)
        (HERE / "expected" / f"{name}.json").write_text(f"{text}\n", "utf-8")
        print(name, [(c["line"][:30], c["exit"]) for c in seen["commands"]], flush=True)
