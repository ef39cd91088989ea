import numpy as np
import pytest
import soundfile

import preprocessing
import xval
from xval.base.errors import SettingsError, UsageError

SMALL = {"sample_rate_hz": 8000, "n_fft": 128, "win_length": 128, "hop_length": 64, "n_mels": 12}
SHORT = {
    "architecture": "mlp",
    "n_units": (4,),
    "num_folds": 2,
    "fold_repeats": 1,
    "num_epochs": 1,
    "executor": "inline",
    "page": "none",
}


@pytest.fixture
def words(project, in_process):
    """Write class folders of two tones by four speakers."""
    rng = np.random.default_rng(0)
    for speaker in "abcd":
        for label, pitch_hz in (("low", 500), ("high", 1500)):
            path = project.folder / "words" / label / f"{speaker}_1.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = np.sin(2 * np.pi * pitch_hz * np.arange(2000) / 8000) + 0.1 * rng.normal(size=2000)
            soundfile.write(path, 0.3 * samples, 8000)
    return project


def test_one_call_gives_figures_and_a_final_model_and_a_second_one_trains_nothing(words):
    call = {"item_pattern": "([a-d])_", "quiet": True, **SMALL, **SHORT}

    of_folds, no_model = xval.cross_validate("words", refit=False, **call)
    assert (no_model, of_folds.not_done, list(of_folds.folder.rglob("refit"))) == (None, [], [])
    trained = {path: path.stat().st_mtime_ns for path in of_folds.folder.rglob("record.json")}
    results, model = xval.cross_validate("words", **call)
    assert {path: path.stat().st_mtime_ns for path in trained} == trained
    written = {path: path.stat().st_mtime_ns for path in results.folder.rglob("record.json")}
    again, same_model = xval.cross_validate("words", **call)

    assert sorted(path.parent.name for path in written) == ["fold_1", "fold_2", "refit"]
    assert {path: path.stat().st_mtime_ns for path in again.folder.rglob("record.json")} == written
    assert (again.folder, same_model) == (results.folder, model)
    assert results.folder.as_posix() == "results/words/experiment_1"
    assert (results.summary["comment_1"].item(), results.summary["architecture"].item()) == ("", "mlp")
    assert set(xval.load_model(model).predict(["words/low/a_1.wav"])["predicted"]) <= {"low", "high"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_mel": 12}, "unknown parameter 'n_mel'. Here it is 'n_mels'"),
        ({"architecture": "feature_combination", "classifier": "svn"}, "input should be 'svm'"),
    ],
)
def test_mistakes_are_named_before_audio_is_read(words, parameters, message):
    with pytest.raises(SettingsError, match=message):
        xval.cross_validate("words", **SMALL, **parameters)
    assert not (words.folder / "results").exists()


def test_a_prepared_corpus_is_used_by_its_name(words):
    preprocessing.prepare("words", item_pattern="([a-d])_", dataset="words_prepared", settings=SMALL, quiet=True)

    results, _ = xval.cross_validate("words_prepared", refit=False, quiet=True, **SMALL, **SHORT)

    assert results.folder.as_posix() == "results/words_prepared/experiment_1"
    assert results.not_done == []
    with pytest.raises(
        SettingsError, match=r"item_pattern: has no effect on 'words_prepared', which is already prepared\. Remove"
    ):
        xval.cross_validate("words_prepared", item_pattern="([a-d])_")


@pytest.mark.usefixtures("project")
def test_the_name_of_a_corpus_that_is_not_prepared_says_how_to_prepare_it():
    with pytest.raises(
        UsageError, match=r"'ravdess' is a known corpus that has not been prepared\. Prepare it first: xval prepare ravdess"
    ):
        xval.cross_validate("ravdess")
