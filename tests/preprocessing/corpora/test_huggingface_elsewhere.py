"""Datasets of Hugging Face from elsewhere: what they name outside of their folders is not read or written, and nothing runs."""

import http.server
import io
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from preprocessing.__main__ import main
from preprocessing.corpora.huggingface import list_clips
from xval.base.errors import CorpusError


def encoded(number: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(number).normal(0, 0.1, 8000), 16000, format="WAV")
    return file.getvalue()


def dataset(cells: list[dict[str, Any]]) -> Any:
    import datasets

    features = datasets.Features({"audio": datasets.Audio(decode=False), "label": datasets.Value("string")})
    labels = ["ab"[number % 2] for number in range(len(cells))]
    return datasets.Dataset.from_dict({"audio": cells, "label": labels}).cast(features)


def save_with_paths(folder: Path, paths: list[str]) -> None:
    """Write a dataset whose cells name files: save_to_disk would put these files into it."""
    folder.mkdir(parents=True)
    part = dataset([{"bytes": None, "path": path} for path in paths])
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, part.data.schema) as stream,
    ):
        stream.write_table(part.data.table)
    dataset([{"bytes": encoded(0), "path": "0.wav"}]).save_to_disk(str(folder.with_name("form")))
    for name in ("state.json", "dataset_info.json"):
        (folder / name).write_text((folder.with_name("form") / name).read_text())


@pytest.mark.parametrize("path", ["{root}/key", "../key", "audio/../../key", "link.wav", "above/key"])
def test_files_outside_are_refused_by_row_and_not_copied(tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key").write_text("secret")
    path, folder = path.replace("{root}", str(tmp_path)), tmp_path / "words"
    save_with_paths(folder, ["audio/0.wav", path])
    (folder / "audio").mkdir()
    (folder / "audio" / "0.wav").write_bytes(encoded(0))
    (folder / "link.wav").symlink_to(tmp_path / "key")
    (folder / "above").symlink_to(tmp_path)
    assert main(["huggingface", str(folder), "--data-folder", str(tmp_path / "data")]) == 2
    assert f"row 1 of split train: its audio '{path}' is outside {folder}" in " ".join(capsys.readouterr().err.split())
    copies = [file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file()]
    assert b"secret" not in copies


def test_files_inside_are_copied_wherever_the_command_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "words"
    save_with_paths(folder, ["audio/0.wav", str(folder / "audio" / "1.wav")])
    (folder / "audio").mkdir()
    for number in range(2):
        (folder / "audio" / f"{number}.wav").write_bytes(encoded(number))
    (tmp_path / "cwd" / "audio").mkdir(parents=True)
    (tmp_path / "cwd" / "audio" / "0.wav").write_bytes(encoded(7))
    monkeypatch.chdir(tmp_path / "cwd")
    list_clips(tmp_path / "audio", source=str(folder))
    assert [(tmp_path / f"audio/train/00000{number}.wav").read_bytes() for number in range(2)] == [encoded(0), encoded(1)]


def test_splits_are_no_folders_elsewhere(tmp_path: Path) -> None:
    """Their names would lead the reader to other folders, and its copies too."""
    import datasets

    folder = tmp_path / "words"
    part = dataset([{"bytes": encoded(0), "path": "0.wav"}])
    datasets.DatasetDict({"train": part}).save_to_disk(str(folder))
    part.save_to_disk(str(tmp_path / "private"))
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["../private"]}))
    with pytest.raises(CorpusError, match=r"dataset_dict\.json names a split '\.\./private'; expected letters, digits"):
        list_clips(tmp_path / "data" / "audio", source=str(folder))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "name",
    ["../private/data-00000-of-00001.arrow", "link.arrow", "link/../data-00000-of-00001.arrow", "sub\\x.arrow"],
)
def test_tables_of_other_folders_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "words"
    for place in (folder, tmp_path / "private"):
        dataset([{"bytes": encoded(0), "path": "0.wav"}]).save_to_disk(str(place))
    (folder / "link.arrow").symlink_to(tmp_path / "private" / "data-00000-of-00001.arrow")
    (folder / "sub\\x.arrow").symlink_to(tmp_path / "private" / "data-00000-of-00001.arrow")
    (tmp_path / "private" / "in").mkdir()
    (folder / "link").symlink_to(tmp_path / "private" / "in")
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"_data_files": [{"filename": name}]}))
    with pytest.raises(CorpusError, match=r"state\.json names '.*\.arrow', which is outside .*words"):
        list_clips(tmp_path / "audio", source=str(folder))


