"""What may become of a file: removed, cut, filled with other bytes, replaced by what is no file, or edited by its schema.

A file that would execute something makes a file ``canary`` in the current folder.
"""

import csv
import io
import json
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

CANARY = "canary"
PICKLE = f"cposix\nsystem\n(S'touch {CANARY}'\ntR.".encode()
ODD_VALUES: tuple[Any, ...] = (
    None, "", "x", -1, 0, 1.5, True, 10**400, 1e308, -1e308, [], {}, [[]], {"a": []}, "\ud800", "\x1b[2J", "../../x", "a\nb",
    "=1+1", "x" * 100_000, [None] * 1000, [float(number) for number in range(1000)],
)  # fmt: skip


def tamper(path: Path, rng: random.Random) -> tuple[str, bool]:
    """Change a file; return what was done, and whether what reads it can be expected to notice."""
    by_schema = _SCHEMAS.get(path.suffix)
    if by_schema is not None and rng.random() < 0.6:
        return by_schema(path, rng)
    return rng.choice(_BY_BYTES)(path, rng)


def _removed(path: Path, _rng: random.Random) -> tuple[str, bool]:
    path.unlink()
    return "removed", True


def _empty(path: Path, _rng: random.Random) -> tuple[str, bool]:
    path.write_bytes(b"")
    return "empty", True


def _cut(path: Path, rng: random.Random) -> tuple[str, bool]:
    content = path.read_bytes()
    length = rng.randrange(max(1, len(content)))
    path.write_bytes(content[:length])
    return f"cut after {length} of {len(content)} bytes", len(content) - length > 1


def _flipped(path: Path, rng: random.Random) -> tuple[str, bool]:
    content = bytearray(path.read_bytes())
    if not content:
        return _filled(path, rng)
    place, bit = rng.randrange(len(content)), rng.randrange(8)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {place} flipped", path.suffix == ".npy"


def _filled(path: Path, rng: random.Random) -> tuple[str, bool]:
    name, content = rng.choice(
        [
            ("random bytes", rng.randbytes(3000)),
            ("zeros", bytes(3000)),
            ("a pickle", PICKLE),
            ("UTF-16", "[a]\nb=1".encode("utf-16")),
        ]
    )
    path.write_bytes(content)
    return f"filled with {name}", True


def _lengthened(path: Path, rng: random.Random) -> tuple[str, bool]:
    with path.open("ab") as file:
        file.write(rng.randbytes(100))
    return "100 bytes longer", path.suffix in (".json", ".ini")


def _pipe(path: Path, _rng: random.Random) -> tuple[str, bool]:
    path.unlink()
    os.mkfifo(path)
    return "a pipe", True


def _folder(path: Path, _rng: random.Random) -> tuple[str, bool]:
    path.unlink()
    path.mkdir()
    return "a folder", True


def _link(path: Path, rng: random.Random) -> tuple[str, bool]:
    target = rng.choice([path.name, "not there", "/dev/zero", "/dev/full", "/proc/self/mem"])
    path.unlink()
    path.symlink_to(target)
    return f"a link to {target}", True


_BY_BYTES: tuple[Callable[[Path, random.Random], tuple[str, bool]], ...] = (
    _removed, _empty, _cut, _cut, _flipped, _flipped, _filled, _lengthened, _pipe, _folder, _link,
)  # fmt: skip


def _edit(content: Any, rng: random.Random) -> tuple[str, Any]:
    """Change one place of a JSON value; return where and how, and the value."""
    places: list[tuple[Any, Any, str]] = []

    def walk(value: Any, name: str) -> None:
        for key in list(value) if isinstance(value, dict) else range(min(len(value), 3)):
            places.append((value, key, f"{name}.{key}"))
            if isinstance(value[key], dict | list):
                walk(value[key], f"{name}.{key}")

    if isinstance(content, dict | list):
        walk(content, "")
    if not places:
        return "replaced", rng.choice(ODD_VALUES)
    holder, key, name = rng.choice(places)
    if rng.random() < 0.35:
        del holder[key]
        return f"{name} removed", content
    holder[key] = rng.choice(ODD_VALUES)
    return f"{name} = {holder[key]!r:.30}", content


def _json(path: Path, rng: random.Random) -> tuple[str, bool]:
    if rng.random() < 0.1:
        name, text = rng.choice(
            [
                ("nested", "[" * 100_000),
                ("a list", "[1]"),
                ("NaN", '{"a": NaN}'),
                ("two", '{"a": 1}{"a": 2}'),
                ("400 digits", '{"a": 1' + "0" * 5000 + "}"),
            ]
        )
        path.write_text(text)
        return f"JSON: {name}", True
    name, content = _edit(json.loads(path.read_bytes()), rng)
    path.write_text(json.dumps(content))
    return f"JSON: {name}", False


