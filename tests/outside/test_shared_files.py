"""Segments of one file under two items are asked about, and `check` names them where they were kept."""

import numpy as np
import pandas as pd
import pytest
import soundfile

import preprocessing
from xval import XvalError

SMALL = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
WORDS = ("table", "audio/t.csv", "--dataset", "t")


def record(study, *, items, copies=False):
    """Write 6 files of two segments, of the items ``{file}`` and ``{part}`` name; with copies the second is in another file."""
    rng = np.random.default_rng(0)
    (study.folder / "audio").mkdir()
    rows = []
    for file in range(6):
        samples = 0.1 * rng.normal(size=2000)
        names = [f"f{file}.wav", f"copy{file}.wav" if copies else f"f{file}.wav"]
        for name in set(names):
            soundfile.write(study.folder / "audio" / name, samples, 4000)
        for part, name in enumerate(names):
            begin, label = 0.25 * part, "ab"[part]
            rows.append((name, items.format(file=file, part=part), label, begin, begin + 0.2))
    pd.DataFrame(rows, columns=["path", "item", "label", "start_s", "end_s"]).to_csv(study.folder / "audio/t.csv", index=False)


@pytest.mark.parametrize("copies", [False, True])
def test_are_asked_about_before_anything_is_prepared(empty, copies):
    record(empty, items="s{file}_{part}", copies=copies)
    said = empty.mistake("-m", "preprocessing", *WORDS)
    assert "Segments of the file " in said
    assert "belong to the items 's0_0' and 's0_1': one recording would be in training and test." in said
    assert "Give them one item" in said
    assert "give --shared-files keep. Such files in all: 6." in said
    assert not (empty.folder / "data/t/corpus.parquet").exists()


def test_are_no_question_where_each_file_has_one_item(empty):
    record(empty, items="s{file}")
    ended = empty.prepare(*WORDS)
    assert "12 clips of 6" in ended.stdout, ended.stderr


def test_that_are_kept_are_named_by_both_checks_and_beside_results(empty):
    record(empty, items="s{file}_{part}")
    ended = empty.prepare(*WORDS, "--shared-files", "keep")
    assert "12 clips of 12" in ended.stdout, ended.stderr
    assert (
        "one file across items: 12 clips"
        in empty.python("-m", "preprocessing", *WORDS, "--check", "--shared-files", "keep").stdout
    )
    said = empty.train({"architecture": "svm", "C": (1.0,)}, dataset="t", num_folds=3, **SMALL).stdout
    what = "segments of the file 'f0.wav' belong to the items 's0_0' and 's0_1'"
    assert f"The dataset: {what} (6 such files)" in said
    assert "XV103" in said
    audit = empty.xval("audit", "results/t/experiment_1")
    assert what in audit.stdout
    assert "warning       identical audio" in audit.stdout
    assert audit.returncode == 0


def test_from_python(empty, monkeypatch):
    monkeypatch.chdir(empty.folder)
    record(empty, items="s{file}_{part}")
    arguments = {"dataset": "t", "settings": SMALL, "workers": 1, "quiet": True}
    with pytest.raises(XvalError, match=r"Segments of the file 'f0[.]wav' belong to the items"):
        preprocessing.prepare("audio/t.csv", **arguments)
    store = preprocessing.prepare("audio/t.csv", **arguments, shared_files="keep")
    assert sum(store.counts.values()) == 12