@pytest.fixture
def requests() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - a name of the library

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("kind", ["Image", "Video", "Pdf", "Audio"])
@pytest.mark.parametrize("is_list", [False, True])
def test_columns_that_the_library_would_decode_are_refused(
    tmp_path: Path, requests: tuple[str, list[str]], kind: str, is_list: bool
) -> None:
    """Their cells name files and addresses, which it opens; those that are not chosen are not looked at."""
    address, asked = requests
    folder = tmp_path / "words"
    save_with_features(folder, f"{address}/x.png", {"_type": kind}, is_list)
    for option in ({"label": "picture"}, {"item": "picture"}):
        with pytest.raises(
            CorpusError, match=rf"words, split train: the column picture has (lists of )?{kind}; expected Value or ClassLabel"
        ):
            list_clips(tmp_path / "audio", source=str(folder), audio="audio", **option)
    assert list_clips(tmp_path / "audio", source=str(folder), audio="audio")["label"].tolist() == ["a"]
    assert asked == []


def save_with_features(folder: Path, path: str, feature: dict[str, Any], is_list: bool) -> None:
    """Write a dataset with one row and one more column, ``picture``, of which dataset_info.json says what it is."""
    import datasets

    cell = {"bytes": None, "path": path}
    dataset([{"bytes": encoded(0), "path": "0.wav"}]).add_column(
        "picture",
        [[cell] if is_list else cell],
        feature=(datasets.List if is_list else dict)({"bytes": datasets.Value("binary"), "path": datasets.Value("string")}),
    ).save_to_disk(str(folder))
    info = json.loads((folder / "dataset_info.json").read_text())
    info["features"]["picture"] = {"_type": "List", "feature": feature} if is_list else feature
    (folder / "dataset_info.json").write_text(json.dumps(info))