def _table(path: Path, rng: random.Random) -> tuple[str, bool]:
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8")))) or [[""]]
    row, column = rng.randrange(len(rows)), rng.randrange(max(1, len(rows[0])))
    match rng.choice(["column", "row", "cell", "more"]):
        case "column":
            name, rows = f"without column {column}", [[*cells[:column], *cells[column + 1 :]] for cells in rows]
        case "row":
            name = f"row {row} twice"
            rows.insert(row, list(rows[row]))
        case "more":
            name = f"row {row} longer"
            rows[row] = [*rows[row], "x", "y"]
        case _:
            value = rng.choice(["", "nan", "1e999", "x", "\x00", "9" * 5000, "-1"])
            name = f"cell {row}, {column} = {value!r:.20}"
            rows[row] = [*rows[row][:column], value, *rows[row][column + 1 :]]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return f"csv: {name}", False


def _parquet(path: Path, rng: random.Random) -> tuple[str, bool]:
    table = pd.read_parquet(path)
    column = rng.choice(list(table.columns))
    match rng.choice(["drop", "type", "nan", "twice", "none", "rename"]):
        case "drop":
            name, table = f"without {column}", table.drop(columns=column)
        case "type":
            name, table[column] = f"{column} as texts", table[column].astype(str) + "x"
        case "nan":
            name, table[column] = f"{column} of nothing", None
        case "twice":
            name, table = "every row twice", pd.concat([table, table])
        case "none":
            name, table = "no rows", table.iloc[:0]
        case _:
            name, table = f"{column} renamed", table.rename(columns={column: "=x\x1b"})
    table.to_parquet(path, index=False)
    return f"parquet: {name}", False


def _array(path: Path, rng: random.Random) -> tuple[str, bool]:
    values = np.load(path)
    match rng.choice(["pickle", "shape", "type", "nan", "none"]):
        case "pickle":
            path.unlink()
            np.save(path.with_suffix(".npy"), np.array([_Touch()], object), allow_pickle=True)
            return "array: a pickle", True
        case "shape":
            np.save(path, values[: len(values) // 2])
            return "array: half of it", True
        case "type":
            np.save(path, values.astype("S8"))
            return "array: bytes", True
        case "nan" if values.dtype.kind == "f":
            np.save(path, np.where(np.arange(values.size).reshape(values.shape) == 0, np.nan, values))
            return "array: a NaN", True
        case _:
            np.save(path, values.ravel())
            return "array: flat", values.ndim != 1


class _Touch:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {CANARY}",)


def _archive(path: Path, rng: random.Random) -> tuple[str, bool]:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    match rng.choice(["without", "cut", "edit", "outside", "pickle"]):
        case "without":
            del members[name]
            done = f"without {name}"
        case "edit" if name.endswith(".json"):
            done, content = _edit(json.loads(members[name]), rng)
            members[name], done = json.dumps(content).encode(), f"{name}: {done}"
        case "outside":
            members[f"../../{CANARY}"], done = b"x", "a member outside"
        case "pickle":
            members[name], done = PICKLE, f"{name} is a pickle"
        case _:
            members[name], done = members[name][: len(members[name]) // 2], f"half of {name}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return f"zip: {done}", False


def _ini(path: Path, rng: random.Random) -> tuple[str, bool]:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    places = [number for number, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    place = rng.choice(places)
    match rng.choice(["UTF-16", "Latin-1", "BOM", "without", "twice", "value", "section"]):
        case "UTF-16":
            path.write_bytes(text.encode("utf-16"))
            return "ini: UTF-16", False
        case "Latin-1":
            path.write_bytes(("# ä\n" + text).encode("latin-1", "replace"))
            return "ini: Latin-1", False
        case "BOM":
            path.write_bytes(text.encode("utf-8-sig"))
            return "ini: a BOM", False
        case "without":
            done = f"without {lines.pop(place)!r}"
        case "twice":
            lines.insert(place, lines[place])
            done = f"twice {lines[place]!r}"
        case "section":
            done, lines[0] = "no section", "a = 1"
        case _:
            lines[place] = (
                f"{lines[place].partition('=')[0]}= {rng.choice(['x', '-1', '1e400', '', '%(a)s', '${a}', '٣', 'nan'])}"
            )
            done = f"{lines[place]!r}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"ini: {done}", False


_SCHEMAS: dict[str, Callable[[Path, random.Random], tuple[str, bool]]] = {
    ".json": _json, ".csv": _table, ".parquet": _parquet, ".npy": _array, ".ini": _ini,
    ".keras": _archive, ".skops": _archive, ".xlsx": _archive, ".ensemble": _archive,
}  # fmt: skip
