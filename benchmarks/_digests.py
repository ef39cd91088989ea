"""Split a file of an experiment into named values, arrays or digests, to compare two states of the code bit by bit.

The head of same_bits.py lists what is not compared, and why. same_bits.py and the torture tests use these digests.
"""

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from hashlib import blake2b
from html import unescape
from pathlib import Path

import h5py
import numpy as np
import openpyxl
import pandas as pd
from openpyxl.worksheet.worksheet import Worksheet

VOLATILE_KEYS = frozenset({"seconds", "compile_s", "peak_memory_mb", "date_saved", "code_hash", "versions", "went_on"})
VOLATILE_KEYS |= {"corpus_fingerprint", "initial_model_hash", "model_sha256", "checksum", "made_of", "seconds_per_hour"}
VOLATILE_COLUMNS = frozenset({"time (s)", "seconds", "peak_memory_mb"})
LONGEST_SHOWN = 24  # characters; of a longer value stands the digest
_DRAWN = re.compile(r'(?<=\s)(d|points|x|y|x1|x2|y1|y2|cx|cy|r|width|height|src)="([^"]*)"')
Part = tuple[str, object]


def read_parts(path: Path) -> Iterator[Part]:
    """Yield the parts of a file by their names: arrays, lists of lines, or other values of JSON."""
    match path.suffix:
        case ".json":
            yield from _of_json(_stable(json.loads(path.read_bytes())))
        case ".csv":
            yield from _of_csv(path.read_text(encoding="utf-8"))
        case ".parquet":
            table = pd.read_parquet(path)
            yield "columns", [[str(name), str(table[name].dtype)] for name in table]
            yield from ((str(name), table[name].to_numpy()) for name in table)
        case ".npy":
            yield "", np.load(path)
        case ".npz":
            with np.load(path) as arrays:
                yield from ((name, arrays[name]) for name in arrays.files)
        case ".keras" | ".skops":
            yield from _of_model(path)
        case ".h5":
            yield from _of_weights(path.read_bytes())
        case ".xlsx":
            yield from _of_workbook(path)
        case ".html":
            yield from _of_page(path.read_text(encoding="utf-8"))
        case ".md" | ".txt" | ".tex":
            yield "lines", path.read_text(encoding="utf-8").splitlines()
        case ".lock":
            yield "", "there"
        case _:
            yield "", _digest(path.read_bytes())


