"""Corpora and models of other programs that were made to do harm: to run something, to read what is private, to never end.

Comes in: a project, a secret beside it, and what draws. Goes out: an `Attack`. What runs something makes ``canary`` in the
current folder.
"""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from _attack import END, TABLE, Attack
from _tampers import CANARY, PICKLE


def audformat_header(project: Path, secret: Path, rng: random.Random) -> Attack:
    tag = rng.choice([
        f"!!python/object/apply:os.system ['touch {CANARY}']", f"!!python/object/new:os.system ['touch {CANARY}']",
        f"!!python/object/apply:subprocess.check_output [['touch', '{CANARY}']]", "!!python/name:os.system",
        "!!python/module:os",
    ])  # fmt: skip
    header = project / "audformat" / "db.yaml"
    text = header.read_text()
    place = rng.choice(["of voices", "glad", "30"])
    assert place in text
    header.write_text(text.replace(place, tag, 1))
    return Attack(f"db.yaml with {tag[:40]} at {place}", [_audformat()])


def audformat_pickle(project: Path, secret: Path, rng: random.Random) -> Attack:
    table = project / "audformat" / "db.files.csv"
    (project / "audformat" / "db.files.pkl").write_bytes(PICKLE)
    is_alone = rng.random() < 0.5
    if is_alone:
        table.unlink()
    return Attack(
        f"db.files.pkl {'alone' if is_alone else 'beside the csv'}", [_audformat()], codes=(1, 2) if is_alone else (0, 1, 2)
    )


def audformat_path(project: Path, secret: Path, rng: random.Random) -> Attack:
    path, table = _way_to(secret, project / "audformat", rng), project / "audformat" / "db.files.csv"
    table.write_text(table.read_text().replace("audio/3.wav", path))
    return Attack(f"an audformat table that names {path}", [_audformat()])


def huggingface_path(project: Path, secret: Path, rng: random.Random) -> Attack:
    folder = project / "huggingface"
    path = _way_to(secret, folder, rng)
    (file,) = folder.glob("*.arrow")
    with pa.OSFile(str(file)) as stream:
        table = pa.ipc.open_stream(stream).read_all()
    cells = table["audio"].to_pylist()
    cells[3] = {"bytes": None, "path": path}
    table = table.set_column(
        table.schema.get_field_index("audio"), table.schema.field("audio"), pa.array(cells, table.schema.field("audio").type)
    )
    with pa.OSFile(str(file), "wb") as stream, pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return Attack(
        f"a cell of a dataset that names {path}",
        [("-m", "preprocessing", "huggingface", "copied", "--source", str(folder), *END)],
    )


def endless_onnx(project: Path, secret: Path, rng: random.Random) -> Attack:
    workers = rng.choice(["1", "2"])
    return Attack(
        f"a loop of 2**62 steps, {workers} workers", [_embedding("onnx:onnx/endless.onnx", workers)], (128 + 15,), 12.0
    )


def enormous_onnx(project: Path, secret: Path, rng: random.Random) -> Attack:
    return Attack("a network that wants 68 GB", [_embedding("onnx:onnx/enormous.onnx")])


def transformers_folder(project: Path, secret: Path, rng: random.Random) -> Attack:
    """A store must not keep its name where a file is another that the model is loaded from."""
    name, command = rng.choice(sorted(_CHANGES)), _embedding("transformers:transformers")

    def change(place: Path) -> None:
        _CHANGES[name](place / "transformers", secret)

    def fault(place: Path) -> str:
        n_stores = sum(path.is_dir() for path in place.glob("data/other/features/*"))
        return "the store has the same name after the change" if n_stores == 1 and name != "a link" else ""

    return Attack(f"a transformers folder: {name}", [command, change, command], (0, 1, 2), None, fault)


def _edit_json(path: Path, old: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(old.read_text()) | changes))


def _move_shard(folder: Path, _secret: Path) -> None:
    """Put the weights into a folder below, where an index names them, and change them there."""
    (folder / "below").mkdir()
    (folder / "model.safetensors").rename(folder / "below" / "model.safetensors")
    content = bytearray((folder / "below" / "model.safetensors").read_bytes())
    (length,) = struct.unpack("<Q", content[:8])
    names = [name for name in json.loads(content[8 : 8 + length]) if name != "__metadata__"]
    content[-4:] = struct.pack("<f", 1.0)
    (folder / "below" / "model.safetensors").write_bytes(content)
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "below/model.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _link(folder: Path, secret: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    (folder / "preprocessor_config.json").symlink_to(secret)


