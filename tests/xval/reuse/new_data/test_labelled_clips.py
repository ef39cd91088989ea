"""A folder, a table and a prepared corpus become the same labelled clips; what is none of them is refused."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from preprocessing.__main__ import main as preprocess
from preprocessing.clips.table import check_clips
from preprocessing.corpus import make_corpus
from preprocessing.corpus_folder import rename_corpus
from preprocessing.store import write
from xval.base.errors import CorpusError, SettingsError
from xval.reuse.new_data.labelled_clips import ReadOptions, add_hashes, naming_reader, read_labelled_clips

PATTERN = r"s\d"


def read(data, task_type="classification", **options):
    return read_labelled_clips(str(data), task_type, ReadOptions(**options))


def table_of(folder):
    clips = read(folder, item_pattern=PATTERN).table
    return clips[["path", "item", "label"]]


def prepare(folder, data_folder, dataset="animals", **columns):
    clips = table_of(folder).assign(**columns)
    return make_corpus(clips, folder, dataset=dataset, data_folder=data_folder, corpus="folders")[0]


def key(clips):
    return clips.table[["path", "item", "label"]].sort_values("path").to_numpy().tolist()


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx", "parquet"])
def test_all_forms_give_the_same_clips(animals, tmp_path, suffix):
    wanted = table_of(animals)
    path = animals / f"clips.{suffix}"
    if suffix == "xlsx":
        wanted.to_excel(path, index=False)
    elif suffix == "parquet":
        wanted.to_parquet(path, index=False)
    else:
        wanted.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    corpus = prepare(animals, tmp_path / "data")

    of_folder, of_table = read(animals, item_pattern=PATTERN), read(path)
    of_corpus = read(corpus.folder)

    assert len(of_folder) == 18
    assert key(of_folder) == key(of_table) == key(of_corpus)
    assert [each.corpus_names for each in (of_folder, of_table, of_corpus)] == [(), (), ("animals",)]
    assert key(read("animals", data_folder=tmp_path / "data")) == key(of_corpus)
    assert read(corpus.folder / "corpus.parquet").corpus_names == ("animals",)
    hashed, left_out = add_hashes(of_folder, n_processes=1, progress=None)
    assert left_out.empty
    assert sorted(hashed.table["audio_hash"]) == sorted(of_corpus.table["audio_hash"])
    rename_corpus("animals", "beasts", tmp_path / "data")
    renamed = read("animals", data_folder=tmp_path / "data")
    assert (key(renamed), renamed.corpus_names) == (key(of_corpus), ("beasts", "animals"))


def test_a_folder_of_the_name_of_a_corpus_points_at_it(animals, tmp_path, monkeypatch):
    prepare(animals, tmp_path / "data")
    (tmp_path / "animals_elsewhere" / "animals").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "animals_elsewhere")

    with pytest.raises(CorpusError, match=r"For the prepared dataset give .*data/animals\.$"):
        read("animals", data_folder=tmp_path / "data")


def test_an_error_about_a_corpus_as_distributed_names_its_reader(tmp_path):
    for actor in ("01", "02"):
        (tmp_path / f"raw/Actor_{actor}").mkdir(parents=True)
        (tmp_path / f"raw/Actor_{actor}/03-01-05-01-01-01-{actor}.wav").touch()
    (tmp_path / "other/a/b").mkdir(parents=True)  # as folders of voxceleb are, but for the names
    (tmp_path / "other/a/b/1.wav").touch()

    ravdess = (
        r"^Mine\. It has the layout of the corpus ravdess\. Prepare it with xval prepare ravdess.*raw "
        "--data-folder elsewhere, and give ravdess instead"
    )
    with pytest.raises(CorpusError, match=ravdess), naming_reader(str(tmp_path / "raw"), Path("elsewhere")):
        raise CorpusError("Mine.")
    with pytest.raises(CorpusError, match=r"^Mine\.$"), naming_reader(str(tmp_path / "other"), Path("data")):
        raise CorpusError("Mine.")


def test_stretches_and_missing_items(animals):
    (animals / "clips.csv").write_text(
        "path,label,start_s,end_s\na/a_s0_0.wav,a,,0.02\na/a_s0_0.wav,b,0.02,\nb/b_s0_0.wav,b,,\n"
    )
    clips = read(animals / "clips.csv")

    assert clips.table["item"].tolist() == ["a/a_s0_0.wav", "a/a_s0_0.wav", "b/b_s0_0.wav"]
    assert clips.audio(2) == animals / "b/b_s0_0.wav"
    assert clips.audio(1).path == animals / "a/a_s0_0.wav"
    assert clips.audio(1).start_s == 0.02
    hashed, _ = add_hashes(clips, n_processes=1, progress=None)
    assert hashed.table["audio_hash"].nunique() == 3


def test_what_preprocessing_would_leave_out_is_left_out_with_its_reason(animals, tone):
    (animals / "a" / "text.wav").write_text("no audio")
    (animals / "b" / "empty.wav").write_bytes(b"")
    clips, left_out = add_hashes(read(animals), n_processes=1, progress=None)

    assert len(clips) == 18
    assert left_out["path"].tolist() == ["a/text.wav", "b/empty.wav"]
    assert left_out["reason"][1] == "the file is empty (0 bytes)."


def test_one_class_alone_and_some_items_can_be_tested(animals, tmp_path):
    (tmp_path / "one").mkdir()
    (animals / "a").rename(tmp_path / "one" / "a")

    assert set(read(tmp_path / "one").table["label"]) == {"a"}
    some = read(animals, item_pattern=PATTERN, items=("s1",))
    assert set(some.table["item"]) == {"s1"}
    assert len(some) == 4
    with pytest.raises(CorpusError, match=r"--items: .* has no item 's7'\. Available: s0, s1, s2"):
        read(animals, item_pattern=PATTERN, items=("s7",))


def test_augmented_copies_are_never_tested(animals, tmp_path):
    listed = table_of(animals)
    augmented = listed["path"].str.endswith("_1.wav")
    source = listed["path"].str.replace("_1.wav", "_0.wav").where(augmented, None)
    corpus = prepare(animals, tmp_path / "data", augmented=augmented, source_clip=source)
    assert len(corpus.index) == 18

    assert len(read(corpus.folder)) == 9


def test_arrays_of_a_script_are_clips(tmp_path):
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    predictors = {"anna": values[0], "bob": values[1]}
    write("mine", predictors, {"anna": ["a", "b", "a"], "bob": ["b", "b", "c"]}, data_folder=tmp_path)
    clips = read(tmp_path / "mine")

    row = clips.table.index[clips.table["clip"] == "bob#1"][0]
    assert np.array_equal(clips.audio(row), values[1, 1])
    assert clips.table["label"][row] == "b"
    kept = clips.keep(clips.table["item"] == "bob")
    assert [np.array_equal(kept.audio(number), values[1, number]) for number in range(3)] == [True] * 3

    write("two", predictors, {item: np.arange(6).reshape(3, 2) for item in predictors}, data_folder=tmp_path,
          task_type="regression")  # fmt: skip
    of_regression = read(tmp_path / "two", "regression")
    assert of_regression.target_columns == {"0": "label:0", "1": "label:1"}
    assert of_regression.table["label:1"].tolist() == [1, 3, 5, 1, 3, 5]


def test_what_is_no_data_or_of_another_task_is_refused(animals, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = prepare(animals, tmp_path / "data")
    for data, task_type, options, message in (
        (
            "animls",
            "classification",
            {},
            (
                r"animls: there is no such folder, file or dataset\. Expected a folder.* Available in data: animals\. "
                "Did you mean 'animals'"
            ),
        ),
        (animals / "a" / "a_s0_0.wav", "classification", {}, r"\.wav: not a table\. .*xval predict MODEL"),
        (tmp_path / "data" / "animals", "regression", {}, "prepared for classification, but this model is for regression"),
        (tmp_path / "data" / "animals", "frame_classification", {}, "--task-type frame_classification"),
        (animals, "regression", {}, "folders give classes, but this model predicts numbers"),
        (animals, "frame_classification", {}, "recordings with annotated events"),
        (animals / "a", "classification", {}, "outside of class folders"),
    ):
        with pytest.raises(CorpusError, match=message):
            read(data, task_type, **options)
    with pytest.raises(SettingsError, match="--item-pattern is only for folders"):
        read(corpus.folder, item_pattern=PATTERN)
    with pytest.raises(SettingsError, match="--audio-folder is only for tables"):
        read(animals, audio_folder=animals)
    animals.rename(tmp_path / "moved")
    with pytest.raises(CorpusError, match=r"its audio is no longer in .*--audio-folder"):
        read(corpus.folder)
    assert len(read(corpus.folder, audio_folder=tmp_path / "moved")) == 18


def test_what_is_advised_for_a_model_of_frames_makes_what_it_wants(animals, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError) as caught:
        read_labelled_clips(str(animals), "frame_classification", ReadOptions())
    advised = re.search(r"Prepare them with xval prepare (.*), and give NAME", str(caught.value))
    paths = sorted(path.relative_to(animals).as_posix() for path in animals.rglob("*.wav"))
    Path("calls.csv").write_text("path,start_s,end_s,label\n" + "".join(f"{path},0.01,0.05,call\n" for path in paths))
    words = {"ANNOTATION": "calls.csv", "[--audio-folder": "--audio-folder", "DIR]": str(animals), "NAME": "calls"}
    assert preprocess([words.get(word, word) for word in advised[1].split()] + ["--workers", "1"]) == 0
    assert len(read_labelled_clips("calls", "frame_classification", ReadOptions())) == len(paths)


def test_a_label_pattern_names_the_classes_of_flat_files(animals, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(sorted(animals.rglob("*.wav"))):
        (flat / f"{'dog' if number % 2 else 'cat'}_{number}.wav").symlink_to(path)
    assert set(read(flat, label_pattern="^([a-z]+)_").table["label"]) == {"cat", "dog"}
    with pytest.raises(SettingsError, match="--label-pattern is only for folders"):
        read(prepare(animals, tmp_path / "data").folder, label_pattern="x")


def test_a_damaged_table_is_an_error_that_names_it(tmp_path):
    for name, message in (("x.xlsx", "is not an Excel file"), ("x.parquet", "is not a parquet file")):
        (tmp_path / name).write_text("path,label")
        with pytest.raises(CorpusError, match=message):
            read(tmp_path / name)
    pd.DataFrame({"file": ["a"], "label": ["b"]}).to_excel(tmp_path / "x.xlsx", index=False)
    with pytest.raises(CorpusError, match=r"x\.xlsx, line 1: no column 'path'"):
        read(tmp_path / "x.xlsx")


def test_an_autoencoder_needs_no_labels(animals):
    (animals / "beside.wav").write_bytes((animals / "a" / "a_s0_0.wav").read_bytes())

    clips = read(animals, "representation")

    assert len(clips) == 19
    check_clips(clips.table[["path", "item", "label"]], animals, task_type="representation")
