"""What corrections of labels changed, between an experiment on a corpus and one on its corrected copy.

Comes in: instances of both. Goes out: sentences; the verdict on the corrections is the reader's.
"""

from contextlib import suppress
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from xval.answers.comparison.competitor import are_alike
from xval.answers.comparison.refuse import Chosen
from xval.answers.figure_text import fixed
from xval.base.errors import ResultsError, counted
from xval.extras.label_review.label_suspects import AnsweredClips, read_answered
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
    """Return what the corrections are, what they changed, and what that does not show; nothing where corpora are the same."""
    if len({instance.experiment.path for instance in chosen.values()}) < 2:
        return []  # one experiment has one corpus
    folds = {name: open_results(instance.experiment).folds for name, instance in chosen.items()}
    if len({of.plan.index_hash for of in folds.values()}) < 2:
        return []
    texts = [_describe_file(name, folds[name]) for name in chosen if folds[name].corrections]
    readable = {}
    for name, instance in chosen.items():
        with suppress(ResultsError):  # of another task, without probabilities or predictions, nested
            readable[name] = read_answered(instance)
    before, after = ([name for name in readable if bool(folds[name].corrections) == is_after] for is_after in (False, True))
    for old, new in islice(product(before, after), _MOST_PAIRS):
        texts.append(_describe_change(old, readable[old], new, readable[new]))
    deals, new_deals = ([of.plan.deals for of in folds.values() if bool(of.corrections) == is_new] for is_new in (False, True))
    if not all(are_alike(first, second) for first, second in product(deals, new_deals)):
        texts.append(_OTHER_FOLDS)
    return [*dict.fromkeys(texts), _WARNING]


def _describe_file(name: str, folds: WrittenFolds) -> str:
    of = folds.corrections
    changed, left_out = (counted(int(of[count]), noun) for count, noun in (("n_changed", "label"), ("n_left_out", "clip")))
    where = name.rpartition(":")[0] or "This experiment"
    return (
        f"{where} has the labels of {of['file']} (SHA-256 {of['sha256'][:12]}) by {', '.join(of['reviewers'])}: {changed} "
        f"changed, {left_out} excluded as bad recordings."
    )


def _describe_change(old: str, before: AnsweredClips, new: str, after: AnsweredClips) -> str:
    """Return the accuracies of two instances by the labels of before and by the corrected ones, on the clips of both."""
    own, other = ({clip: row for row, clip in enumerate(clips.clips)} for clips in (before, after))
    common = sorted(own.keys() & other.keys())
    rows, other_rows = (np.array([of[clip] for clip in common], np.intp) for of in (own, other))
    labels, corrected = _names(before, before.labels[rows]), _names(after, after.labels[other_rows])
    answers = [_names(of, of.probabilities[at].argmax(axis=1)) for of, at in ((before, rows), (after, other_rows))]
    shares = [
        fixed(_mean_over_items(answer == truth, before.items[rows])) for answer in answers for truth in (labels, corrected)
    ]
    return (
        f"Accuracy on {counted(len(common), 'clip')} of both, {int((labels != corrected).sum())} of them with another label, "
        f"mean over items: instance {old} {shares[0]} by the original labels and {shares[1]} by the corrected ones, for the "
        f"same predictions; instance {new} {shares[2]} and {shares[3]}."
    )


def _names(clips: AnsweredClips, numbers: NDArray[np.int64]) -> NDArray[np.object_]:
    return np.array(clips.class_names, object)[numbers]


def _mean_over_items(is_right: NDArray[np.bool_], items: NDArray[np.object_]) -> float:
    names, codes = np.unique(items.astype(str), return_inverse=True)
    return float((np.bincount(codes, is_right) / np.bincount(codes, minlength=len(names))).mean())