def test_splits_of_other_columns_are_refused_by_name(tmp_path: Path) -> None:
    import datasets

    part = dataset([{"bytes": encoded(0), "path": "0.wav"}])
    datasets.DatasetDict({"train": part}).save_to_disk(str(tmp_path / "words"))
    part.rename_column("label", "word").save_to_disk(str(tmp_path / "words" / "test"))
    (tmp_path / "words" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    with pytest.raises(
        CorpusError, match=r"words, split test: there is no column label, which another split has\. Available: audio, word"
    ):
        list_clips(tmp_path / "audio", source=str(tmp_path / "words"))


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    "form", ["- config_name: a\n  data_files: {}", "- config_name: a\n  data_files:\n  - split: train\n    path: [{}]"]
)
@pytest.mark.parametrize(
    "pattern", ["{root}/private/*.parquet", "../private/*", "{server}/a.parquet", "zip://a.parquet::../b.zip"]
)
def test_a_card_may_not_name_files_elsewhere(tmp_path: Path, requests: tuple[str, list[str]], form: str, pattern: str) -> None:
    address, asked = requests
    pattern = pattern.replace("{root}", str(tmp_path)).replace("{server}", address)
    for name in ("words", "private"):
        (tmp_path / name).mkdir()
        dataset([{"bytes": encoded(0), "path": "0.wav"}]).to_parquet(str(tmp_path / name / "train.parquet"))
    (tmp_path / "words" / "README.md").write_text(f"---\nconfigs:\n{form.format(json.dumps(pattern))}\n---\n")
    with pytest.raises(CorpusError, match=r"words: its card names .*, which is outside .*words") as refusal:
        list_clips(tmp_path / "audio", source=str(tmp_path / "words"))
    assert pattern in str(refusal.value)
    assert asked == []


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(("name", "edge"), [("README.md", "---\n"), (".huggingface.yaml", "")])
def test_a_card_runs_no_code(tmp_path: Path, name: str, edge: str) -> None:
    folder = tmp_path / "words"
    folder.mkdir()
    dataset([{"bytes": encoded(0), "path": "0.wav"}]).to_parquet(str(folder / "train.parquet"))
    (folder / name).write_text(f"{edge}configs: !!python/object/apply:os.mkdir [{tmp_path / 'ran'}]\n{edge}")
    with pytest.raises(CorpusError, match=rf"{name}, line [12]: the tag '!!python/object/apply:os.mkdir'"):
        list_clips(tmp_path / "audio", source=str(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("cache")
def test_a_card_with_a_value_inside_itself_is_refused_by_line(tmp_path: Path) -> None:
    dataset([{"bytes": encoded(0), "path": "0.wav"}]).to_parquet(str(tmp_path / "words" / "train.parquet"))
    (tmp_path / "words" / "README.md").write_text("---\nconfigs:\n- config_name: a\n  data_files: &a [*a]\n---\n")
    with pytest.raises(CorpusError, match=r"README\.md, line 4: the alias a is inside the value that it names\.$"):
        list_clips(tmp_path / "audio", source=str(tmp_path / "words"))


@pytest.mark.usefixtures("cache")
def test_a_card_may_name_files_inside(tmp_path: Path) -> None:
    (tmp_path / "words" / "data").mkdir(parents=True)
    dataset([{"bytes": encoded(0), "path": "0.wav"}]).to_parquet(str(tmp_path / "words" / "data" / "a.parquet"))
    (tmp_path / "words" / "README.md").write_text("---\nconfigs:\n- config_name: a\n  data_files: data/*.parquet\n---\n")
    assert list_clips(tmp_path / "audio", source=str(tmp_path / "words"))["path"].tolist() == ["train/000000.wav"]


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", ["train.parquet", "train\\a.parquet"])
def test_a_link_to_a_table_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "words").mkdir()
    dataset([{"bytes": encoded(0), "path": "0.wav"}]).to_parquet(str(tmp_path / "private.parquet"))
    (tmp_path / "words" / name).symlink_to(tmp_path / "private.parquet")
    with pytest.raises(CorpusError, match=r"words: .*train.*\.parquet is outside .*words"):
        list_clips(tmp_path / "audio", source=str(tmp_path / "words"))


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", ["words.py", "train.py", "dataset.py"])
def test_no_script_of_a_dataset_runs(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "words"
    folder.mkdir()
    dataset([{"bytes": encoded(0), "path": "0.wav"}]).to_parquet(str(folder / "train.parquet"))
    (folder / name).write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    with suppress(CorpusError):
        list_clips(tmp_path / "audio", source=str(folder))
    with pytest.raises(CorpusError, match="scripts are no longer supported"):
        list_clips(tmp_path / "audio", source=str(folder / name))
    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("cache")
def test_formats_that_may_name_other_files_are_refused_by_name(tmp_path: Path) -> None:
    """Among them HDF5, whose tables may lie in any other file."""
    import h5py

    (tmp_path / "key").write_text("secret")
    (tmp_path / "words").mkdir()
    with h5py.File(tmp_path / "words" / "train.h5", "w") as file:
        file.create_dataset("label", shape=(6,), dtype="S1", external=[(str(tmp_path / "key"), 0, 6)])
    with pytest.raises(CorpusError, match=r"words: files of the kind hdf5 are not supported; expected .*parquet"):
        list_clips(tmp_path / "audio", source=str(tmp_path / "words"))


def test_a_dataset_in_the_cache_may_name_what_was_downloaded(tmp_path: Path, cache: Path) -> None:
    """And nothing else: neither the cache of another one, nor the rest of the disk."""
    place = cache / "someone___words" / "default" / "0.0.0" / "0123"
    hub = tmp_path / "hub" / "datasets--someone--words" / "snapshots" / "1" / "b.wav"
    inside = [cache / "downloads" / "extracted" / "0" / "a.wav", hub]
    (hub.parents[2] / "blobs").mkdir(parents=True)
    hub.parent.mkdir(parents=True)
    hub.symlink_to("../../blobs/b")
    (hub.parents[2] / "blobs" / "b").write_bytes(encoded(1))
    inside[0].parent.mkdir(parents=True)
    inside[0].write_bytes(encoded(0))
    other = cache / "someone___private" / "c.wav"
    other.parent.mkdir()
    other.write_bytes(encoded(2))

    def write(paths: list[Path]) -> None:
        save_with_paths(tmp_path / "saved", list(map(str, paths)))
        place.mkdir(parents=True, exist_ok=True)
        (tmp_path / "saved" / "data-00000-of-00001.arrow").rename(place / "words-train.arrow")
        info = json.loads((tmp_path / "saved" / "dataset_info.json").read_text())
        split = {"name": "train", "num_bytes": 1, "num_examples": len(paths), "dataset_name": "words"}
        info |= {"builder_name": "parquet", "dataset_name": "words", "config_name": "default", "splits": {"train": split}}
        info["version"] = {"version_str": "0.0.0", "major": 0, "minor": 0, "patch": 0}
        (place / "dataset_info.json").write_text(json.dumps(info))
        for file in (tmp_path / "saved").iterdir():
            file.unlink()
        (tmp_path / "saved").rmdir()

    write(inside)
    clips = list_clips(tmp_path / "audio", source="someone/words")
    assert [(tmp_path / "audio" / path).read_bytes() for path in clips["path"]] == [encoded(0), encoded(1)]
    write([inside[0], other])
    with pytest.raises(CorpusError, match=r"row 1 of split train: its audio '.*c\.wav' is outside the cache of someone/words"):
        list_clips(tmp_path / "audio", source="someone/words")