_EXTRACTOR, _CONFIG = "preprocessor_config.json", "config.json"
_CHANGES: dict[str, Callable[[Path, Path], None]] = {
    "a further processor_config.json": lambda folder, _: (folder / "processor_config.json").write_text(
        json.dumps({"feature_extractor": json.loads((folder / _EXTRACTOR).read_text()) | {"do_normalize": False}})
    ),
    "another preprocessor_config.json": lambda folder, _: _edit_json(
        folder / _EXTRACTOR, folder / _EXTRACTOR, do_normalize=False
    ),
    "another config.json": lambda folder, _: _edit_json(folder / _CONFIG, folder / _CONFIG, layer_norm_eps=0.5),
    "a shard below": _move_shard,
    "a link": _link,
}


def damaged_table(project: Path, secret: Path, rng: random.Random) -> Attack:
    table = pd.DataFrame(
        {
            "path": [f"{item}_{label}_0.wav" for item in range(4) for label in ("low", "high")],
            "item": [f"s{item // 2}" for item in range(8)],
            "label": ["low", "high"] * 4,
        }
    )
    kind = rng.choice(["xlsx flipped", "xlsx cut sheet", "parquet flipped", "parquet times", "csv zeros"])
    path = project / "audio" / f"other.{kind.partition(' ')[0]}"
    match kind:
        case "parquet times":
            times = pa.array([2**62] * len(table), pa.timestamp("s"))
            pq.write_table(pa.Table.from_pandas(table).append_column("when", times), path)
        case "csv zeros":
            path.write_bytes(table.to_csv(index=False).encode() + bytes(1000))
        case "xlsx cut sheet":
            file = io.BytesIO()
            table.to_excel(file, index=False)
            with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w") as new:
                for name in old.namelist():
                    content = old.read(name)
                    new.writestr(name, content[: len(content) // 2] if "sheet1" in name else content)
        case _:
            table.to_excel(path, index=False) if "xlsx" in kind else table.to_parquet(path)
            content = bytearray(path.read_bytes())
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            path.write_bytes(content)
    return Attack(f"a table: {kind}", [(*TABLE, str(path), *END)], (0, 1, 2))


def huge_table(project: Path, secret: Path, rng: random.Random) -> Attack:
    kind = rng.choice(["parquet", "xlsx", "csv"])
    path = project / "audio" / f"other.{kind}"
    match kind:
        case "parquet":
            rows = pa.table(
                {
                    name: pa.DictionaryArray.from_arrays(pa.array(np.zeros(10**6, np.int32)), [text])
                    for name, text in (("path", "0_low_0.wav"), ("item", "s"), ("label", "a"))
                }
            )
            with pq.ParquetWriter(path, rows.schema, compression="zstd") as writer:
                for _ in range(200):
                    writer.write_table(rows)
        case "xlsx":
            small = io.BytesIO()
            pd.DataFrame({"path": ["a"], "item": ["s"], "label": ["x"]}).to_excel(small, index=False)
            with zipfile.ZipFile(small) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
                for name in old.namelist():
                    if "sharedStrings" not in name:
                        new.writestr(name, old.read(name))
                with new.open("xl/sharedStrings.xml", "w") as member:
                    member.write(b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">')
                    for _ in range(600):
                        member.write(b"<si><t>" + b"x" * 10**6 + b"</t></si>")
                    member.write(b"</sst>")
        case _:
            with path.open("wb") as file:
                file.write(b"path,item,label\n")
                for _ in range(600):
                    file.write(b"x" * 10**6)
    return Attack(f"a {kind} that is far larger unpacked, or in one line", [(*TABLE, str(path), *END)])


def _audformat() -> tuple[str, ...]:
    return ("-m", "preprocessing", "audformat", "audformat", "--label", "emotion", *END)


def _embedding(model: str, workers: str = "1") -> tuple[str, ...]:
    settings = [word for each in ("features=embedding", f"embedding_model={model}") for word in ("--set", each)]
    return (*TABLE, "audio/toy.csv", *settings, "--dataset", "other", "--workers", workers)


def _way_to(secret: Path, folder: Path, rng: random.Random) -> str:
    """Return a path in a folder that leads to the secret: absolute, by ``..``, or by a link."""
    (folder / "link.wav").symlink_to(secret)
    (folder / "above").symlink_to(secret.parent)
    up = "../" * len(secret.relative_to(Path(*secret.parts[:1])).parts)
    return rng.choice(
        [str(secret), f"../../{secret.parent.name}/{secret.name}", "link.wav", f"above/{secret.name}", f"{up}{str(secret)[1:]}"]
    )
