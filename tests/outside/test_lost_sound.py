"""Sound that the settings throw away is measured, and named with its share and with what to set."""

import json

import numpy as np
import pyarrow.parquet
import pytest
import soundfile

pytestmark = pytest.mark.long

RATE_HZ = 4000
FEATURES = {"sample_rate_hz": RATE_HZ, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}


def write(study, samples_of, *, rate_hz=RATE_HZ, subtype="FLOAT", n_speakers=4, folder="audio"):
    """Write a clip of each class for some speakers; samples_of(hz, speaker) returns them."""
    for speaker in range(n_speakers):
        for label, hz in (("low", 300), ("high", 900)):
            path = study.folder / folder / label / f"s{speaker}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples_of(hz, speaker), rate_hz, subtype=subtype)


def tone(hz, speaker, rate_hz=RATE_HZ, seconds=0.3):
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(speaker).normal(size=time_s.size)
    return 0.3 * np.sin(2 * np.pi * (hz + 20 * speaker) * time_s) + 0.01 * noise


def warnings(study):
    """Return what preprocessing and check say of the corpus."""
    prepared, checked = (
        study.prepare("folders", "audio", "--dataset", "small"),
        study.prepare("folders", "--check", "audio", "--dataset", "small"),
    )
    assert prepared.returncode == checked.returncode == 0, prepared.stderr + checked.stderr
    return prepared.stdout, checked.stdout


@pytest.mark.long
def test_ultrasound_is_named_with_its_share_and_the_rate_to_set(empty):
    rate_hz = 256000
    write(empty, lambda hz, speaker: tone(100 * hz, speaker, rate_hz, 0.1), rate_hz=rate_hz)

    prepared, checked = warnings(empty)

    assert "8 of 8 clips" in prepared
    assert "of the power above 2 kHz, which sample_rate_hz=4000 discards" in prepared
    assert "--set sample_rate_hz=256000 --set n_fft=4096 --set win_length=4096 --set hop_length=2048" in prepared
    assert "sound above half the rate: 256000 Hz (8 clips" in checked
    assert "discards" not in empty.prepare("folders", "audio", "--dataset", "small", sample_rate_hz=256000, n_fft=4096).stdout


def test_the_rate_that_is_given_for_frames_is_in_the_next_command(empty):
    write(empty, lambda hz, speaker: tone(hz, speaker, seconds=1))
    rows = [f"low/s{speaker}.wav,0.2,0.5,call,s{speaker}" for speaker in range(4)]
    empty.file("audio/events.csv", "\n".join(["path,start_s,end_s,label,item", *rows, ""]))
    empty.file("experiments/bats.py", "")

    words = ("events", "audio/events.csv", "--item", "item", "--task-type", "frame_classification", "--dataset", "small")
    ended = empty.prepare(*words)

    (following,) = (line for line in ended.stdout.splitlines() if line.startswith("Next"))
    assert "experiments/bats.py" in following, ended.stdout + ended.stderr
    assert "--set sample_rate_hz=4000" in following


@pytest.mark.long
def test_a_run_names_it_too(empty):
    write(empty, lambda hz, speaker: tone(10 * hz, speaker, 32000), rate_hz=32000)
    empty.prepare("folders", "audio", "--dataset", "small")

    features = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
    ended = empty.train({"architecture": "mlp"}, num_epochs=1, **features)

    assert "discards" in ended.stdout, ended.stdout


@pytest.mark.long
@pytest.mark.parametrize("shift", [1.0, 0.9])
def test_channels_that_cancel_are_named(empty, shift):
    def stereo(hz, speaker):
        samples = tone(hz, speaker)
        return np.stack([samples, -shift * samples if speaker == 1 else samples], axis=1)

    write(empty, stereo)

    prepared, checked = warnings(empty)

    assert "channels cancel" in checked
    if shift == 1.0:  # nothing is left of it
        assert "Skipped    2 clips" in prepared
        assert "its 2 channels cancel in their mean" in (empty.folder / "data/small/left_out.csv").read_text()
    else:
        assert "2 of 8 clips" in prepared
        assert "lose 100 % of the power, because the channels cancel in their mean. Give --set channel=0" in prepared
        assert "cancel in" not in empty.prepare("folders", "audio", "--dataset", "small", channel=0).stdout


@pytest.mark.long
def test_unscaled_integers_beside_others_are_named(empty):
    write(empty, lambda hz, speaker: tone(hz, speaker) * (32768 if speaker == 2 else 1))

    prepared, checked = warnings(empty)

    assert "2 of 8 clips" in prepared
    assert "times full scale" in prepared
    assert "--set db_reference=max" in prepared
    assert "beyond full scale: 2 clips" in checked
    assert "full scale" not in empty.prepare("folders", "audio", "--dataset", "small", db_reference="max").stdout


@pytest.mark.long
def test_an_ordinary_corpus_has_none_of_these(empty):
    def stereo(hz, speaker):
        other = 0.5 * tone(hz, speaker + 7) if speaker % 2 else tone(2 * hz, speaker)
        return np.stack([tone(hz, speaker, 16000), np.repeat(other, 4)], axis=1)

    write(empty, stereo, rate_hz=16000, subtype="PCM_16")

    prepared, checked = warnings(empty)

    for text in ("discards", "cancel in", "channels cancel", "full scale", "half the rate"):
        assert text not in prepared + checked


def test_a_corpus_of_an_earlier_version_is_said_to_be_unmeasured(copied):
    path = copied.folder / "data/small/corpus.parquet"
    table = pyarrow.parquet.read_table(path)
    (key,) = (key for key, value in table.schema.metadata.items() if b'"lost_sound"' in value)
    facts = json.loads(table.schema.metadata[key])
    del facts["lost_sound"]
    pyarrow.parquet.write_table(table.replace_schema_metadata({**table.schema.metadata, key: json.dumps(facts)}), path)
    unmeasured = "without measuring how much sound the settings discard"

    copied.script({"architecture": "constant"}, name="other.py", num_experiment=2, num_folds=3, **FEATURES)
    other = copied.run(script="other.py")
    prepared = copied.prepare("table", "audio/clips.csv", "--dataset", "small")
    again = copied.run()

    assert (other.returncode, other.stdout.count(unmeasured)) == (0, 2), other.stdout + other.stderr
    assert other.stdout.count("The dataset: an earlier version prepared this dataset") == 1  # before the training
    assert other.stdout.count("- XV103 dataset: An earlier version prepared this dataset") == 1  # after it
    assert (prepared.returncode, unmeasured in prepared.stdout) == (0, False), prepared.stderr
    assert "Nothing to do: all 9 jobs are done." in again.stdout, again.stdout + again.stderr  # prepared anew, it is the same
