"""What an instance answered on each clip, the worst first, for every task."""

import numpy as np
import pandas as pd
import pytest

from xval.base.errors import ResultsError
from xval.measures.task import find_task
from xval.report.clip_answers import read_answers, read_events
from xval.results.job_key import JobKey

CLASSES = ["no", "yes"]


@pytest.fixture
def answers(tmp_path, make_settings):
    """Return a function that writes the predictions of a fold and gives the answers."""

    def read(rows, task_type="classification", label_form="multi_class", class_names=CLASSES, **changes):
        table = pd.DataFrame(rows)
        if "side" not in table:
            table["side"] = "test"
        table.assign(item="anna").to_parquet(tmp_path / "predictions.parquet")
        settings = make_settings(task_type=task_type, **changes)
        return read_answers(find_task(task_type, label_form), settings, class_names, {JobKey(1, 3): tmp_path})

    return read


def window(clip, number, said, *probabilities, side="test"):
    heard = CLASSES[int(np.argmax(probabilities))]
    named = {f"probability_{name}": np.float32(value) for name, value in zip(CLASSES, probabilities, strict=True)}
    return {"clip": clip, "start_s": number, "end_s": number + 2, "target": said, "predicted": heard, "side": side, **named}


def test_windows_become_the_answer_of_their_clip_as_clip_average_says(answers):
    rows = [
        window("a", 0, "no", 0.4, 0.6),
        window("a", 1, "no", 0.45, 0.55),
        window("a", 2, "no", 0.9, 0.1),
        window("b", 0, "yes", 0.8, 0.2),
        window("c", 0, "yes", 1.0, 0.0, side="validation"),
    ]

    mean = answers(rows)
    votes = answers(rows, clip_average="votes")

    assert mean[["clip", "true", "answer", "job"]].to_numpy().tolist() == [
        ["b", "yes", "no", "fold 3"],
        ["a", "no", "no", "fold 3"],
    ]
    assert mean["sure"].tolist() == pytest.approx([0.8, 1.75 / 3])
    assert mean["error"].tolist() == pytest.approx([0.6, 0.0])
    assert mean[["start_s", "end_s"]].to_numpy().tolist() == [[0, 2], [0, 4]]
    assert votes.set_index("clip").loc["a", ["answer", "sure"]].tolist() == ["yes", pytest.approx(2 / 3)]


def test_predictions_that_lack_a_column_are_refused_by_name(answers):
    rows = [
        {
            "probability_maybe" if name == "probability_yes" else name: value
            for name, value in window("a", 0, "no", 0.4, 0.6).items()
        }
    ]

    with pytest.raises(ResultsError, match=r"predictions\.parquet: damaged, it lacks a column.*probability_yes"):
        answers(rows)


def test_numbers_are_worst_where_they_are_most_deviations_away(answers):
    rows = [
        {"clip": clip, "start_s": 0, "end_s": 1, "target_0": true, "predicted_0": predicted}
        for clip, true, predicted in (("a", 0.0, 0.1), ("b", 2.0, 1.0), ("c", 4.0, 4.5))
    ]

    found = answers(rows, task_type="regression", class_names=[])

    assert found["clip"].tolist() == ["b", "c", "a"]
    assert found["error"].tolist() == pytest.approx(np.array([1.0, 0.5, 0.1]) / np.std([0.0, 2.0, 4.0]))
    assert found.loc[0, ["true", "answer"]].tolist() == ["2", "1"]


@pytest.mark.parametrize("label_form", ["multi_class", "multi_label"])
def test_recordings_are_worst_with_most_seconds_of_wrong_frames(answers, label_form):
    def frame(clip, number, true, heard, weight=1.0):
        row = {"clip": clip, "start_s": number / 2, "end_s": number / 2 + 0.5, "weight": weight}
        row |= {f"probability_{name}": float(name == heard) for name in CLASSES}
        if label_form == "multi_class":
            return row | {"target": true, "predicted": heard}
        return row | {f"target_{name}": float(name == true) for name in CLASSES}

    rows = [frame("a", number, "no", "no") for number in range(4)]
    rows += [frame("b", 0, "no", "yes"), frame("b", 1, "no", "yes"), frame("b", 2, "no", "yes", weight=0.0)]

    task = {"task_type": "frame_classification", "architecture": "denet", "features": "waveform"}
    found = answers(rows, label_form=label_form, **task)

    assert found[["clip", "error", "end_s"]].to_numpy().tolist() == [["b", 1.0, 1.5], ["a", 0.0, 2.0]]


def test_events_are_those_of_the_tested_recordings(tmp_path):
    rows = [
        {"side": side, "item": "i", "clip": "a", "source": "found", "start_s": 0.5, "end_s": 1.0, "label": "call"}
        for side in ("validation", "test")
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "events.csv", index=False)

    found = read_events({JobKey(1, 1): tmp_path, JobKey(1, 2): tmp_path / "none"})

    assert found.to_numpy().tolist() == [["a", "found", 0.5, 1.0, "call"]]
