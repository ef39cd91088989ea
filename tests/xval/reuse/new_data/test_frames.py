"""Models that label frames on recordings from elsewhere: events, unknown labels, annotators."""

import numpy as np
import pandas as pd
import pytest

from preprocessing.corpus import make_corpus
from xval.base.errors import SettingsError
from xval.reuse.new_data.evaluation import Choices, evaluate_on
from xval.reuse.new_data.labelled_clips import ReadOptions, read_labelled_clips

FRAME_S, N_FRAMES = 0.05, 20
FRAMES = {
    "label_form": "multi_class", "label_frame_s": FRAME_S, "sequence_frames": 4, "frame_overlap": 0.5,
    "annotation_policy": "union", "event_threshold": None, "event_median_frames": 1, "event_min_duration_s": 0.0,
    "segment_s": 0.5,
}  # fmt: skip
CLASSES = ("background", "call", "song")


@pytest.fixture
def recordings(tmp_path, tone):
    """Return a function that prepares four recordings of 1 s, each with the same events, as rows of a table."""
    for item in "wxyz":
        tone(tmp_path / "audio" / f"{item}.wav", ord(item), N_FRAMES * FRAME_S)
    clips = pd.DataFrame([(f"{item}.wav", item, "x") for item in "wxyz"], columns=["path", "item", "label"])

    def prepare(*events):
        rows = [(f"{item}.wav", *event) for item in "wxyz" for event in events]
        annotations = pd.DataFrame(rows, columns=["path", "start_s", "end_s", "label", "annotator"])
        make_corpus(
            clips, tmp_path / "audio", dataset="events", data_folder=tmp_path / "data", corpus="events",
            task_type="frame_classification", annotations=annotations,
        )  # fmt: skip
        return read_labelled_clips(str(tmp_path / "data" / "events"), "frame_classification", ReadOptions())

    return prepare


def frames(*events, n_classes=3):
    """Return probabilities of frames that say these events: (first, stop, class number)."""
    values = np.full((N_FRAMES, n_classes), 0.05, np.float32)
    values[:, 0] = 0.9
    for first, stop, number in events:
        values[first:stop] = 0.05
        values[first:stop, number] = 0.9
    return values


def model_of(make_model, answers, **changes):
    return make_model(answers, task_type="frame_classification", class_names=CLASSES, frames=FRAMES | changes)


def test_events_found_as_annotated_are_all_right(recordings, make_model, watch):
    clips = recordings((0.1, 0.3, "call", ""), (0.5, 0.8, "song", ""))
    found = evaluate_on(model_of(make_model, lambda name: frames((2, 6, 1), (10, 16, 2))), clips, Choices({}), watch)

    scores = found.scores
    assert scores.metrics["accuracy"] == scores.metrics["event_f1"] == scores.metrics["segment_f1"] == 1
    assert scores.unit == "frames"
    assert scores.confusion_matrix == [[4 * 10, 0, 0], [0, 4 * 4, 0], [0, 0, 4 * 6]]
    assert scores.class_metrics.loc["call", "event_n_reference"] == 4
    assert scores.intervals["event_f1"][:3] == (pytest.approx(0.025**0.25), 1, 4)
    assert scores.calibration.ece == pytest.approx(0.1, abs=1e-6)
    assert len(scores.events) == 4 * 2 * 2
    assert found.lacking_classes == ()
    assert set(scores.item_metrics) == set("wxyz")


def test_the_interval_of_the_event_score_is_over_items(recordings, make_model, watch):
    clips = recordings((0.1, 0.3, "call", ""))
    missed = model_of(make_model, lambda name: frames() if name == "w.wav" else frames((2, 6, 1)))
    found = evaluate_on(missed, clips, Choices({}), watch).scores

    assert found.metrics["event_f1"] == pytest.approx(2 * 3 / 7)
    assert (found.item_metrics["w"]["psds1"], found.item_metrics["x"]["psds1"]) == (0, 1)
    assert found.item_metrics["w"]["event_f1"] == 0
    assert 0 < found.intervals["event_f1"].low < 2 * 3 / 7 < found.intervals["event_f1"].high < 1


def test_stretches_of_an_unknown_label_do_not_count_where_a_frame_has_one_class(recordings, make_model, watch):
    clips = recordings((0.1, 0.3, "call", ""), (0.5, 0.8, "bark", ""))
    # It takes the bark for a song: that is not wrong, for it cannot say bark.
    found = evaluate_on(model_of(make_model, lambda name: frames((2, 6, 1), (10, 16, 2))), clips, Choices({}), watch)

    assert found.scores.metrics["accuracy"] == found.scores.metrics["event_f1"] == 1
    assert (found.scores.predictions["weight"] == 0).sum() == 4 * 6
    assert found.unknown_labels == {"bark": 4}
    assert found.lacking_classes == ("song",)
    assert "4 events have labels that are not classes of the model" in found.warnings[0]

    renamed = evaluate_on(model_of(make_model, lambda name: frames((2, 6, 1))), clips, Choices({"bark": "song"}), watch)
    assert renamed.scores.metrics["event_recall"] == 0.5
    assert renamed.lacking_classes == ()


def test_an_unknown_label_changes_nothing_where_frames_have_any_number_of_labels(recordings, make_model, watch):
    clips = recordings((0.1, 0.3, "call", ""), (0.5, 0.8, "bark", ""))
    answers = np.full((N_FRAMES, 2), 0.1, np.float32)
    answers[2:6, 0] = 0.9
    answers[10:16, 1] = 0.9  # a song during the bark, which nobody has annotated
    model = make_model(
        lambda name: answers,
        task_type="frame_classification",
        class_names=CLASSES[1:],
        frames=FRAMES | {"label_form": "multi_label"},
    )
    found = evaluate_on(model, clips, Choices({}), watch).scores

    assert found.metrics["event_precision"] == 0.5
    assert (found.predictions["weight"] == 1).all()
    assert found.confusion_matrix is None
    assert found.calibration is None
    assert found.class_metrics.loc["call", "event_f1"] == 1


def test_annotators_are_believed_as_when_the_model_was_trained_or_as_asked(recordings, make_model, watch):
    clips = recordings((0.1, 0.3, "call", "anna"), (0.1, 0.5, "call", "bob"))
    model = model_of(make_model, lambda name: frames((2, 10, 1)))

    assert evaluate_on(model, clips, Choices({}), watch).scores.metrics["accuracy"] == 1
    of_anna = evaluate_on(model, clips, Choices({}, annotation_policy="anna"), watch)
    assert of_anna.scores.metrics["accuracy"] == 1 - 4 / N_FRAMES
    disputed = evaluate_on(model, clips, Choices({}, annotation_policy="ignore_disagreement"), watch)
    assert (disputed.scores.predictions["weight"] == 0).sum() == 4 * 4
    with pytest.raises(SettingsError, match=r"unknown annotation policy 'carl'.*--annotation-policy"):
        evaluate_on(model, clips, Choices({}, annotation_policy="carl"), watch)
    absent = model_of(make_model, lambda name: frames(), annotation_policy="dora")
    with pytest.raises(SettingsError, match="unknown annotation policy 'dora'"):
        evaluate_on(absent, clips, Choices({}), watch)