def digest_file(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the digests of the parts of a file, by their names."""
    for name, value in read_parts(path):
        yield name, shown_array(value) if isinstance(value, np.ndarray) else shown(value)


def as_text(value: object) -> str:
    """Return a value as a text that has all of its bits."""
    return json.dumps(value, ensure_ascii=False, default=lambda part: part.tolist() if hasattr(part, "tolist") else repr(part))


def shown(value: object) -> str:
    """Return a value as a text that has all of its bits, or the digest of that."""
    text = as_text(value)
    return text if len(text) <= LONGEST_SHOWN else _digest(text.encode())


def shown_array(array: np.ndarray) -> str:
    """Return type, shape and digest of the bytes of an array."""
    content = shown(array.tolist()) if array.dtype == object else _digest(np.ascontiguousarray(array).tobytes())
    return f"{array.dtype} {array.shape} {content}"


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()


def _stable(content: object) -> object:
    """Return what JSON holds without what is volatile; a hash next to a path is that of a model.keras, which has a date."""
    if isinstance(content, list):
        return [_stable(value) for value in content]
    if not isinstance(content, dict):
        return content
    volatile = VOLATILE_KEYS | {"hash"} if "path" in content else VOLATILE_KEYS
    return {key: _stable(value) for key, value in content.items() if key not in volatile}


def _of_json(content: object, name: str = "") -> Iterator[Part]:
    """Yield each value that is no dict, by its keys."""
    if not isinstance(content, dict):
        yield name, content
        return
    yield f"{name}, keys", list(content)
    for key, value in content.items():
        yield from _of_json(value, f"{name}.{key}")


def _of_csv(text: str) -> Iterator[Part]:
    """Yield each column of a table as it is written, but for those of seconds and memory."""
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    yield "columns", [*header, f"{len(rows)} rows"]
    for place, name in enumerate(header):
        if name not in VOLATILE_COLUMNS:
            yield name, [row[place] if place < len(row) else None for row in rows]


def _of_page(text: str) -> Iterator[Part]:
    """Yield the visible text of a page, and what its pictures are drawn with, sounds among it."""
    body = re.sub(r"<(style|script)\b.*?</\1>", "", text, flags=re.DOTALL)
    words = unescape(re.sub(r"<[^>]*>", "\n", re.sub(r"</?(wbr|b|i|em|code|small|a|span)\b[^>]*>", "", body)))
    yield "text", [" ".join(line.split()) for line in words.splitlines() if line.strip()]
    yield "pictures", [f"{name} {shown(value)}" for name, value in _DRAWN.findall(body)]


def _of_model(path: Path) -> Iterator[Part]:
    """Yield what is in a model.keras or a model.skops: descriptions, and each array."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if path.suffix == ".skops":
        schema = _numbered(files["schema.json"].decode(), "__id__")
        for name, content in files.items():
            schema = schema.replace(f'"{name}"', f'"{_digest(content)}"')  # its name is an address too
        yield from _of_json(json.loads(schema), "pipeline")
        return
    yield "files", sorted(files)
    for name in ("metadata.json", "config.json"):
        yield from _of_json(_stable(json.loads(_numbered(files[name].decode(), "shared_object_id"))), name)
    yield from _of_weights(files["model.weights.h5"])


def _of_weights(content: bytes) -> Iterator[Part]:
    """Yield each array of a file of weights, and the attributes next to them."""
    parts: list[Part] = []
    with h5py.File(io.BytesIO(content)) as weights:
        weights.visititems(lambda name, part: parts.extend(_of_part(name, part)))
    yield from parts


def _numbered(text: str, key: str) -> str:
    """Return JSON with the addresses under a key replaced by the order in which they first come."""
    numbers: dict[str, str] = {}
    return re.sub(rf'(?<="{key}": )\d+', lambda address: numbers.setdefault(address[0], str(len(numbers))), text)


def _of_part(name: str, part: "h5py.Group | h5py.Dataset") -> Iterator[Part]:
    for key, value in part.attrs.items():
        yield f"{name}, {key}", value
    if isinstance(part, h5py.Dataset):
        yield name, np.asarray(part[()])


def _of_workbook(path: Path) -> Iterator[Part]:
    """Yield each cell of each sheet, what else a sheet has, and the charts."""
    with zipfile.ZipFile(path) as archive:
        for number, sheet in enumerate(openpyxl.load_workbook(path), start=1):
            yield from _of_sheet(sheet, archive.read(f"xl/worksheets/sheet{number}.xml").decode())
        for name in archive.namelist():
            if name.startswith(("xl/charts/", "xl/drawings/", "xl/workbook")):
                yield name, _digest(archive.read(name))


def _of_sheet(sheet: Worksheet, written: str) -> Iterator[Part]:
    volatile = {cell.column for cell in sheet[1] if cell.value in VOLATILE_COLUMNS}
    styles: dict[int, str] = {}
    for row, cells in enumerate(sheet.iter_rows(), start=1):
        for cell in cells:
            if cell.style_id not in styles:
                styles[cell.style_id] = _digest(repr((cell.font, cell.fill, cell.border, cell.alignment)).encode())
            value = None if row > 1 and cell.column in volatile else cell.value
            link = cell.hyperlink and [cell.hyperlink.target, cell.hyperlink.location]
            content = {"value": value, "format": cell.number_format, "style": styles[cell.style_id], "link": link}
            yield f"{sheet.title}!{cell.coordinate}", [f"{key} {as_text(part)}" for key, part in content.items()]
    around = re.sub("<sheetData>.*</sheetData>", "", written, flags=re.DOTALL)
    for column in volatile:
        around = re.sub(f'<col [^>]*min="{column}"[^>]*>', "", around)  # as wide as its longest value
    heights = {row: dimension.height for row, dimension in sheet.row_dimensions.items()}
    yield f"{sheet.title}, layout", [around, as_text(heights)]
