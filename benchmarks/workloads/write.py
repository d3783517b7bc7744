"""Writes the versions of a workload as files, in an environment that has what this takes.

    python write.py checkpoints|table FOLDER --scale S --seed N --versions N --forms a,b

Makes FOLDER/FORM/vNN.SUFFIX and FOLDER/facts.json. Forms: `pkl` and `bf16` of checkpoints; `pkl`,
`csv` and `parquet` of the table, the latter two by pyarrow, which takes a tenth of pandas' time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

PROTOCOL = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload", choices=("checkpoints", "table"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--versions", type=int, required=True)
    parser.add_argument("--forms", required=True)
    options = parser.parse_args()
    forms = options.forms.split(",")
    for form in forms:
        (options.folder / form).mkdir(parents=True, exist_ok=True)
    write = write_checkpoints if options.workload == "checkpoints" else write_table
    facts = write(options.folder, forms, options.scale, options.seed, options.versions)
    (options.folder / "facts.json").write_text(json.dumps(facts), encoding="ascii")


def write_checkpoints(
    folder: Path, forms: list[str], scale: float, seed: int, count: int
) -> dict[str, int]:
    """Writes the states; the facts are the bytes of all distinct arrays of a form."""
    from workloads.checkpoints import halved, versions

    distinct: dict[str, dict[bytes, int]] = {form: {} for form in forms}
    for number, state in enumerate(versions(scale, seed, count)):
        for form in forms:
            shown = halved(state) if form == "bf16" else state
            _dump(shown, folder / form / f"v{number:02d}.pkl")
            for array in shown.values():
                distinct[form][hashlib.blake2b(array, digest_size=16).digest()] = array.nbytes
    return {f"{form} distinct bytes": sum(found.values()) for form, found in distinct.items()}


def write_table(
    folder: Path, forms: list[str], scale: float, seed: int, count: int
) -> dict[str, int]:
    """Writes the tables; the facts are their rows."""
    import pandas
    from workloads.table import versions

    # As where pyarrow is not installed: the pickles must be readable there.
    pandas.options.mode.string_storage = "python"
    facts = {}
    for number, frame in enumerate(versions(scale, seed, count)):
        if "pkl" in forms:
            _dump(frame, folder / "pkl" / f"v{number:02d}.pkl")
        if "csv" in forms or "parquet" in forms:
            import pyarrow
            import pyarrow.csv
            import pyarrow.parquet

            table = pyarrow.Table.from_pandas(frame, preserve_index=False)
            if "parquet" in forms:
                path = folder / "parquet" / f"v{number:02d}.parquet"
                pyarrow.parquet.write_table(table, path)
            if "csv" in forms:
                place = table.column_names.index("country")  # a category, which CSV has not
                plain = table.column("country").cast(pyarrow.string())
                table = table.set_column(place, "country", plain)
                pyarrow.csv.write_csv(table, folder / "csv" / f"v{number:02d}.csv")
        facts[f"v{number:02d} rows"] = len(frame)
    return facts


def _dump(value: object, path: Path) -> None:
    with path.open("wb") as file:
        pickle.dump(value, file, PROTOCOL)


if __name__ == "__main__":
    main()
