import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import soundfile

from xval import load_model

RATE_HZ = 8000
PROBABILITIES = ["probability_high", "probability_low"]


@pytest.fixture(scope="module")
def fold(save_untrained):
    return save_untrained.save()


def test_each_file_gets_a_line_with_its_classes(command, fold, save_untrained):
    ended = command("predict", fold, save_untrained.audio / "0_0.wav", save_untrained.audio / "0_1.wav")

    assert (ended.code, ended.err) == (0, "")
    lines = [line for line in ended.out.splitlines() if ".wav  " in line]
    assert len(lines) == 2
    assert all("high 0." in line and "low 0." in line for line in lines)


@pytest.fixture
def trained(results):
    """Return a fold folder of a trained network, and a function that sets its limit of novelty."""
    fold = results / "instance_1" / "fold_1"

    def set_limit(limit):
        described = json.loads((fold / "model.json").read_text())
        described["novelty"]["limit"] *= limit
        (fold / "model.json").write_text(json.dumps(described))

    return fold, set_limit


def test_a_file_unlike_what_the_model_was_trained_on_is_named_with_its_novelty(command, trained, save_untrained):
    fold, set_limit = trained
    files = [save_untrained.audio / name for name in ("0_0.wav", "0_1.wav")]
    set_limit(1e6)
    assert "out of distribution" not in command("predict", fold, *files).out

    set_limit(1e-9)
    printed = " ".join(command("predict", fold, *files).out.split())

    rows = command("predict", fold, *files, "--format", "json").rows()
    named = [f"{row['path']} ({row['novelty']:.2f})" for row in rows]
    assert "2 files out of distribution (novelty above 1), so predictions there are unreliable: " in printed
    assert f"unreliable: {named[0]}, {named[1]}." in printed
    assert load_model(fold).predict(files)["novelty"].to_numpy() == pytest.approx([row["novelty"] for row in rows], rel=1e-5)


def test_without_novelty_npy_it_is_unknown_whether_a_file_is_unlike_the_training(command, trained, save_untrained):
    fold, _ = trained
    (fold / "novelty.npy").unlink()

    ended = command("predict", fold, save_untrained.audio / "0_0.wav")

    assert "Out-of-distribution files cannot be detected, because there is" in " ".join(ended.out.split())
    assert "novelty" not in load_model(fold).predict(save_untrained.audio / "0_0.wav")


def test_a_folder_stands_for_its_files_and_any_rate_and_channels_are_read(command, fold, tmp_path):
    samples = 0.3 * np.sin(np.arange(22050) / 9)[:, None] * np.ones((1, 2))
    soundfile.write(tmp_path / "b.flac", samples, 44100)
    soundfile.write(tmp_path / "a.ogg", samples[:, 0], 22050)
    (tmp_path / "notes.txt").write_text("no audio")

    ended = command("predict", fold, tmp_path, "--format", "json")

    assert ended.code == 0
    assert [row["path"] for row in ended.rows()] == [str(tmp_path / "a.ogg"), str(tmp_path / "b.flac")]
    for row in ended.rows():
        assert row["probability_high"] + row["probability_low"] == pytest.approx(1)


@pytest.mark.skipif(sys.getfilesystemencoding() == "ascii", reason="such a name cannot be given to a file here")
@pytest.mark.parametrize("form", ["csv", pytest.param("json", marks=pytest.mark.slow)])
def test_a_terminal_obeys_no_name_in_a_printed_table_and_a_pipe_gets_it_as_it_is(command, fold, save_untrained, tmp_path, form):
    name = "a\x9b31m\u202eb.wav"
    shutil.copy(save_untrained.audio / "0_0.wav", tmp_path / name)
    ours, theirs = os.openpty()
    arguments = [sys.executable, "-m", "xval", "predict", str(fold), str(tmp_path / name), "--format", form]

    piped = command("predict", fold, tmp_path / name, "--format", form)
    subprocess.run(arguments, stdout=theirs, stderr=subprocess.DEVNULL, check=True, timeout=120)

    shown = os.read(ours, 10_000).decode()
    assert r"a\x9b31m\u202eb.wav" in shown
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)
    assert name in piped.out


