"""The items that an instance fails on: what is counted agrees with the metric beside it."""

from types import SimpleNamespace

import pandas as pd
import pytest

from xval.measures.task import find_task
from xval.report.worst_answers import failing_items


def test_the_clips_that_are_wrong_are_the_mean_over_trainings_as_the_accuracy_is(make_instance, make_record):
    """Of four clips, two are wrong in the first training and three in the second; all are wrong in one of them."""
    wrong = {1: "ab", 2: "bcd"}
    records = [
        make_record(1, {"accuracy": 1 - len(clips) / 4}, repeat=repeat) | {"item_metrics": {"test": {
            "speaker 1": {"n_clips": 4, "accuracy": 1 - len(clips) / 4}
        }}}
        for repeat, clips in wrong.items()
    ]  # fmt: skip
    rows = [
        {"clip": clip, "item": "speaker 1", "job": f"fold 1, repeat {repeat}", "true": "yes", "error": float(clip in clips),
         "answer": "no" if clip in clips else "yes", "sure": 0.9, "start_s": 0.0, "end_s": 1.0}
        for repeat, clips in wrong.items()
        for clip in "abcd"
    ]  # fmt: skip
    answers = pd.DataFrame(rows).sort_values("error", ascending=False)
    contents = SimpleNamespace(
        errors_of=1, answers={1: answers}, by_number={1: make_instance(1, records)}, sounds=None, events={}, explanations=None
    )

    (failing,) = failing_items(contents, find_task("classification"))

    assert (failing.n_clips, failing.n_wrong, failing.n_answers) == (4, 2.5, 2)
    assert failing.value == pytest.approx(1 - failing.n_wrong / failing.n_clips)
