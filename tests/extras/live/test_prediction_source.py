"""predict --follow and --microphone: predictions of live audio."""

import errno
import os
import shutil
from argparse import Namespace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from xval import load_model
from xval.base.csv_text import unguard
from xval.base.errors import SettingsError
from xval.extras.live.arrivals import Arrivals
from xval.extras.live.growing_csv import GrowingCsv
from xval.extras.live.prediction_source import follow

RATE_HZ = 8000


@pytest.fixture(scope="module")
def fold(save_untrained):
    return save_untrained.save()


@pytest.fixture(scope="module")
def model(fold):
    return load_model(fold)


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder


class Recorder:
    """A fake clock for `follow`: it runs one step per second, then raises KeyboardInterrupt as Ctrl-C does."""

    def __init__(self, *steps):
        self.now_s, self.steps = 0.0, list(steps)

    def clock(self):
        return self.now_s

    def sleep(self, _):
        if not self.steps:
            raise KeyboardInterrupt
        self.steps.pop(0)()
        self.now_s += 1.0


def wait():
    pass


@pytest.fixture
def followed(model, recordings, tmp_path, capsys):
    """Return a function that runs `follow` with the steps of a recorder and returns exit code, rows and messages."""
    from preprocessing.console import make_console

    path = tmp_path / "rows.csv"

    def run(*steps):
        recorder = Recorder(*steps)
        options = Namespace(follow=recordings, segments=False, examples=False, every=None, coverage=None)
        with GrowingCsv(path) as rows:
            code = follow(
                Arrivals(recordings, rows.predicted), options, model, rows.append, make_console(is_error=True),
                clock=recorder.clock, sleep=recorder.sleep,
            )  # fmt: skip
        return code, pd.read_csv(path) if path.exists() else None, " ".join(capsys.readouterr().err.split())

    return run