def test_nothing_readable_is_an_error(command, fold):
    ended = command("predict", fold, "no.wav", "--format", "csv")

    assert (ended.code, ended.out) == (1, "path,start_s,end_s\n")
    assert ended.err == "skipped: no.wav: no such file.\n"


def test_segments_have_times_and_the_last_one_ends_with_the_file(command, fold, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(0).normal(0, 0.1, 2 * RATE_HZ), RATE_HZ)

    rows = command("predict", fold, tmp_path / "long.wav", "--segments", "--format", "json").rows()
    starts = [row["start_s"] for row in rows]
    assert starts == pytest.approx([0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.7])  # the longest clip of the corpus has 0.3 s
    assert rows[-1]["end_s"] == pytest.approx(2)
    every = command("predict", fold, tmp_path / "long.wav", "--every", "0.5", "--format", "json").rows()
    assert [row["start_s"] for row in every] == pytest.approx([0, 0.5, 1.0, 1.5])


def test_a_segment_is_predicted_as_a_clip_of_its_own(command, fold, tmp_path):
    samples = np.random.default_rng(1).normal(0, 0.1, RATE_HZ).astype(np.float32)
    soundfile.write(tmp_path / "whole.wav", samples, RATE_HZ, subtype="FLOAT")
    soundfile.write(tmp_path / "part.wav", samples[2400:4800], RATE_HZ, subtype="FLOAT")

    segment = command("predict", fold, tmp_path / "whole.wav", "--segments", "--format", "json").rows()[1]
    clip = command("predict", fold, tmp_path / "part.wav", "--format", "json").rows()[0]

    assert [segment[name] for name in PROBABILITIES] == pytest.approx([clip[name] for name in PROBABILITIES], abs=1e-6)


def test_a_file_that_is_longer_than_the_model_hears_is_reported(command, fold, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(0).normal(0, 0.1, RATE_HZ), RATE_HZ)

    ended = command("predict", fold, tmp_path / "long.wav")

    assert "1 file longer than the 0.3 s of the model's input, so" in ended.out
    assert "--segments covers all" in ended.out
    assert "longer than" not in command("predict", fold, tmp_path / "long.wav", "--segments").out


