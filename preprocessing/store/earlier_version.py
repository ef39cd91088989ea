"""Convert a feature store of an earlier version, which had a file for each item; its values stay the same."""

import json
import secrets
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from preprocessing.clips.parquet_files import read_frame, write_table
from preprocessing.store import layout
from preprocessing.store.array_files import ArrayFile
from preprocessing.store.checksums import CHECKSUMS_NAME, write_checksums
from preprocessing.store.moments import DAMAGE
from preprocessing.store.naming import file_name
from xval.base.errors import CorpusError, brief
from xval.base.json_files import process_name
from xval.base.operating_system import flush, read_regular


def convert_outdated(folder: Path) -> None:
    """Give a store the form that `open_store` reads, if it `is_outdated`; other processes wait, and find it converted.

    Raises:
        CorpusError: It is damaged, or its folder cannot be written.
    """
    if not layout.is_outdated(folder):
        return
    temporary = folder.with_name(f".{folder.name}.{process_name()}.{secrets.token_hex(4)}.tmp")
    try:
        with FileLock(folder.with_name(f".{folder.name}.lock"), fallback_to_soft=False):
            if layout.is_outdated(folder):
                _refuse_other_checksums(folder)
                temporary.mkdir()
                _write(folder, temporary)
                old = temporary.with_suffix(".old.tmp")
                folder.rename(old)
                temporary.rename(folder)
                flush(folder.parent)
                shutil.rmtree(old, ignore_errors=True)
    except FileNotFoundError as error:
        raise _damaged(folder, error) from error
    except OSError as error:
        raise CorpusError(
            f"{folder}: made by an earlier version of xval, and cannot be converted ({brief(error)}). Free some space, or copy "
            "it to a folder that can be written."
        ) from error
    except DAMAGE as error:
        raise _damaged(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _damaged(folder: Path, error: Exception) -> CorpusError:
    return CorpusError(f"{folder}: missing or damaged ({brief(error)}). {layout.how_to_rebuild(folder)}")


def _write(folder: Path, target: Path) -> None:
    content = json.loads(read_regular(folder / layout.DESCRIPTION_NAME))
    counts: dict[str, int] = content["item_counts"]
    samples: dict[str, int] | None = content.pop("item_samples", None)
    item_rows = counts if samples is None else samples
    _join(folder / "predictors", item_rows, target / layout.PREDICTORS_NAME)
    _join(folder / "targets", counts, target / layout.TARGETS_NAME)
    examples = read_frame(folder / layout.EXAMPLES_NAME, {"item": "text"})
    if samples is None:
        first, stop = np.arange(len(examples)), np.arange(1, len(examples) + 1)
    else:  # they were counted within the item
        begins = np.cumsum([0, *item_rows.values()])[:-1]
        begin = examples["item"].map(dict(zip(item_rows, begins.tolist(), strict=True))).to_numpy()
        first, stop = begin + examples.pop("first").to_numpy(), begin + examples.pop("stop").to_numpy()
    write_table(target / layout.EXAMPLES_NAME, examples.assign(first_row=first, stop_row=stop))
    changed = {"format_version": layout.FORMAT_VERSION, "item_rows": item_rows, "is_waveform": samples is not None}
    description = layout.StoreDescription(**content | changed)
    (target / layout.DESCRIPTION_NAME).write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for path in folder.iterdir():
        if path.is_file() and path.name != CHECKSUMS_NAME and not (target / path.name).exists():
            shutil.copyfile(path, target / path.name)
    write_checksums(target)
    for path in [*target.iterdir(), target]:
        flush(path)


def _join(folder: Path, n_rows: dict[str, int], target: Path) -> None:
    """Write the arrays of all items behind each other."""
    joined = ArrayFile(target)
    try:
        for item, expected in n_rows.items():
            path = folder / f"{file_name(item)}.npy"
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            if len(array) != expected:
                raise ValueError(f"{path.name} has {len(array)} rows, store.json says {expected}")
            joined.append(array)
        joined.finish()
    finally:
        joined.close()


def _refuse_other_checksums(folder: Path) -> None:
    """Raise a ValueError if a file is not what was written."""
    path = folder / CHECKSUMS_NAME
    noted: dict[str, Any] = json.loads(read_regular(path))["crc32"] if path.is_file() else {}
    for file in (file for file in folder.rglob("*") if file.is_file() and file.stat().st_size):
        name = file.relative_to(folder).as_posix()
        if name in noted and noted[name] != f"{zlib.crc32(np.memmap(file, np.uint8, 'r').data):08x}":
            raise ValueError(f"{name} has changed since it was written (another checksum)")
