"""Suspicious labels: swapped labels come first, and a difficult speaker does not have most of them."""

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from preprocessing.clips.near_pairs import write_pairs
from xval.answers.read import read_instance
from xval.base.errors import ResultsError
from xval.extras.label_review.label_suspects import PredictedClips, find_suspects, read_predicted_clips
from xval.results.folder import find_experiment
from xval.results.read import WrittenInstance

N_SPEAKERS, N_CLASSES, N_TAKES, HARD = 6, 4, 30, "s0"


@pytest.fixture(scope="module")
def predicted():
    """Return predictions for six speakers, 5 % of clips with a swapped label; class 0 of the first speaker is taken for 1."""
    rng = np.random.default_rng(0)
    items, true = (grid.ravel() for grid in np.meshgrid(np.arange(N_SPEAKERS), np.tile(np.arange(N_CLASSES), N_TAKES)))
    recognised = np.where((items == 0) & (true == 0) & (rng.random(len(true)) < 0.7), 1, true)
    logits = rng.normal(size=(len(true), N_CLASSES)) + 4 * np.eye(N_CLASSES)[recognised]
    logits[items == 0] *= 0.6
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels, swapped = true.copy(), rng.choice(len(true), len(true) // 20, replace=False)
    labels[swapped] = (labels[swapped] + rng.integers(1, N_CLASSES, len(swapped))) % N_CLASSES
    names = tuple(f"{number}.wav" for number in range(len(true)))
    speakers = np.array([f"s{item}" for item in items], object)
    made = PredictedClips(1, tuple("abcd"), names, speakers, labels, probabilities)
    return SimpleNamespace(clips=made, swapped={names[row] for row in swapped}, true=dict(zip(names, true, strict=True)))


def make_corpus(predicted, tmp_path, hashes=None):
    clips = predicted.clips
    index = pd.DataFrame({"clip": clips.clips, "item": clips.items, "augmented": False})
    index["label"] = [clips.class_names[number] for number in clips.labels]
    index["audio_hash"] = [(hashes or {}).get(clip, f"hash of {clip}") for clip in clips.clips]
    return SimpleNamespace(index=index, folder=tmp_path, index_hash="h")


def test_swapped_labels_come_first_with_the_true_class_as_the_more_likely_class(predicted):
    first = predicted.clips.suspects[: len(predicted.swapped)]

    hits = [suspect for suspect in first if suspect.clip in predicted.swapped]
    assert len(hits) >= 0.85 * len(predicted.swapped)
    assert np.mean([suspect.answer == "abcd"[predicted.true[suspect.clip]] for suspect in hits]) > 0.9


def test_a_hard_speaker_is_not_all_suspects(predicted):
    clips = predicted.clips
    rows = np.arange(len(clips.labels))
    margin = clips.probabilities.max(axis=1) - clips.probabilities[rows, clips.labels]
    n_first = len(predicted.swapped)

    by_margin = [clips.items[row] for row in np.argsort(-margin)[:n_first]].count(HARD)
    by_rule = [suspect.item for suspect in clips.suspects[:n_first]].count(HARD)

    assert by_rule <= n_first / N_SPEAKERS * 1.5
    assert by_rule < by_margin


def test_each_clip_is_one_suspect_and_all_wrong_predictions_are_among_them(predicted, tmp_path):
    suspects = find_suspects(predicted.clips, make_corpus(predicted, tmp_path))

    assert len({suspect.clip for suspect in suspects}) == len(suspects)
    wrong = predicted.clips.probabilities.argmax(axis=1) != predicted.clips.labels
    assert {clip for clip, is_wrong in zip(predicted.clips.clips, wrong, strict=True) if is_wrong} <= {
        suspect.clip for suspect in suspects
    }
    kinds = [suspect.kind for suspect in suspects]
    assert kinds == sorted(kinds, key=["label", "duplicate", "answer"].index)


def test_copies_of_one_recording_with_two_labels_are_suspects(predicted, tmp_path):
    labels = dict(zip(predicted.clips.clips, predicted.clips.labels, strict=True))
    quiet = [clip for clip in labels if clip not in {suspect.clip for suspect in predicted.clips.suspects}]
    (first, other), (same, near) = (
        [next(clip for clip in quiet if labels[clip] == number) for number in pair] for pair in ((0, 1), (2, 3))
    )
    alike = [clip for clip in quiet if labels[clip] == 3][1:3]
    write_pairs(tmp_path, "h", [(same, "s1", near, "s2", 0.97), (alike[0], "s1", alike[1], "s2", 0.99)])

    suspects = find_suspects(predicted.clips, make_corpus(predicted, tmp_path, {first: "x", other: "x"}))

    found = {suspect.clip: suspect for suspect in suspects if suspect.kind == "duplicate"}
    assert found.keys() == {first, other, same, near}
    assert (found[first].answer, found[first].why) == ("b", f"{other} has the same audio and the label 'b'.")
    assert "nearly the same audio (97% alike)" in found[near].why


def test_a_suspect_with_two_reasons_has_both(predicted, tmp_path):
    suspect = predicted.clips.suspects[0]
    labels = dict(zip(predicted.clips.clips, predicted.clips.labels, strict=True))
    other = next(clip for clip in labels if labels[clip] == "abcd".index(suspect.answer))

    (first, *_) = find_suspects(predicted.clips, make_corpus(predicted, tmp_path, {suspect.clip: "x", other: "x"}))

    assert (first.clip, first.kind) == (suspect.clip, "label")
    assert first.why == f"{suspect.why} {other} has the same audio and the label '{suspect.answer}'."


def test_of_many_reasons_some_are_shown_and_the_others_counted(predicted, tmp_path):
    labels = dict(zip(predicted.clips.clips, predicted.clips.labels, strict=True))
    clip, *others = [next(clip for clip in labels if labels[clip] == 0), *(clip for clip in labels if labels[clip] == 1)][:8]
    write_pairs(tmp_path, "h", [(clip, "s1", other, "s2", 0.97) for other in others])

    suspects = find_suspects(predicted.clips, make_corpus(predicted, tmp_path, {}))

    (why,) = [suspect.why for suspect in suspects if suspect.clip == clip]
    assert why.count("nearly the same audio") <= 3
    assert re.search(r"And \d reasons more\.$", why)


def test_a_suspect_is_compared_with_clips_of_its_speaker(predicted):
    suspect = predicted.clips.suspects[0]

    others = predicted.clips.compare_with(suspect)

    items = dict(zip(predicted.clips.clips, predicted.clips.items, strict=True))
    assert [label for _, label in others] == [suspect.label] * 2 + [suspect.answer] * 2
    assert {items[clip] for clip, _ in others} == {suspect.item}
    assert suspect.clip not in dict(others)


def test_predictions_of_a_run_are_read_and_other_tasks_are_refused(finished):
    instance = read_instance(find_experiment(finished.results), 1, over_items=False)

    predicted = read_predicted_clips(instance)

    assert len(predicted.clips) == len(set(predicted.clips)) == 24
    assert predicted.class_names == ("high", "low")
    assert predicted.probabilities.sum(axis=1) == pytest.approx(1)
    changed = instance.written.parameters | {"task_type": "regression"}
    other = dataclasses.replace(instance, written=WrittenInstance(**dict(instance.written) | {"parameters": changed}))
    with pytest.raises(ResultsError, match="only labels of classification can be reviewed"):
        read_predicted_clips(other)