def test_tables_are_written(command, fold, save_untrained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(save_untrained.audio / "0_0.wav", tmp_path / "=cmd.wav")
    for name in ("out.csv", "out.json", "out.xlsx", "out.parquet"):
        assert command("predict", fold, "=cmd.wav", "--output", name).code == 0

    table = pd.read_csv("out.csv")
    assert list(table) == ["path", "start_s", "end_s", "predicted", *PROBABILITIES]
    assert json.loads((tmp_path / "out.json").read_text())[0]["probability_low"] == pytest.approx(table["probability_low"][0])
    assert list(pd.read_parquet("out.parquet")) == list(table)
    cells = openpyxl.load_workbook("out.xlsx").active
    assert (cells["A1"].value, cells["A2"].value, cells["A2"].data_type) == ("path", "=cmd.wav", "s")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["=cmd.wav", "out.csv", "out.json", "out.parquet", "out.xlsx"]


def test_the_most_probable_classes_alone(command, fold, save_untrained):
    full = command("predict", fold, save_untrained.audio / "0_0.wav", "--format", "json").rows()[0]
    (top,) = command("predict", fold, save_untrained.audio / "0_0.wav", "--top", "1", "--format", "json").rows()

    assert top["class_1"] == full["predicted"]
    assert top["probability_1"] == max(full[name] for name in PROBABILITIES)
    assert "class_2" not in top
    assert "predicted" not in top


def test_folds_of_different_questions_are_no_ensemble(command, save_untrained, tmp_path):
    for number, n_mels in ((1, 12), (2, 10)):
        shutil.copytree(save_untrained.save(number, n_mels=n_mels), tmp_path / f"fold_{number}")

    ended = command("predict", tmp_path, save_untrained.audio / "0_0.wav")

    assert ended.code == 2
    assert "fold_2/model.keras: its feature_settings is" in ended.err
    assert "not folds of one instance" in ended.err


def test_without_its_sidecar_a_model_is_refused_with_what_is_missing(command, fold, save_untrained, tmp_path):
    shutil.copy(fold / "model.keras", tmp_path)

    ended = command("predict", tmp_path / "model.keras", save_untrained.audio / "0_0.wav")

    assert ended.code == 2
    assert "model.json: missing. It describes the features that model.keras reads" in ended.err


def test_a_renamed_model_and_its_sidecar_work(command, fold, save_untrained, tmp_path):
    for kind in ("keras", "json"):
        shutil.copy(fold / f"model.{kind}", tmp_path / f"best.{kind}")

    assert command("predict", tmp_path / "best.keras", save_untrained.audio / "0_0.wav").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "table.txt"], "--output table.txt: expected a file whose name ends in .csv, .json"),
        (["--output", "nowhere/table.csv"], "there is no folder nowhere"),
        (["--top", "0", "--format", "csv"], "--top 0: expected a whole number from 1"),
        (["--every", "0"], "every_s=0: expected a number of seconds above 0"),
        (["--every", "1", "--examples"], "--every needs --segments"),
        (["--segmnts"], "Unknown option --segmnts.*Did you mean '--segments'"),
    ],
)
def test_wrong_options_are_refused(command, fold, save_untrained, options, message):
    import re

    ended = command("predict", fold, save_untrained.audio / "0_0.wav", *options)

    assert ended.code == 2
    assert re.search(message, ended.err), ended.err


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system lacks a process its peak of memory")
def test_two_hours_are_predicted_in_little_memory(save_untrained, tmp_path):
    """A file of two hours at 44.1 kHz has 1.3 GB as float32."""
    n_samples = 2 * 3600 * 44100
    with (tmp_path / "long.wav").open("wb") as file:
        sizes = struct.pack("<IHHIIHH", 16, 1, 1, 44100, 88200, 2, 16)
        file.write(b"RIFF" + struct.pack("<I", 36 + 2 * n_samples) + b"WAVEfmt " + sizes + b"data")
        file.write(struct.pack("<I", 2 * n_samples))
        file.truncate(44 + 2 * n_samples)
    # The peak of this program alone: getrusage gives that of the process which it was forked from too.
    measured = (
        "import re, sys; from xval.__main__ import main; main(sys.argv[1:]); "
        "sys.stderr.write(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])"
    )
    arguments = ["predict", str(save_untrained.save()), "long.wav", "--segments", "--output", "out.csv"]

    ended = subprocess.run(
        [sys.executable, "-c", measured, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=600,
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
    )  # fmt: skip

    assert ended.returncode == 0
    assert ended.stdout.startswith("24000 rows: out.csv\n1 silent file (all below -80 dBFS), whose prediction")
    assert int(ended.stderr) / 2**10 < 1500  # nothing but the measure is on the standard error
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["end_s"].iloc[-1] == pytest.approx(7200)


def test_a_file_that_trained_the_model_is_named_whatever_it_is_called(command, fold, save_untrained, tmp_path):
    shutil.copy(save_untrained.audio / "0_0.wav", tmp_path / "renamed.wav")  # trained
    soundfile.write(tmp_path / "other.flac", *soundfile.read(save_untrained.audio / "2_1.wav", dtype="float32"))  # validated
    tested = save_untrained.audio / "3_0.wav"

    for options in ((), ("--segments",), ("--format", "json")):
        ended = command("predict", fold, tmp_path / "renamed.wav", tmp_path / "other.flac", tested, *options)
        said = ended.err if "json" in options else ended.out
        seen = f"{tmp_path / 'renamed.wav'}, {tmp_path / 'other.flac'}"
        heard = "2 files are among the audio that trained the model or chose its epoch, so their predictions are not a test: "
        assert heard + seen in said
    assert "not a test" not in command("predict", fold, tested).out
    both = command("predict", fold.parent, tmp_path / "renamed.wav").out
    assert "1 file is among the audio that trained " in both
    moved = shutil.copytree(fold, tmp_path / "moved")
    (moved / "seen_audio.npy").unlink()
    assert "is no seen_audio.npy next to it." in command("predict", moved, tested).out


def test_samples_of_a_file_are_recognised_too(fold, save_untrained):
    samples, rate_hz = soundfile.read(save_untrained.audio / "0_0.wav", dtype="float32")
    model = load_model(fold)
    assert model.predict([samples, samples[:-1]], sample_rate_hz=rate_hz).attrs["seen"] == ["0"]


def test_a_coverage_gives_sets_and_no_answer_where_several_classes_are_left(command, trained, save_untrained, monkeypatch):
    fold, set_limit = trained
    instance, file = fold.parent, save_untrained.audio / "0_0.wav"
    set_limit(1e6)

    too_few = command("predict", instance, file, "--coverage", "0.9")
    rows = command("predict", instance, file, "--coverage", "0.3", "--format", "json").rows()

    assert "needs 9 validation speakers, but the folds have 2, so every set has all classes" in " ".join(too_few.out.split())
    assert "They allow up to 0.66." in " ".join(too_few.out.split())
    assert "abstained: 2 classes" in too_few.out
    assert rows[0]["set"].split(";")[0] == max(PROBABILITIES, key=rows[0].get).removeprefix("probability_")
    model = load_model(fold)
    assert model.predict(file, coverage=0.3).attrs["speakers"] == (2, 1)  # the other fold lies beside it
    with monkeypatch.context() as patch:  # what comes one after the other reads them once
        patch.delattr("xval.reuse.inference.sets.read_examples")
        assert model.predict(file, coverage=0.3).attrs["speakers"] == (2, 1)


def test_there_is_no_answer_to_silence_and_to_what_is_unlike_all_that_was_heard(command, trained, tmp_path):
    fold, set_limit = trained
    noise = np.random.default_rng(0).normal(size=44100)
    for name, samples in {"silent": 0 * noise, "noise": 0.3 * noise}.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 44100)
    set_limit(1e-9)

    noisy, silent = command("predict", fold, tmp_path, "--coverage", "0.3", "--format", "json").rows()

    assert (noisy["answer"], silent["answer"]) == ("abstained: unlike the training data", "abstained: silence")


def test_a_coverage_that_is_no_share_or_without_the_predictions_of_the_folds_is_refused(command, trained, save_untrained):
    fold, _ = trained
    file = save_untrained.audio / "0_0.wav"

    assert "coverage=90: expected a share above 0 and below 1" in command("predict", fold, file, "--coverage", "90").err
    refit = shutil.copytree(fold, fold.parent / "refit", ignore=shutil.ignore_patterns("predictions.parquet"))
    described = json.loads((refit / "model.json").read_text())
    (refit / "model.json").write_text(json.dumps(described | {"is_untested": True, "fold": 0}))
    refused = command("predict", refit, file, "--coverage", "0.5")
    said = " ".join(refused.err.split())
    assert (refused.code, refused.out.count("whole dataset, so it is untested")) == (2, 1)
    assert f"coverage=0.5: {refit} has a final model" in said
    assert "no validation speakers to calibrate the sets. Give its instance folder" in said
    for path in fold.parent.glob("fold_*/predictions.parquet"):
        path.unlink()
    assert "has no predictions.parquet" in command("predict", fold, file, "--coverage", "0.5").err
