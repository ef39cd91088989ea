"""``mix`` on real recordings: events lie where the annotation says, as loud as it says, and a corpus can be read from it."""

import csv
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from augmentation.__main__ import main
from preprocessing import parallel
from preprocessing.audio.read import decode, read_header
from preprocessing.corpora import find_corpus

RATE_HZ = 16000
Refused = Callable[..., str]
pytestmark = pytest.mark.usefixtures("folder")
SHORT = ["--set", "mixture_duration_s=3", "--set", "mixture_min_gap_s=0.25"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve bursts of noise of three monkeys in six recordings, and four backgrounds."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("events", "backgrounds"):
        (tmp_path / name).mkdir()
    lines = ["path,start_s,end_s,label,item"]
    for number in range(6):
        soundfile.write(f"events/r{number}.wav", rng.normal(0, 0.1, 3 * RATE_HZ), RATE_HZ)
        lines += [
            f"r{number}.wav,{start_s},{start_s + 0.4},{label},m{number % 3}" for start_s, label in ((0.5, "a"), (1.75, "b"))
        ]
    for number in range(4):
        soundfile.write(f"backgrounds/b{number}.wav", rng.normal(0, 0.02, 8 * RATE_HZ), RATE_HZ)
    (tmp_path / "events/events.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def mix(*arguments: str) -> int:
    return main(["mix", "events", "backgrounds", "out", *SHORT, *arguments])


def rows_of(output: str) -> list[dict[str, str]]:
    with Path(output, "annotation.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def files_of(output: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(output).iterdir() if not path.name.startswith(".")}


def stretch(path: str, start_s: float, n_samples: int) -> np.ndarray:
    return soundfile.read(path)[0][round(start_s * RATE_HZ) :][:n_samples]


def test_a_table_without_labels_and_a_folder_with_a_blank_are_said_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    Path("some events.csv").write_text("path,start_s,end_s,item\nr0.wav,0.5,0.9,m0\n")
    assert main(["mix", "events", "backgrounds", "with blank", *SHORT, "--annotation", "some events.csv"]) == 0
    said = capsys.readouterr().out
    assert "Note       some events.csv has no column 'label', so every event is labelled 'event'" in said
    assert "Next       xval prepare events 'with blank/annotation.csv' --item item" in said


def test_events_lie_where_the_annotation_says_at_the_ratio_that_it_says() -> None:
    assert mix("--set", "mixture_max_snr_db=20") == 0
    events = [row for row in rows_of("out") if row["label"] != "background"]
    assert len(events) == 12
    for row in events:
        mixed, rate_hz = soundfile.read(f"out/{row['path']}")
        assert rate_hz == RATE_HZ
        first, stop = (round(float(row[key]) * RATE_HZ) for key in ("start_s", "end_s"))
        source = stretch(f"events/{row['source']}", float(row["source_start_s"]), stop - first)
        lags = np.correlate(mixed, source, mode="valid")
        assert np.abs(lags).argmax() == first
        background = stretch(f"backgrounds/{row['background']}", float(row["background_start_s"]), stop - first)
        # What the mixture is made of, by least squares: its parts have the ratio of the annotation.
        (gain, level), *_ = np.linalg.lstsq(np.stack([source, background], axis=1)[100:-100], mixed[first:stop][100:-100])
        ratio_db = 10 * np.log10(np.mean((gain * source) ** 2) / np.mean((level * background) ** 2))
        assert ratio_db == pytest.approx(float(row["snr_db"]), abs=0.2)


def test_what_is_labelled_background_is_background_alone() -> None:
    assert mix() == 0
    gaps = [row for row in rows_of("out") if row["label"] == "background"]
    assert len(gaps) >= 12
    for row in gaps:
        first, stop = (round(float(row[key]) * RATE_HZ) for key in ("start_s", "end_s"))
        mixed = soundfile.read(f"out/{row['path']}")[0][first:stop]
        background = stretch(f"backgrounds/{row['background']}", float(row["background_start_s"]), stop - first)
        assert np.corrcoef(mixed, background)[0, 1] > 0.999
        assert row["source"] == row["snr_db"] == ""


def test_each_background_belongs_to_one_item(capsys: pytest.CaptureFixture[str]) -> None:
    assert mix() == 0
    assert "4 recordings for 3 items, each recording for one item" in capsys.readouterr().out
    owners: dict[str, set[str]] = {}
    for row in rows_of("out"):
        owners.setdefault(row["background"], set()).add(row["item"])
    assert all(len(items) == 1 for items in owners.values())


def test_too_few_backgrounds_are_shared_in_disjoint_stretches(capsys: pytest.CaptureFixture[str], refused: Refused) -> None:
    for number in (1, 2, 3):
        Path(f"backgrounds/b{number}.wav").unlink()
    assert "Not enough background for 3 items" in refused("mix", "events", "backgrounds", "out", *SHORT)
    assert not Path("out").exists()
    assert mix("--set", "mixture_duration_s=2") == 0
    assert "too few for each to have its own" in capsys.readouterr().out
    ends: dict[str, tuple[float, float]] = {}
    for row in rows_of("out"):
        begin_s = float(row["background_start_s"])
        end_s = begin_s + float(row["end_s"]) - float(row["start_s"])
        low, high = ends.get(row["item"], (begin_s, end_s))
        ends[row["item"]] = min(low, begin_s), max(high, end_s)
    spans = sorted(ends.values())
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_the_corpus_of_events_reads_the_mixtures() -> None:
    assert mix() == 0
    clips = find_corpus("events").list_clips(Path("out"), annotation=Path("out/annotation.csv"), item="item")
    assert set(clips["label"]) == {"a", "b", "background"}
    assert set(clips["item"]) == {"m0", "m1", "m2"}
    assert len(clips) == len(rows_of("out"))
    whole, annotations = find_corpus("events").list_recordings(Path("out"), annotation=Path("out/annotation.csv"), item="item")
    assert whole["path"].tolist() == sorted({row["path"] for row in rows_of("out")})
    assert set(whole["item"]) == {"m0", "m1", "m2"}
    assert len(annotations) == len([row for row in rows_of("out") if row["label"] != "background"])


def test_workers_do_not_matter_and_a_second_run_mixes_only_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mix("--workers", "1") == 0
    whole = files_of("out")
    for name in [name for name in whole if name.endswith(".wav")][:2]:
        Path("out", name).unlink()
    Path("out/annotation.csv").unlink()
    kept = {path: path.stat().st_mtime_ns for path in Path("out").glob("*.wav")}
    monkeypatch.setattr(parallel, "SMALLEST_PARALLEL", 1)
    monkeypatch.setattr(parallel, "_TASKS_PER_BATCH", 1)
    assert mix("--workers", "2") == 0
    assert files_of("out") == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert f"({len(kept)} already existed)" in capsys.readouterr().out


def test_events_that_cannot_be_used_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    samples, _ = soundfile.read("events/r0.wav")
    samples[:RATE_HZ] = 0
    soundfile.write("events/r0.wav", samples, RATE_HZ)
    with Path("events/events.csv").open("a") as file:
        file.write("r1.wav,0,2.9,long,m1\nr2.wav,0,0.1,background,m2\n")
    assert mix() == 0
    assert "Skipped    4 events" in capsys.readouterr().out
    with Path("out/left_out.csv").open(newline="") as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert "silent" in reasons["r0.wav"]
    # Two short events lie in the long one, and cannot be cut out without it.
    assert "2.9 s long with the 3 events that overlap; a mixture of 3 s has room only for 2.5 s" in reasons["r1.wav"]
    assert len([row for row in rows_of("out") if row["label"] != "background"]) == 9


def test_events_that_overlap_are_cut_out_and_annotated_together(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("events/events.csv").open("a") as file:
        file.write("r1.wav,0.7,1.1,c,m1\nr1.wav,1.05,1.3,d,m1\nr2.wav,0.9,1.0,touching,m2\n")
    assert mix() == 0
    assert "with 15 events" in capsys.readouterr().out
    events = [row for row in rows_of("out") if row["label"] != "background"]
    assert sorted(row["label"] for row in events) == [*sorted("ab" * 6 + "cd"), "touching"]
    joined = [row for row in events if row["source"] == "r1.wav" and float(row["source_start_s"]) < 1.5]
    assert len({row["path"] for row in joined}) == 1
    assert len({row["snr_db"] for row in joined}) == 1
    first = next(row for row in joined if row["label"] == "a")
    moved_s = float(first["start_s"]) - 0.5
    found = {row["label"]: (float(row["start_s"]) - moved_s, float(row["end_s"]) - moved_s) for row in joined}
    wanted = {"a": (0.5, 0.9), "c": (0.7, 1.1), "d": (1.05, 1.3)}
    assert {label: pytest.approx(edges, abs=1e-3) for label, edges in wanted.items()} == found
    mixed, _ = soundfile.read(f"out/{first['path']}")
    source = stretch("events/r1.wav", 0.5, round(0.8 * RATE_HZ))
    assert np.abs(np.correlate(mixed, source, mode="valid")).argmax() == round(float(first["start_s"]) * RATE_HZ)
    for row in rows_of("out"):
        if row["label"] == "background" and row["path"] == first["path"]:
            assert float(row["end_s"]) <= moved_s + 0.5 + 1e-3 or float(row["start_s"]) >= moved_s + 1.3 - 1e-3
    clips = find_corpus("events").list_clips(Path("out"), annotation=Path("out/annotation.csv"), item="item")
    assert {"a", "b", "c", "d", "touching", "background"} == set(clips["label"])


def test_one_background_under_two_names_is_dealt_once(capsys: pytest.CaptureFixture[str], refused: Refused) -> None:
    for number in (1, 2, 3):
        soundfile.write(f"backgrounds/b{number}.flac", *soundfile.read("backgrounds/b0.wav"))
        Path(f"backgrounds/b{number}.wav").unlink()
    assert "only 1 recording is that long" in refused("mix", "events", "backgrounds", "out", *SHORT)
    rng = np.random.default_rng(7)
    for number in (1, 2):
        soundfile.write(f"backgrounds/c{number}.wav", rng.normal(0, 0.02, 8 * RATE_HZ), RATE_HZ)
    assert mix() == 0
    said = capsys.readouterr().out
    assert "3 recordings for 3 items, each recording for one item" in said
    assert "Ignored    3 backgrounds with the same audio as others" in said
    assert {row["background"] for row in rows_of("out")} == {"b0.wav", "c1.wav", "c2.wav"}


@pytest.mark.parametrize("backgrounds", ["events", "events/sub", "."])
def test_recordings_with_events_are_no_backgrounds(refused: Refused, backgrounds: str) -> None:
    Path("events/sub").mkdir()
    message = refused("mix", "events", backgrounds, "../mixed", *SHORT)
    assert "EVENTS (events) and BACKGROUNDS" in message
    assert "mixed into clips of others" in message


def test_an_event_that_is_also_a_background_is_refused(refused: Refused) -> None:
    soundfile.write("events/call.wav", *soundfile.read("backgrounds/b2.wav"))
    with Path("events/events.csv").open("a") as file:
        file.write("call.wav,0,8,a,m1\n")
    assert "call.wav and backgrounds/b2.wav have the same audio" in refused("mix", "events", "backgrounds", "out", *SHORT)


def test_the_length_of_a_background_is_that_of_what_is_decoded(
    aac: Callable[[Path, float, int], None], refused: Refused
) -> None:
    for number in range(4):
        Path(f"backgrounds/b{number}.wav").unlink()
    aac(Path("backgrounds/b.aac"), 26, RATE_HZ)
    decoded_s = decode(Path("backgrounds/b.aac")).samples.size / RATE_HZ
    assert math.isnan(read_header(Path("backgrounds/b.aac")).duration_s)
    overrides = ["--set", f"mixture_duration_s={decoded_s / 3 + 0.1}"]  # a little too much for three items
    assert "Not enough background for 3 items" in refused("mix", "events", "backgrounds", "out", *overrides)


def test_the_rate_is_the_lowest_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("backgrounds/low.wav", np.random.default_rng(0).normal(0, 0.02, 8 * 8000), 8000)
    assert mix() == 0
    assert "mixtures at 8000 Hz" in capsys.readouterr().out
    assert {soundfile.info(path).samplerate for path in Path("out").glob("*.wav")} == {8000}
    assert {soundfile.info(path).frames for path in Path("out").glob("*.wav")} == {24000}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "backgrounds", "out"], "There is no folder nowhere"),
        (["events", "nowhere", "out"], "There is no folder nowhere"),
        (["events", "backgrounds", "events/out"], "one is inside the other"),
        (
            ["events", "backgrounds", "out", "--annotation", "no.csv"],
            "There is no annotation no.csv. Give it with --annotation CSV (events has events.csv)",
        ),
        (["events", "backgrounds", "out", "--item", "monkey"], "no column 'monkey'"),
        (["events", "backgrounds", "out", "--set", "mixture_snr=3"], "unknown setting"),
        (["events", "backgrounds"], "required: OUTPUT"),
    ],
)
def test_wrong_commands_are_refused(refused: Refused, arguments: list[str], message: str) -> None:
    assert message in refused("mix", *arguments)
    assert not Path("out").exists()


def test_a_background_that_is_no_audio_is_named(refused: Refused) -> None:
    Path("backgrounds/text.wav").write_text("no audio")
    assert "text.wav" in refused("mix", "events", "backgrounds", "out", *SHORT)
