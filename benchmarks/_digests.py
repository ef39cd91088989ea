"""Digests of the files that experiments leave: what must not differ by a bit between two states of the code.

Comes in: a folder. Goes out: for each part of each file, by its name, a digest, or the value itself where it is short. What is
left out, and why, stands on top of same_bits.py. Next: same_bits.py.
"""

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import h5py
import numpy as np
import openpyxl
import pandas as pd
from openpyxl.worksheet.worksheet import Worksheet

VOLATILE_KEYS = frozenset({"seconds", "compile_s", "peak_memory_mb", "date_saved", "code_hash", "versions", "went_on"})
VOLATILE_KEYS |= {"corpus_fingerprint", "initial_model_hash", "checksum"}
VOLATILE_COLUMNS = frozenset({"time (s)", "seconds", "peak_memory_mb"})
LONGEST_SHOWN = 24  # characters; of a longer value stands the digest


def of_folder(folder: Path) -> dict[str, str]:
    """Return the digests of all files in a folder that jobs have run in."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_file() and "code" not in place.parts:
            found |= {f"{place.as_posix()}: {name}": value for name, value in _of_file(path)}
    return found


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()


def _shown(value: object) -> str:
    """Return a value as a text that has all of its bits, or the digest of that."""
    text = json.dumps(value, ensure_ascii=False, default=lambda part: part.tolist() if hasattr(part, "tolist") else repr(part))
    return text if len(text) <= LONGEST_SHOWN else _digest(text.encode())


def _of_array(array: np.ndarray) -> str:
    """Return type, shape and digest of the bytes of an array."""
    content = _shown(array.tolist()) if array.dtype == object else _digest(np.ascontiguousarray(array).tobytes())
    return f"{array.dtype} {array.shape} {content}"


def _stable(content: object) -> object:
    """Return what JSON holds without what is volatile; a hash beside a path is that of a model.keras, which has a date."""
    if isinstance(content, list):
        return [_stable(value) for value in content]
    if not isinstance(content, dict):
        return content
    volatile = VOLATILE_KEYS | {"hash"} if "path" in content else VOLATILE_KEYS
    return {key: _stable(value) for key, value in content.items() if key not in volatile}


def _of_json(content: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value that is no dict, by its keys."""
    if not isinstance(content, dict):
        yield name, _shown(content)
        return
    yield f"{name}, keys", _shown(list(content))
    for key, value in content.items():
        yield from _of_json(value, f"{name}.{key}")


def _of_csv(text: str) -> Iterator[tuple[str, str]]:
    """Yield each column of a table as it is written."""
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    yield "columns", _shown([header, len(rows)])
    for place, name in enumerate(header):
        yield name, _shown([row[place] for row in rows])


def _of_model(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what is in a model.keras or a model.skops: descriptions, and each array."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if path.suffix == ".skops":
        schema = _numbered(files["schema.json"].decode(), "__id__")
        for name, content in files.items():
            schema = schema.replace(f'"{name}"', _digest(content))  # its name is an address too
        yield "pipeline", _shown(schema)
        return
    yield "files", _shown(sorted(files))
    for name in ("metadata.json", "config.json"):
        yield from _of_json(_stable(json.loads(_numbered(files[name].decode(), "shared_object_id"))), name)
    with h5py.File(io.BytesIO(files["model.weights.h5"])) as weights:
        found: dict[str, str] = {}
        weights.visititems(lambda name, part: found.update(_of_part(name, part)))
    yield from found.items()


def _numbered(text: str, key: str) -> str:
    """Return JSON with the addresses under a key replaced by the order in which they first come."""
    numbers: dict[str, str] = {}
    return re.sub(rf'(?<="{key}": )\d+', lambda found: numbers.setdefault(found[0], str(len(numbers))), text)


def _of_part(name: str, part: "h5py.Group | h5py.Dataset") -> Iterator[tuple[str, str]]:
    for key, value in part.attrs.items():
        yield f"{name}, {key}", _shown(value)
    if isinstance(part, h5py.Dataset):
        yield name, _of_array(np.asarray(part[()]))


def _of_workbook(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each row of each sheet, what else a sheet has, and the charts."""
    with zipfile.ZipFile(path) as archive:
        for number, sheet in enumerate(openpyxl.load_workbook(path), start=1):
            yield from _of_sheet(sheet, archive.read(f"xl/worksheets/sheet{number}.xml").decode())
        for name in archive.namelist():
            if name.startswith(("xl/charts/", "xl/drawings/", "xl/workbook")):
                yield name, _digest(archive.read(name))


def _of_sheet(sheet: Worksheet, written: str) -> Iterator[tuple[str, str]]:
    volatile = {cell.column for cell in sheet[1] if cell.value in VOLATILE_COLUMNS}
    styles: dict[int, str] = {}
    for row, cells in enumerate(sheet.iter_rows(), start=1):
        described = []
        for cell in cells:
            if cell.style_id not in styles:
                styles[cell.style_id] = repr((cell.font, cell.fill, cell.border, cell.alignment))
            value = None if row > 1 and cell.column in volatile else cell.value
            link = cell.hyperlink and (cell.hyperlink.target, cell.hyperlink.location)
            described.append((cell.coordinate, value, cell.number_format, styles[cell.style_id], link))
        yield f"{sheet.title}, row {row}", _shown(described)
    around = re.sub("<sheetData>.*</sheetData>", "", written, flags=re.DOTALL)
    for column in volatile:
        around = re.sub(f'<col [^>]*min="{column}"[^>]*>', "", around)  # as wide as its longest value
    heights = {row: each.height for row, each in sheet.row_dimensions.items()}
    yield f"{sheet.title}, layout", _shown([around, heights])


def _of_file(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the digests of a file, by the names of its parts."""
    match path.suffix:
        case ".json":
            yield from _of_json(_stable(json.loads(path.read_bytes())))
        case ".csv":
            yield from _of_csv(path.read_text(encoding="utf-8"))
        case ".parquet":
            table = pd.read_parquet(path)
            yield "columns", _shown([list(table.columns), len(table)])
            yield from ((str(name), _of_array(table[name].to_numpy())) for name in table)
        case ".npz":
            with np.load(path) as arrays:
                yield from ((name, _of_array(arrays[name])) for name in arrays.files)
        case ".keras" | ".skops":
            yield from _of_model(path)
        case ".xlsx":
            yield from _of_workbook(path)
        case ".lock":
            yield "", "there"
        case _:
            yield "", _digest(path.read_bytes())
