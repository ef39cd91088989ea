"""The command on real files: what it writes, what it keeps, what it refuses, and that it survives being killed."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from augmentation import copies
from augmentation.__main__ import main
from augmentation.chain import apply_steps
from preprocessing import parallel
from preprocessing.clips import output_folder
from preprocessing.clips.augmented_copies import COPIES_COLUMNS, add_copies
from preprocessing.clips.table import check_clips
from preprocessing.corpora import find_corpus

Refused = Callable[..., str]


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of every visible file below a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def read_list(folder: Path) -> list[dict[str, str]]:
    with (folder / "augmented.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_that_is_a_link_to_another_folder_is_not_copied(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder may come from elsewhere, and its copy may be handed on."""
    (tmp_path / "key").write_text("secret")
    (clips / "labels.csv").symlink_to(tmp_path / "key")
    assert run(clips, tmp_path / "out", 1) == 2
    assert "labels.csv is outside" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    (clips / "labels.csv").unlink()
    (clips / "labels.csv").symlink_to(clips / "speakers.csv")
    assert run(clips, tmp_path / "out", 1) == 0
    assert tree(tmp_path / "out")["labels.csv"] == (clips / "speakers.csv").read_bytes()


def test_every_file_gets_its_copies_in_the_same_folders(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert run(clips, output, 2) == 0
    expected = {"augmentation.json", "augmented.csv", "left_out.csv", "speakers.csv"}
    for number in range(8):
        stem = f"s{number % 2}/take {number}"
        expected |= {f"{stem}.wav", f"{stem}.augmented-1.wav", f"{stem}.augmented-2.wav"}
    files = tree(output)
    assert set(files) == expected
    assert files["speakers.csv"] == (clips / "speakers.csv").read_bytes()
    for name in files:
        if name.endswith(".wav"):
            facts = soundfile.info(output / name)
            assert (facts.channels, facts.samplerate, facts.subtype) == (1, 16000, "PCM_16")
    said = capsys.readouterr().out
    assert "16 of 8 files" in said
    assert "files per second" in said
    assert "Augmenting: 8 of 8 files" in said


def test_the_unchanged_copy_is_the_source_with_a_peak_of_099(clips: Path, tmp_path: Path) -> None:
    assert run(clips, tmp_path / "out", 1) == 0
    source, _ = soundfile.read(clips / "s0/take 0.wav")
    copy, _ = soundfile.read(tmp_path / "out/s0/take 0.wav")
    np.testing.assert_allclose(copy, source * 0.99 / np.abs(source).max(), atol=1e-4)


def test_the_list_says_what_was_done(clips: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert run(clips, output, 3, "--seed", 5, "--set", "time_stretch_probability=0.9") == 0
    rows = read_list(output)
    assert tuple(rows[0]) == COPIES_COLUMNS
    assert len(rows) == 24
    assert {row["seed"] for row in rows} == {"5"}
    for row in rows:
        copy, rate_hz = soundfile.read(output / row["path"], dtype="float32")
        source, _ = soundfile.read(output / row["source"], dtype="float32")
        parameters = json.loads(row["parameters"])
        assert list(parameters) == row["transforms"].split(";")
        assert float(row["time_factor"]) == copy.size / source.size
        if "time_stretch" in parameters:
            assert float(row["time_factor"]) == pytest.approx(1 / parameters["time_stretch"]["rate"], abs=1e-3)
        gain_db = parameters.get("gain", {"gain_db": 0})["gain_db"]
        assert np.abs(copy).max() == pytest.approx(0.99 * 10 ** (gain_db / 20), abs=1e-4)
        # Every copy can be made again from the list alone.
        again = source * np.float32(0.99 / np.abs(source).max())
        for name, drawn in parameters.items():
            again = apply_steps(again, rate_hz, [type("Step", (), {"name": name, "parameters": drawn})()])
        assert np.corrcoef(again, copy)[0, 1] > 0.99


def test_the_number_of_workers_other_files_and_the_order_do_not_matter(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(clips, tmp_path / "one", 2, "--workers", 1) == 0
    monkeypatch.setattr(parallel, "SMALLEST_PARALLEL", 1)
    monkeypatch.setattr(parallel, "_TASKS_PER_BATCH", 2)
    assert run(clips, tmp_path / "two", 2, "--workers", 2) == 0
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    assert one == two
    monkeypatch.undo()
    shutil.rmtree(clips / "s1")
    assert run(clips, tmp_path / "fewer", 1) == 0
    fewer = {name: content for name, content in tree(tmp_path / "fewer").items() if name.endswith(".wav")}
    assert len(fewer) == 8
    assert all(one[name] == content for name, content in fewer.items())


def test_a_run_that_was_killed_goes_on_and_ends_in_the_same_bytes(clips: Path, tmp_path: Path) -> None:
    for number in range(60):
        shutil.copy(clips / f"s{number % 2}/take {number % 8}.wav", clips / f"more {number}.wav")
    output, whole = tmp_path / "out", tmp_path / "whole"
    command = [sys.executable, "-m", "augmentation", str(clips), str(output), "4", "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while len(list(output.rglob("*.wav"))) < 30:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = {path: path.stat().st_mtime_ns for path in output.rglob("*.wav") if not path.name.startswith(".")}
    assert 30 <= len(made) < 68 * 5
    assert not (output / "augmented.csv").exists()
    (output / ".take 0.wav.4711.part").write_bytes(b"half")

    assert run(clips, output, 4, "--workers", 1) == 0
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert not list(output.rglob(".*.part"))
    assert run(clips, whole, 4, "--workers", 1) == 0
    assert tree(output) == tree(whole)


def test_ctrl_c_ends_with_130_and_says_that_it_goes_on(clips: Path, tmp_path: Path) -> None:
    for number in range(150):
        shutil.copy(clips / "s0/take 0.wav", clips / f"more {number}.wav")
    command = [sys.executable, "-m", "augmentation", str(clips), str(tmp_path / "out"), "9", "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while not list((tmp_path / "out").rglob("*.augmented-*.wav")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=200)
    assert process.returncode == 130
    assert "run the same command again" in error
    assert "Traceback" not in error


def test_ctrl_c_while_a_file_is_encoded_is_no_failure_of_that_file(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """libsndfile calls the buffer from C, where KeyboardInterrupt is lost, and soundfile asserts that all was written."""

    class Interrupted(io.BytesIO):
        def write(self, data: Any) -> int:
            if len(list((tmp_path / "out").rglob("*.wav"))) == 3:
                signal.raise_signal(signal.SIGINT)
            return super().write(data)

    monkeypatch.setattr(output_folder, "io", SimpleNamespace(BytesIO=Interrupted))
    assert run(clips, tmp_path / "out", 1) == 130
    assert capsys.readouterr().err == "Interrupted. Nothing incomplete is left; run the same command again.\n"
    assert len(list((tmp_path / "out").rglob("*.wav"))) == 3


def test_running_again_makes_nothing_new(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(clips, tmp_path / "out", 1) == 0
    before = tree(tmp_path / "out")
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.wav")}
    capsys.readouterr()
    assert run(clips, tmp_path / "out", 1) == 0
    assert "(16 already existed)" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert tree(tmp_path / "out") == before


def test_a_source_that_was_replaced_by_an_older_file_of_its_size_is_made_again(clips: Path, tmp_path: Path) -> None:
    assert run(clips, tmp_path / "out", 1) == 0
    changed, size = clips / "s0/take 0.wav", (clips / "s0/take 0.wav").stat().st_size
    shutil.copy(clips / "s0/take 2.wav", changed)
    os.utime(changed, (1e9, 1e9))
    (clips / "speakers.csv").write_text("speaker,age\ns0,31\ns1,40\n")
    assert changed.stat().st_size == size
    assert run(clips, tmp_path / "out", 1) == 0
    files = tree(tmp_path / "out")
    assert files["s0/take 0.wav"] == files["s0/take 2.wav"]
    assert b"s0,31" in files["speakers.csv"]


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_what_was_made_of_a_source_that_is_gone_or_renamed_is_removed(
    clips: Path, tmp_path: Path, overwrite: list[str]
) -> None:
    output = tmp_path / "out"
    (clips / "old.txt").write_text("no longer true")
    assert run(clips, output, 2) == 0
    (clips / "s0").rename(clips / "angry")
    (clips / "s1/take 1.wav").unlink()
    (clips / "old.txt").unlink()
    (output / "notes.pdf").write_text("mine")
    assert run(clips, output, 2, *overwrite) == 0
    (output / "notes.pdf").unlink()
    assert not (output / "s0").exists()
    assert run(clips, tmp_path / "fresh", 2) == 0
    assert tree(output) == tree(tmp_path / "fresh")


def test_an_overwriting_run_that_was_interrupted_goes_on(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert run(clips, output, 1) == 0
    make = copies.write_wav

    def write_until_interrupted(path: Path, *rest: object) -> None:
        if path.name == "take 5.wav":
            raise KeyboardInterrupt
        make(path, *rest)

    monkeypatch.setattr(copies, "write_wav", write_until_interrupted)
    assert run(clips, output, 1, "--seed", 2, "--overwrite") == 130
    monkeypatch.undo()
    assert json.loads((output / "augmentation.json").read_text())["complete"] is False
    assert not (output / "augmented.csv").exists()
    made = {path: path.stat().st_mtime_ns for path in output.rglob("*.wav")}
    assert 0 < len(made) < 16
    capsys.readouterr()
    assert run(clips, output, 1, "--seed", 2, "--overwrite") == 0
    assert f"({len(made)} already existed)" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert run(clips, tmp_path / "fresh", 1, "--seed", 2) == 0
    assert tree(output) == tree(tmp_path / "fresh")
    assert run(clips, output, 1, "--seed", 2, "--overwrite") == 0
    assert {path: path.stat().st_mtime_ns for path in made} != made


@pytest.mark.parametrize("setting", ["background_noise", "reverb"])
@pytest.mark.parametrize("folder", [".", "s1", ".."])
def test_clips_are_not_mixed_into_clips(clips: Path, tmp_path: Path, refused: Refused, setting: str, folder: str) -> None:
    overrides = ["--set", f"{setting}_folder={clips / folder}", "--set", f"{setting}_probability=1"]
    message = refused(clips, tmp_path.parent / "out", 1, *overrides)
    assert f"{setting}_folder" in message
    assert "clips of one item would be mixed into clips of others" in message or "read as input" in message
    assert not (tmp_path.parent / "out").exists()


def test_a_clip_that_is_also_a_noise_is_refused_as_often_as_it_is_tried(clips: Path, tmp_path: Path, refused: Refused) -> None:
    noises = tmp_path / "noises"
    noises.mkdir()
    samples, rate_hz = soundfile.read(clips / "s1/take 3.wav")
    soundfile.write(noises / "babble.flac", samples, rate_hz)
    overrides = ["--set", f"background_noise_folder={noises}", "--set", "background_noise_probability=1"]
    for _ in "again":
        message = refused(clips, tmp_path / "out", 1, *overrides)
        assert "s1/take 3.wav" in message
        assert "babble.flac have the same audio" in message


@pytest.mark.parametrize(
    ("arguments", "difference"),
    [
        (["1", "--seed", "2"], "seed: 1 there, 2 now"),
        (["2"], "copies: 1 there, 2 now"),
        (["1", "--set", "gain_max_db=-2"], "settings: gain_max_db: -1.0 there, -2.0 now"),
    ],
)
def test_other_settings_are_refused_with_the_difference_or_replace_all(
    clips: Path, tmp_path: Path, refused: Refused, arguments: list[str], difference: str
) -> None:
    output = tmp_path / "out"
    assert run(clips, output, 1) == 0
    before = tree(output)
    message = refused(clips, output, *arguments)
    assert difference in message
    assert "--overwrite" in message
    assert tree(output) == before
    assert run(clips, output, *arguments, "--overwrite") == 0
    assert run(clips, tmp_path / "fresh", *arguments) == 0
    assert tree(output) == tree(tmp_path / "fresh")


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_a_folder_of_other_files_is_left_alone(clips: Path, tmp_path: Path, refused: Refused, overwrite: list[str]) -> None:
    output = tmp_path / "out"
    (output / "s0").mkdir(parents=True)
    (output / "s0/take 0.wav").write_text("mine")
    assert "was not made by this command" in refused(clips, output, 1, *overwrite)
    assert tree(output) == {"s0/take 0.wav": b"mine"}


def test_damaged_and_silent_files_are_listed_and_do_not_stop_the_run(clips: Path, tmp_path: Path) -> None:
    (clips / "text.wav").write_text("no audio")
    (clips / "empty.flac").touch()
    soundfile.write(clips / "silent.wav", np.zeros(1000), 16000)
    soundfile.write(clips / "nan.wav", np.full(100, np.nan), 16000, subtype="FLOAT")
    soundfile.write(clips / "slow.wav", np.full(100, 0.1), 10)  # at which pitch shift and time stretch would not end
    assert run(clips, tmp_path / "out", 1) == 0
    with (tmp_path / "out/left_out.csv").open(newline="") as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert set(reasons) == {"text.wav", "empty.flac", "silent.wav", "nan.wav", "slow.wav"}
    assert "silent" in reasons["silent.wav"]
    assert "empty" in reasons["empty.flac"]
    assert len(read_list(tmp_path / "out")) == 8
    assert not (tmp_path / "out/text.wav").exists()


def test_other_rates_formats_channels_and_a_single_sample_become_mono_wav(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    soundfile.write(folder / "stereo.flac", rng.normal(0, 0.1, (4410, 2)), 44100)
    soundfile.write(folder / "low.mp3", rng.normal(0, 0.1, 4000), 8000)
    soundfile.write(folder / "one.wav", np.array([0.5]), 16000)
    soundfile.write(folder / "UPPER.WAV", rng.normal(0, 0.1, 960), 96000, subtype="FLOAT")
    assert run(folder, tmp_path / "out", 2) == 0
    facts = {path.name: soundfile.info(path) for path in (tmp_path / "out").glob("*.wav")}
    assert {"stereo.wav", "low.wav", "one.wav", "UPPER.wav", "one.augmented-2.wav"} <= set(facts)
    assert {name: facts[name].samplerate for name in ("stereo.wav", "low.wav", "UPPER.wav")} == {
        "stereo.wav": 44100, "low.wav": 8000, "UPPER.wav": 96000}  # fmt: skip
    assert {each.channels for each in facts.values()} == {1}


def test_copies_are_passed_over_and_their_lists_too(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(clips, tmp_path / "out", 2) == 0
    capsys.readouterr()
    assert run(tmp_path / "out", tmp_path / "again", 1) == 0
    assert "Ignored    16 files that are made by xval augment" in capsys.readouterr().out
    assert len(read_list(tmp_path / "again")) == 8


def test_the_list_can_be_read_by_a_corpus(clips: Path, tmp_path: Path) -> None:
    import pandas as pd

    output = tmp_path / "out"
    assert run(clips, output, 2, "--set", "time_stretch_probability=1") == 0
    table = pd.DataFrame({"path": ["s0/take 0.wav", "s1/take 1.wav"], "item": ["s0", "s1"], "label": ["a", "b"]})
    listed = add_copies(check_clips(table, output, task_type="classification"), output)
    assert len(listed) == 6
    copies = listed[listed["augmented"]]
    assert set(copies["source_clip"]) == set(table["path"])
    assert all((output / path).is_file() for path in copies["path"])
    assert find_corpus("folders").list_clips(output)["path"].str.contains("augmented").sum() == 0


def test_noise_and_rooms_come_from_folders_and_are_checked_first(clips: Path, tmp_path: Path, refused: Refused) -> None:
    noises = tmp_path / "noises"
    noises.mkdir()
    overrides = ["--set", f"background_noise_folder={noises}", "--set", "background_noise_probability=1"]
    assert "has no audio files" in refused(clips, tmp_path / "out", 1, *overrides)
    soundfile.write(noises / "street.wav", np.random.default_rng(0).normal(0, 0.1, 9000), 22050)
    (noises / "text.wav").write_text("no audio")
    for _ in "again":
        message = refused(clips, tmp_path / "out", 1, *overrides)
        assert "background_noise_folder: 1 of 2 files" in message
    (noises / "text.wav").unlink()
    assert run(clips, tmp_path / "out", 1, *overrides) == 0
    recordings = {json.loads(row["parameters"])["background_noise"]["recording"] for row in read_list(tmp_path / "out")}
    assert recordings == {(noises / "street.wav").as_posix()}
    soundfile.write(noises / "rain.wav", np.random.default_rng(0).normal(0, 0.1, 9000), 22050)
    assert "recordings: background_noise_folder: 1 files" in refused(clips, tmp_path / "out", 1, *overrides)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "out", "1"], "There is no folder nowhere"),
        (["clips", "clips", "1"], "are the same folder, or one is inside the other"),
        (["clips", "clips/s0/out", "1"], "one is inside the other"),
        (["clips/s0", "clips", "1"], "one is inside the other"),
        (["clips", "out", "0"], "N 0: expected a whole number from 1"),
        (["clips", "out", "two"], "N two: expected a whole number from 1"),
        (["clips", "out", "1", "--seed", "-1"], "--seed"),
        (["clips", "out"], "required: N"),
        (["clips", "out", "1", "--overwite"], "Did you mean '--overwrite'?"),
        (["clips", "out", "1", "--workers", "0"], "--workers 0"),
        (["clips", "clips/speakers.csv/out", "1"], "one is inside the other"),
        (["empty", "out", "1"], "empty has no audio files"),
    ],
)
def test_wrong_commands_are_refused_and_nothing_is_written(
    clips: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(clips.parent)
    Path("empty").mkdir()
    assert message in refused(*arguments)
    assert not Path("out").exists()


def test_two_sources_of_one_name_are_refused(clips: Path, tmp_path: Path, refused: Refused) -> None:
    soundfile.write(clips / "s0/take 0.flac", np.random.default_rng(0).normal(0, 0.1, 900), 16000)
    message = refused(clips, tmp_path / "out", 1)
    assert "s0/take 0.flac and s0/take 0.wav would both become s0/take 0.wav" in message


def test_long_names_work_or_are_refused_before_anything_is_written(clips: Path, tmp_path: Path, refused: Refused) -> None:
    output = tmp_path / "out"
    whole = (clips / "s0/take 0.wav").read_bytes()
    (clips / "s0" / f"{'l' * 239}.wav").write_bytes(whole)  # 255 bytes with .augmented-1
    assert run(clips, output, 1) == 0
    assert (output / "s0" / f"{'l' * 239}.augmented-1.wav").is_file()
    (clips / "s1" / f"{'m' * 240}.wav").write_bytes(whole)
    assert f"s1/{'m' * 240}.wav: its name is too long" in refused(clips, output, 1)
    assert not (output / "s1" / f"{'m' * 240}.wav").exists()

    (clips / "s1" / f"{'m' * 240}.wav").unlink()
    note = json.loads((output / "augmentation.json").read_text())  # what an earlier version noted of such a file
    note["sources"][f"s1/{'m' * 250}.wav"] = [[1, 2], [f"s1/{'m' * 250}.augmented-1.wav"]]
    (output / "augmentation.json").write_text(json.dumps(note))
    assert run(clips, output, 1) == 0


def test_a_folder_without_any_usable_file_is_an_error(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/text.wav").write_text("no audio")
    assert "None of the 1 audio files" in refused(tmp_path / "in", tmp_path / "out", 1)
    assert not (tmp_path / "out/augmented.csv").exists()


def test_a_full_disk_is_said(clips: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, _: object) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", fail)
    assert "cannot be written: No space left on device" in refused(clips, tmp_path / "out", 1)
    monkeypatch.undo()
    assert run(clips, tmp_path / "out", 1) == 0
    assert len(read_list(tmp_path / "out")) == 8


def test_two_runs_do_not_write_one_folder(clips: Path, tmp_path: Path, refused: Refused) -> None:
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out/.lock"):
        assert "Another run writes into" in refused(clips, tmp_path / "out", 1)


def test_help_loads_little_and_names_the_settings() -> None:
    code = (
        "import sys\n"
        "from augmentation.__main__ import main\n"
        "for arguments in ([], ['--help'], ['mix', '--help']):\n"
        "    try:\n        main(arguments)\n"
        "    except SystemExit:\n        pass\n"
        "    print('loaded', sorted({'audiomentations', 'pandas', 'scipy.signal', 'librosa'} & set(sys.modules)))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    helps = found.split("loaded []\n")
    assert len(helps) == 4
    assert all("--set" in text for text in helps[:3])
