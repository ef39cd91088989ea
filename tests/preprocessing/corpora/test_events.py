"""Annotated events: columns by many names, samples and seconds, background, and faults told by their lines."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from preprocessing.annotations.labels import resolve
from preprocessing.clips.table import check_clips
from preprocessing.corpora.events import default_audio_folder, default_dataset, list_clips, list_recordings
from preprocessing.quality.facts import read_headers
from xval.base.errors import CorpusError, SettingsError


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    for name, rate_hz, duration_s in (("A1.wav", 8000, 4.0), ("night/B2.flac", 16000, 30.0)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.full(int(rate_hz * duration_s), 0.1), rate_hz)
    return tmp_path


def read(folder: Path, text: str, **options):
    (folder / "annotation.csv").write_text(text)
    clips = list_clips(folder, annotation=folder / "annotation.csv", **options)
    check_clips(clips, folder, task_type="classification")
    return clips


def rows(clips, *columns: str) -> list[list[object]]:
    return clips[list(columns)].to_numpy().tolist()


def test_every_event_is_a_clip_of_its_recording(recordings: Path) -> None:
    clips = read(recordings, "path,start_s,end_s,label\nnight/B2.flac,3,4.5,song\nA1.wav,1,2,call\nA1.wav,1.5,3,call\n")
    assert list(clips.columns) == ["path", "item", "label", "start_s", "end_s"]
    assert clips.to_numpy().tolist() == [
        ["A1.wav", "A1.wav", "call", 1.0, 2.0],
        ["A1.wav", "A1.wav", "call", 1.5, 3.0],
        ["night/B2.flac", "night/B2.flac", "song", 3.0, 4.5],
    ]


def test_samples_are_counted_at_the_rate_of_each_recording(recordings: Path) -> None:
    clips = read(recordings, "FileID,Context,Start sample,End sample\nA1,x,8000,12000\nB2,y,8000,12001\n")
    assert rows(clips, "path", "start_s", "end_s") == [["A1.wav", 1.0, 1.5], ["night/B2.flac", 0.5, 12001 / 16000]]
    assert clips["label"].tolist() == ["event", "event"]
    assert round(clips["end_s"][1] * 16000) == 12001


@pytest.mark.parametrize("name", ["B2", "B2.flac", "night/B2", "night/B2.flac", "./night/B2.wav", "night\\B2.flac", "B2.WAV"])
def test_recordings_are_found_with_and_without_folder_and_ending(recordings: Path, name: str) -> None:
    clips = read(recordings, f"filename\tonset\toffset\tevent_label\n{name}\t1\t2\tsong\n", label="event_label")
    assert rows(clips, "path", "label") == [["night/B2.flac", "song"]]


def test_other_columns_are_items_and_labels(recordings: Path) -> None:
    text = "file,start_s,end_s,Bat ID,species,sex\nA1,0,1,b1,noctule,f\nA1,2,3,b2,noctule,m\nB2,0,1,b1,serotine,f\n"
    clips = read(recordings, text, item="Bat ID", label="species,sex")
    assert rows(clips, "item", "label") == [["b1", "noctule_f"], ["b2", "noctule_m"], ["b1", "serotine_f"]]
    assert rows(read(recordings, text, label="species"), "item")[0] == ["A1.wav"]
    with pytest.raises(CorpusError, match=r"has no column 'bat' for --item or --label.*Did you mean 'bat_id'"):
        read(recordings, text, item="bat")


@pytest.mark.parametrize("loud_first", [True, False])  # by its first frames the file looks shorter than it is, or longer
def test_the_length_of_a_recording_whose_header_does_not_say_it_is_not_guessed(
    recordings: Path, loud_first: bool, encode: Callable[..., Path]
) -> None:
    halves = [np.random.default_rng(0).normal(0, 0.2, (48000, 1)), np.zeros((48000, 1))]
    samples = np.concatenate(halves if loud_first else halves[::-1]).astype(np.float32)
    encode(recordings / "C3.aac", samples, 16000, codec="aac", container="adts")
    clips = read(recordings, "path,start_s,end_s\nC3.aac,3,5.9\n", background=True, max_background_s=4.0)
    assert rows(clips, "label", "start_s") == [["background", 0.0], ["event", 3.0]]
    faults = read_headers(check_clips(clips, recordings, task_type="classification"), recordings)
    assert (faults["broken"].notna().any(), faults["duration_s"].tolist()) == (False, pytest.approx([3.0, 2.9]))
    with pytest.raises(CorpusError, match=r"is not inside C3\.aac, which has 6"):
        read(recordings, "path,start_s,end_s\nC3.aac,3,6.5\n")


def test_overlapping_events_of_two_items_are_refused(recordings: Path) -> None:
    with pytest.raises(CorpusError, match=r"in A1\.wav an event of 'b2' begins at 1\.5 s, before one of 'b1' ends at 3 s"):
        read(recordings, "file,start_s,end_s,bat\nA1,0,3,b1\nA1,1,1.2,b1\nA1,1.5,2,b2\n", item="bat")


def test_background_is_what_no_event_covers(recordings: Path) -> None:
    text = "file,start_s,end_s,label\nB2,1,2,a\nB2,1.5,1.7,b\nB2,2.4,5,a\n"
    without = read(recordings, text)
    clips = read(recordings, text, background=True)
    between = clips[clips["label"] == "background"]
    assert rows(between, "path", "item", "start_s", "end_s") == [
        ["night/B2.flac", "night/B2.flac", *stretch]
        for stretch in ((0.0, 1.0), (5.0, 13.333333), (13.333333, 21.666667), (21.666667, 30.0))
    ]
    assert len(clips) == len(without) + 4
    assert clips["start_s"].is_monotonic_increasing
    short = read(recordings, text, background=True, min_background_s=0.3, max_background_s=100.0)
    assert rows(short[short["label"] == "background"], "start_s", "end_s") == [[0, 1], [2, 2.4], [5, 30]]


def test_pieces_of_background_stay_between_minimum_and_maximum(recordings: Path) -> None:
    for end in np.linspace(0.5, 29.5, 30):
        clips = read(
            recordings, f"file,start_s,end_s\nB2,0,{end}\n", background=True, min_background_s=0.5, max_background_s=1.0
        )
        pieces = clips[clips["label"] == "background"]
        lengths = pieces["end_s"] - pieces["start_s"]
        assert lengths.between(0.5 - 1e-5, 1.0 + 1e-5).all()
        assert lengths.sum() == pytest.approx(30 - end)


def test_background_that_belongs_to_nobody_or_is_not_there_is_an_error(recordings: Path) -> None:
    text = "file,start_s,end_s,bat\nA1,0,1,b1\nA1,2,3,b2\n"
    with pytest.raises(CorpusError, match=r"A1\.wav has events of the items b1, b2, so its background belongs to none"):
        read(recordings, text, item="bat", background=True)
    with pytest.raises(CorpusError, match="no segment of 1 s or more is without events"):
        read(recordings, "file,start_s,end_s\nA1,0,4\n", background=True)
    for minimum, maximum in ((0.0, 1.0), (1.0, 1.9), (1.0, float("inf")), (float("nan"), 1.0)):
        with pytest.raises(SettingsError, match=r"--min-background-s .* above 0 and a maximum of at least twice"):
            read(recordings, text, background=True, min_background_s=minimum, max_background_s=maximum)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A1,2,1,x", "the event starts at 2 and ends at 1; expected an end after the start"),
        ("A1,1,1,x", "the event starts at 1 and ends at 1"),
        ("A1,3,4.1,x", r"the event from 3 to 4\.1 is not inside A1\.wav, which has 4\.00 s"),
        ("A1,5,6,x", "is not inside"),
        ("night/B3,0,1,x", r"no recording 'night/B3' in .* Did you mean 'night/B2'\?"),
        (",0,1,x", "no recording ''"),
        ("A1,-1,1,x", "column start_s: received '-1'; expected seconds, 0 or more"),
        ("A1,0:10,1,x", "column start_s: received '0:10'"),
        ("A1,0,,x", "column end_s: received ''"),
        ("A1,0,1,", "column label is empty"),
        ("A1,0,1", "3 cells, but the header has 4"),
        ("A1,0.0,1.0,y", r"the same segment of A1\.wav as in line 2"),
        ("broken,0,1,x", r"broken\.wav: "),
        ("twin,0,1,x", r"'twin' may be a/twin\.wav or twin\.wav\. Give the folder and the ending"),
    ],
)
def test_a_wrong_event_is_named_by_its_line(recordings: Path, line: str, message: str) -> None:
    (recordings / "broken.wav").write_bytes(b"no audio at all")
    (recordings / "a").mkdir()
    for name in ("twin.wav", "a/twin.wav"):
        (recordings / name).write_bytes((recordings / "A1.wav").read_bytes())
    with pytest.raises(CorpusError, match=f"has wrong events:\n  line 3: .*{message}"):
        read(recordings, f"file,start_s,end_s,label\nA1,0,1,x\n{line}\n")
    assert len(read(recordings, "file,start_s,end_s\ntwin.wav,0,1\n")) == 1


def test_samples_are_whole_and_lie_in_the_file(recordings: Path) -> None:
    with pytest.raises(CorpusError, match=r"line 2: column start_sample: received '1.5'; expected a whole number"):
        read(recordings, "file,Start sample,End sample\nA1,1.5,3\n")
    with pytest.raises(CorpusError, match=r"from 0 to 33000 is not inside A1\.wav, which has 32000 samples"):
        read(recordings, "file,Start sample,End sample\nA1,0,33000\n")
    assert read(recordings, "file,Start sample,End sample\nA1,0,32010\n")["end_s"].tolist() == [32010 / 8000]


def test_the_first_five_faults_are_told_at_once(recordings: Path) -> None:
    text = "file,start_s,end_s\n" + "".join(f"A{number},0,1\n" for number in range(2, 9))
    with pytest.raises(CorpusError, match=r"(?s)line 2: .*line 6: .*and 2 more") as told:
        read(recordings, text)
    assert "line 7" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,start_s,label\n", r"line 1: expected the columns path \(or FileID\), start_s .* Found: file, start_s, label"),
        ("start_s,end_s\n", "Found: start_s, end_s"),
        ("file,start_s,end_s,Start sample\n", "has times both in seconds and in samples"),
        ("file,FileID,start_s,end_s\n", "several columns mean the same: file, FileID. Keep one"),
        ("file,start_s,end_s\n", "has a header but no events"),
        ("", "is empty. Its first line must name the columns: path"),
    ],
)
def test_what_is_no_annotation_is_refused(recordings: Path, text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read(recordings, text)


def test_missing_files_and_folders_are_errors(recordings: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"gone\.csv cannot be read"):
        list_clips(recordings, annotation=recordings / "gone.csv")
    (recordings / "empty").mkdir()
    (recordings / "empty" / "annotation.csv").write_text("file,start_s,end_s\nA1,0,1\n")
    with pytest.raises(CorpusError, match=r"has no recordings as named in the annotation\. Found: annotation\.csv"):
        list_clips(recordings / "empty", annotation=recordings / "empty" / "annotation.csv")
    with pytest.raises(CorpusError, match=r"There is no folder.*nowhere"):
        list_clips(recordings / "nowhere", annotation=recordings / "empty" / "annotation.csv")


def test_the_defaults_come_from_the_annotation(tmp_path: Path) -> None:
    assert default_audio_folder(tmp_path, annotation=Path("bats/calls.csv")) == Path("bats")
    assert default_dataset(annotation=Path("bats/calls.csv"), label="label") == "calls"


def read_recordings(folder: Path, text: str, **options):
    (folder / "annotation.csv").write_text(text)
    recordings, annotations = list_recordings(folder, annotation=folder / "annotation.csv", **options)
    check_clips(recordings, folder, task_type="classification")
    return recordings, annotations


def test_recordings_are_listed_whole_with_their_events(recordings: Path) -> None:
    text = "path,start_s,end_s,label\nnight/B2.flac,3,4.5,song\nA1.wav,1,3,call\nA1.wav,1,3,alarm\n"
    found, annotations = read_recordings(recordings, text)
    assert found.to_numpy().tolist() == [["A1.wav", "A1.wav", "alarm+call"], ["night/B2.flac", "night/B2.flac", "song"]]
    assert list(annotations.columns) == ["path", "start_s", "end_s", "label", "annotator"]
    assert annotations.to_numpy().tolist() == [
        ["A1.wav", 1.0, 3.0, "call", ""],
        ["A1.wav", 1.0, 3.0, "alarm", ""],
        ["night/B2.flac", 3.0, 4.5, "song", ""],
    ]


def test_recordings_without_events_are_listed_only_where_the_table_says_so(recordings: Path) -> None:
    soundfile.write(recordings / "C3.wav", np.full(8000, 0.1), 8000)
    text = "path,start_s,end_s,label,bat\nB2,,,,b1\nA1,0,1,background,b2\nA1,1,2,call,b2\n"
    found, annotations = read_recordings(recordings, text, item="bat")
    assert found.to_numpy().tolist() == [["A1.wav", "b2", "call"], ["night/B2.flac", "b1", "background"]]
    assert found.attrs["note"] == "1 of 3 recordings is skipped, because annotation.csv does not list it"
    assert annotations.fillna(-1).to_numpy().tolist() == [["A1.wav", 1, 2, "call", ""], ["night/B2.flac", -1, -1, "", ""]]
    all_background, annotations = read_recordings(recordings, "path,start_s,end_s,label\nA1,0,4,background\nB2,,,\n")
    assert all_background["label"].tolist() == ["background", "background"]
    assert annotations["start_s"].isna().tolist() == [True, True]
    # as clips: no stretch, no clip
    assert rows(read(recordings, text), "path", "label") == [["A1.wav", "background"], ["A1.wav", "call"]]
    with pytest.raises(CorpusError, match="has no events, because no line has a start and an end"):
        read(recordings, "path,start_s,end_s\nB2,,\n")


def test_a_column_tells_several_annotators_apart(recordings: Path) -> None:
    text = "path,start_s,end_s,label,annotator\nA1,1,2,call,x\nA1,1,2,call,y\nB2,1,2,call,x\nB2,,,,y\n"
    _, annotations = read_recordings(recordings, text)
    disputed = {path: len(resolve(own, "ignore_disagreement").disputed) for path, own in annotations.groupby("path")}
    assert disputed == {"A1.wav": 0, "night/B2.flac": 1}
    with pytest.raises(CorpusError, match=r"line 3: the same segment of A1\.wav as in line 2"):
        read_recordings(recordings, text.replace("A1,1,2,call,y", "A1,1,2,call,x"))


def test_labels_of_recordings_are_joined_and_items_are_one(recordings: Path) -> None:
    text = "file,start_s,end_s,bat,species,sex\nA1,0,1,b1,noctule,f\nA1,2,3,b1,noctule,m\n"
    found, annotations = read_recordings(recordings, text, item="bat", label="species,sex")
    assert found.to_numpy().tolist() == [["A1.wav", "b1", "noctule_f+noctule_m"]]
    assert annotations["label"].tolist() == ["noctule_f", "noctule_m"]
    with pytest.raises(
        CorpusError, match=r"--item sex: A1\.wav belongs to the items f, m, but a whole recording is on one side"
    ):
        read_recordings(recordings, text, item="sex", label="species")


@pytest.mark.parametrize("option", [{"background": True}, {"min_background_s": 2.0}, {"max_background_s": 20.0}])
def test_options_of_the_background_say_nothing_about_frames(recordings: Path, option: dict[str, object]) -> None:
    with pytest.raises(
        SettingsError, match=r"with frames, everything outside of events is background already\. Remove these options"
    ):
        read_recordings(recordings, "path,start_s,end_s\nA1,0,1\n", **option)


def test_a_table_without_labels_is_said_to_have_none(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    (tmp_path / "calls.csv").write_text("path,start_s,end_s,klass\na.wav,0.1,0.2,x\n")
    expected = "calls.csv has no column 'label', so every event is labelled 'event'"
    assert list_clips(tmp_path, annotation=tmp_path / "calls.csv").attrs["note"] == expected
    assert list_recordings(tmp_path, annotation=tmp_path / "calls.csv")[0].attrs["note"] == expected
    assert list_clips(tmp_path, annotation=tmp_path / "calls.csv", label="klass").attrs["note"] == ""