def test_a_file_that_grows_is_not_read_and_one_renamed_into_place_is(followed, recordings, save_untrained):
    content = (save_untrained.audio / "0_0.wav").read_bytes()

    def grow():
        with (recordings / "growing.wav").open("ab") as file:
            file.write(content[: len(content) // 8])

    def begin():
        (recordings / ".whole.wav").write_bytes(content)
        (recordings / "whole.part").write_bytes(content)
        (recordings / "empty.wav").touch()

    def rename():
        os.utime(recordings / "whole.part", (0, 0))
        (recordings / "whole.part").rename(recordings / "whole.wav")

    code, rows, messages = followed(begin, grow, rename, *[grow] * 4)

    assert code == 0
    assert rows["path"].tolist() == [str(recordings / "whole.wav")]
    assert "Stopped: 1 file answered, 2 files not read yet: " in messages
    assert messages.endswith(f"{recordings / 'empty.wav'}, {recordings / 'growing.wav'}.")


def undefined_for(model, is_undefined):
    """Return predictors that predict as a model does, but NaN for the examples (float32) for which a function returns True."""
    (predict,) = model._predictors

    def with_nan(predictors, *others):
        values, novelty = predict(predictors, *others)
        return np.where(is_undefined(predictors)[:, np.newaxis], np.float32(np.nan), values), novelty

    return [with_nan]


def first_and_last_differ(predictors):
    return np.array([not np.array_equal(example, predictors[0]) for example in predictors])


def test_a_file_without_a_prediction_is_named_and_gets_no_row(followed, recordings, save_untrained, model, monkeypatch):
    monkeypatch.setitem(model.__dict__, "_predictors", undefined_for(model, first_and_last_differ))
    for name, source in (("a.wav", "0_0.wav"), ("b.wav", "0_1.wav")):
        shutil.copy(save_untrained.audio / source, recordings / name)

    code, rows, messages = followed(wait, wait, wait)

    assert (code, rows["path"].tolist()) == (1, [str(recordings / "a.wav")])
    assert f"skipped: {recordings / 'b.wav'}: {model.members[0]} outputs NaN or infinite values" in messages
    assert "Stopped: 1 file answered, 1 skipped." in messages


def test_silent_and_out_of_distribution_files_are_named(followed, recordings, model, monkeypatch):
    predict = model.predict

    def novel(*arguments, **options):
        table = predict(*arguments, **options)
        return table.assign(novelty=np.where(table["path"].str.endswith("bark.wav"), 1.7, 0.5))

    monkeypatch.setattr(model, "predict", novel)
    for name, level in (("bark", 0.1), ("night", 0.0)):
        soundfile.write(recordings / f"{name}.wav", level * np.random.default_rng(0).normal(size=RATE_HZ), RATE_HZ)

    code, rows, messages = followed(wait, wait, wait, wait)

    assert (code, len(rows)) == (0, 2)
    assert f"1 silent file (all below -80 dBFS), whose prediction is meaningless: {recordings / 'night.wav'}." in messages
    assert f"1 file out of distribution (novelty above 1), so predictions there are unreliable: {recordings}" in messages


def test_a_followed_folder_that_is_removed_ends_it_with_the_count(followed, recordings, save_untrained, capsys):
    shutil.copy(save_untrained.audio / "0_0.wav", recordings / "a.wav")

    with pytest.raises(SettingsError, match=r"recordings cannot be read \(No such file or directory\)"):
        followed(wait, wait, wait, lambda: shutil.rmtree(recordings), wait)

    assert "Stopped: 1 file answered." in capsys.readouterr().err


def test_rows_that_cannot_be_written_are_not_counted(followed, recordings, save_untrained, monkeypatch, capsys):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(GrowingCsv, "append", fail)
    shutil.copy(save_untrained.audio / "0_0.wav", recordings / "a.wav")

    with pytest.raises(OSError, match="No space left"):
        followed(wait, wait, wait, wait)

    messages = " ".join(capsys.readouterr().err.split())
    assert messages.endswith(f"Stopped: 0 files answered, 1 file not read yet: {recordings / 'a.wav'}.")


def test_a_file_of_another_model_raises_before_any_audio_arrives(command, fold, recordings, tmp_path, monkeypatch):
    monkeypatch.setattr("xval.extras.live.prediction_source.follow", lambda *_, **__: pytest.fail("it follows"))
    (tmp_path / "rows.csv").write_text("path,probability_dog\na.wav,0.5\n")

    ended = command("predict", fold, "--follow", recordings, "--output", tmp_path / "rows.csv")

    assert ended.code == 2
    assert "rows.csv: its columns are path, probability_dog, but the rows have path, start_s" in " ".join(ended.err.split())


def test_rows_of_another_model_are_not_appended(tmp_path):
    with GrowingCsv(tmp_path / "rows.csv") as rows:
        rows.append(pd.DataFrame({"path": ["a.wav"], "probability_low": [0.5]}))

    with (
        GrowingCsv(tmp_path / "rows.csv") as rows,
        pytest.raises(SettingsError, match="its columns are path, probability_low, but the rows have path, x"),
    ):
        rows.append(pd.DataFrame({"path": ["b.wav"], "x": [0.5]}))


def test_one_process_at_a_time_appends_to_a_file(command, fold, recordings, tmp_path):
    with GrowingCsv(tmp_path / "rows.csv"):
        ended = command("predict", fold, "--follow", recordings, "--output", tmp_path / "rows.csv")

    assert ended.code == 2
    assert "rows.csv: another process appends its predictions to this file" in " ".join(ended.err.split())
    with GrowingCsv(tmp_path / "rows.csv") as rows:  # it is free again
        assert rows.predicted == set()


@pytest.mark.parametrize("name", ["two\nlines.wav", 'a "quoted"\r\nname.wav', "=one\n\n.wav", "umläut\n.wav"])
def test_paths_with_line_breaks_are_read_again_as_they_are(tmp_path, name):
    path = tmp_path / "rows.csv"
    written = pd.DataFrame({"path": ["a.wav", name, name], "x": [0.25, 0.5, 0.75]})
    with GrowingCsv(path) as rows:
        rows.append(written)
        rows.append(written.iloc[:1].assign(path="b.wav"))

    with GrowingCsv(path) as rows:
        assert rows.predicted == {"a.wav", name, "b.wav"}
    whole = path.read_bytes()
    for size in range(whole.index(b"0.25\n") + 6, len(whole)):  # wherever the disk was full
        path.write_bytes(whole[:size])
        with GrowingCsv(path) as rows:
            remaining = path.read_bytes()
            assert (whole[: len(remaining)], remaining[-1:]) == (remaining, b"\n")
            left = pd.read_csv(path, lineterminator="\n")
            assert rows.predicted == {unguard(text) for text in left["path"]} <= {"a.wav", name}
            assert left["x"].tolist() == [0.25, 0.5, 0.75][: len(left)]


def test_a_file_that_is_no_table_of_predictions_is_not_changed(command, fold, recordings, tmp_path):
    (tmp_path / "notes.csv").write_text("my notes")

    ended = command("predict", fold, "--follow", recordings, "--output", tmp_path / "notes.csv")

    assert ended.code == 2
    assert "notes.csv: not a file of predictions, whose first column is path" in " ".join(ended.err.split())
    assert (tmp_path / "notes.csv").read_text() == "my notes"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give audio files or folders, --follow FOLDER or --microphone."),
        (("--follow", "nowhere"), "--follow nowhere: there is no such folder."),
        (("a.wav", "--follow", "."), "--follow: cannot be combined with AUDIO"),
        (("--follow", ".", "--microphone"), "--follow and --microphone cannot be combined."),
        (("--follow", ".", "--output", "a.xlsx"), "--follow: writes csv rows as they come; received --output a.xlsx."),
        (("--follow", ".", "--seconds", "3"), "--seconds: needs --microphone."),
        (("--microphone", "--segments"), "--microphone: a row is a window"),
    ],
)
def test_options_that_cannot_be_combined_raise_an_error(command, fold, arguments, message):
    ended = command("predict", fold, *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert message in " ".join(ended.err.split())


def test_each_window_of_the_microphone_gets_a_row(command, fold, model, monkeypatch):
    class Microphone:
        rate_hz, n_lost = 2 * RATE_HZ, 0

        def windows(self, length_s, step_s, seconds):
            assert (length_s, step_s, seconds) == (model.description.example_s, model.description.example_s, 3)
            yield from ((start_s, window) for start_s, window in zip((0.0, length_s), samples, strict=True))

    samples = np.random.default_rng(0).normal(0, 0.1, (2, round(model.description.example_s * 2 * RATE_HZ)))
    monkeypatch.setattr("xval.extras.live.microphone.Microphone", Microphone)

    ended = command("predict", fold, "--microphone", "--seconds", 3)

    assert ended.code == 0, ended.err
    rows = pd.read_csv(StringIO(ended.out))
    expected = model.predict(list(samples), sample_rate_hz=2 * RATE_HZ)
    assert rows["path"].tolist() == ["microphone"] * 2
    assert rows["start_s"].tolist() == pytest.approx([0, model.description.example_s])
    assert rows["probability_low"].to_numpy() == pytest.approx(expected["probability_low"].to_numpy(), rel=1e-4)
    assert "Stopped: 2 windows answered." in ended.err


def test_a_window_without_a_prediction_is_named_and_the_next_one_is_predicted(command, fold, model, monkeypatch):
    class Microphone:
        rate_hz, n_lost = RATE_HZ, 0

        def windows(self, length_s, *_):
            yield from ((start_s, window) for start_s, window in zip((0.0, length_s), samples, strict=True))

    samples = np.random.default_rng(0).normal(0, 0.1, (2, round(model.description.example_s * RATE_HZ)))
    monkeypatch.setattr("xval.extras.live.microphone.Microphone", Microphone)
    calls = []

    def is_undefined(predictors):
        calls.append(predictors)
        return np.full(len(predictors), len(calls) <= 2)  # the silence that is predicted first, and the first window

    monkeypatch.setattr("xval.reuse.inference.model.SavedModel._predictors", undefined_for(model, is_undefined))

    ended = command("predict", fold, "--microphone")

    assert ended.code == 1, ended.err
    assert pd.read_csv(StringIO(ended.out))["start_s"].tolist() == pytest.approx([model.description.example_s])
    assert "no prediction at 0 s: the model outputs NaN or infinite values" in ended.err
    assert "Stopped: 1 window answered, 1 without a prediction." in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--coverage", "90"), "coverage=90: expected a share above 0 and below 1"),
        (("--top", "0"), "--top 0: expected a whole number from 1."),
    ],
)
def test_options_are_checked_before_any_audio_arrives(command, fold, recordings, monkeypatch, arguments, message):
    monkeypatch.setattr("xval.extras.live.prediction_source.follow", lambda *_, **__: pytest.fail("it follows"))

    ended = command("predict", fold, "--follow", recordings, *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert message in " ".join(ended.err.split())


def test_too_few_validation_speakers_for_the_coverage_are_named(monkeypatch, command, fold, model, recordings):
    table = model.predict([np.zeros(RATE_HZ)], sample_rate_hz=RATE_HZ)
    table.attrs["speakers"] = (2, 9)
    monkeypatch.setattr("xval.reuse.inference.model.SavedModel.predict", lambda *_, **__: table)
    monkeypatch.setattr("xval.extras.live.prediction_source.follow", lambda *_, **__: 0)

    messages = " ".join(command("predict", fold, "--follow", recordings, "--coverage", 0.9).err.split())

    assert "needs 9 validation speakers, but the folds have 2, so every set has all classes" in messages


def test_ctrl_c_counts_the_files_that_were_about_to_be_read(followed, recordings, save_untrained, model, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "predict", stop)
    for name in "abc":
        shutil.copy(save_untrained.audio / "0_0.wav", recordings / f"{name}.wav")

    code, _, messages = followed(wait, wait, wait)

    listed = ", ".join(str(recordings / f"{name}.wav") for name in "abc")
    assert (code, messages.rpartition("Stopped: ")[2]) == (0, f"0 files answered, 3 files not read yet: {listed}.")


def test_a_recording_shorter_than_a_window_raises_an_error(command, fold, monkeypatch):
    monkeypatch.setattr("xval.extras.live.microphone.Microphone", lambda: None)

    ended = command("predict", fold, "--microphone", "--seconds", 0.01)

    assert (ended.code, ended.out) == (2, "")
    assert "--seconds 0.01: shorter than a window" in ended.err


@pytest.mark.slow
def test_memory_stays_flat_over_ten_thousand_files(followed, recordings, save_untrained):
    source = save_untrained.audio / "0_0.wav"
    sizes_mb = []

    def resident_mb():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def put(first):
        sizes_mb.append(resident_mb())
        for number in range(first, first + 1000):
            os.link(source, recordings / f"{number:05}.wav")

    steps = [step for first in range(0, 10_000, 1000) for step in (lambda first=first: put(first), wait, wait)]
    code, rows, _ = followed(*steps, wait, wait)

    assert (code, len(rows), rows["path"].nunique()) == (0, 10_000, 10_000)
    assert sizes_mb[-1] - sizes_mb[2] < 10
