"""Sentences that compare an experiment on a dataset with one on a copy whose labels were corrected."""

from contextlib import suppress
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from xval.answers.comparison.competitor import are_alike
from xval.answers.comparison.refuse import Chosen
from xval.answers.score_text import fixed
from xval.base.errors import ResultsError, counted
from xval.extras.label_review.label_suspects import PredictedClips, read_predicted_clips
from xval.results.open import open_results
from xval.results.read import WrittenFolds

_MOST_PAIRS = 3
_OTHER_FOLDS = (
    "The corrected dataset has other folds (balanced folds depend on the labels), which may explain part of the difference "
    "between two instances."
)
_WARNING = (
    "Labels of tested clips were corrected by reviewers who saw the predictions of a model. This favours that model and "
    "similar ones. Report the scores with the original labels too."
)


def describe(chosen: Chosen) -> list[str]:
    """Return sentences on the corrections, their effect and its limits; none if all instances have the same dataset."""
    if len({instance.experiment.path for instance in chosen.values()}) < 2:
        return []  # one experiment has one dataset
    folds = {name: open_results(instance.experiment).folds for name, instance in chosen.items()}
    if len({written.plan.index_hash for written in folds.values()}) < 2:
        return []
    texts = [_describe_file(name, folds[name]) for name in chosen if folds[name].corrections]
    readable = {}
    for name, instance in chosen.items():
        with suppress(ResultsError):  # of another task, without probabilities or predictions, nested
            readable[name] = read_predicted_clips(instance)
    before, after = ([name for name in readable if bool(folds[name].corrections) == is_after] for is_after in (False, True))
    for old, new in islice(product(before, after), _MOST_PAIRS):
        texts.append(_describe_change(old, readable[old], new, readable[new]))
    old_repeats, new_repeats = (
        [written.plan.folds_by_repeat for written in folds.values() if bool(written.corrections) == is_new]
        for is_new in (False, True)
    )
    if not all(are_alike(first, second) for first, second in product(old_repeats, new_repeats)):
        texts.append(_OTHER_FOLDS)
    return [*dict.fromkeys(texts), _WARNING]


def _describe_file(name: str, folds: WrittenFolds) -> str:
    """Return a sentence on the file of corrections, its reviewers, and the number of changed labels and excluded clips."""
    facts = folds.corrections
    changed, excluded = (counted(int(facts[key]), noun) for key, noun in (("n_changed", "label"), ("n_left_out", "clip")))
    where = name.rpartition(":")[0] or "This experiment"
    return (
        f"{where} has the labels of {facts['file']} (SHA-256 {facts['sha256'][:12]}) by {', '.join(facts['reviewers'])}: "
        f"{changed} changed, {excluded} excluded as bad recordings."
    )


def _describe_change(old: str, before: PredictedClips, new: str, after: PredictedClips) -> str:
    """Return a sentence with the accuracies of two instances by original and by corrected labels, on their common clips."""
    old_row, new_row = ({clip: row for row, clip in enumerate(clips.clips)} for clips in (before, after))
    common = sorted(old_row.keys() & new_row.keys())
    old_rows, new_rows = (np.array([row[clip] for clip in common], np.intp) for row in (old_row, new_row))
    labels, corrected = _names(before, before.labels[old_rows]), _names(after, after.labels[new_rows])
    predictions = [
        _names(clips, clips.probabilities[rows].argmax(axis=1)) for clips, rows in ((before, old_rows), (after, new_rows))
    ]
    shares = [
        fixed(_mean_over_items(predicted == truth, before.items[old_rows]))
        for predicted in predictions
        for truth in (labels, corrected)
    ]
    return (
        f"Accuracy on {counted(len(common), 'clip')} of both, {int((labels != corrected).sum())} of them with another label, "
        f"mean over items: instance {old} {shares[0]} by the original labels and {shares[1]} by the corrected ones, for the "
        f"same predictions; instance {new} {shares[2]} and {shares[3]}."
    )


def _names(clips: PredictedClips, numbers: NDArray[np.int64]) -> NDArray[np.object_]:
    return np.array(clips.class_names, object)[numbers]


def _mean_over_items(is_right: NDArray[np.bool_], items: NDArray[np.object_]) -> float:
    """Return the accuracy as the mean over items, from whether each clip is right and its item, (n_clips,) each."""
    names, codes = np.unique(items.astype(str), return_inverse=True)
    return float((np.bincount(codes, is_right) / np.bincount(codes, minlength=len(names))).mean())
