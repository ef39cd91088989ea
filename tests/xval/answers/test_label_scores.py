"""The figures of labels over folds and repeats."""

from itertools import combinations
from statistics import fmean

import pytest

from xval.answers.label_scores import label_scores


def test_repeats_are_averaged_within_a_fold_and_folds_are_counted_once(make_instance, make_record):
    def record(fold, repeat, average_precision, *, n_true=1, n_missed=0):
        counts = {"true_positives": n_true - n_missed, "false_positives": 1, "false_negatives": n_missed}
        of_label = counts | {"true_negatives": 3 - n_true, "n_clips": n_true, "average_precision": average_precision}
        facts = {"thresholds": {"dog": 0.5}, "untuned_labels": ["dog"], "class_metrics": {"test": {"dog": of_label}}}
        return make_record(fold, {"accuracy": 0.5}, repeat=repeat, **facts)

    records = [record(1, 1, 0.2), record(1, 2, 0.4), record(2, 1, 0.7, n_true=2, n_missed=1), record(3, 1, None, n_true=0)]
    (found,) = label_scores(make_instance(1, records, task_type="multilabel_classification", folds_total=3, repeats=2))

    assert found.average_precision == pytest.approx((0.3 + 0.7) / 2)
    # Of clips of four in a random order, by the places of those that have the label.
    of_one, of_two = (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, fmean((1 / i + 2 / j) / 2 for i, j in combinations(range(1, 5), 2))
    assert found.chance == pytest.approx((of_one + of_two) / 2)
    assert found.n_untuned == 3
    assert (found.n_clips, found.share) == (4, 4 / 16)
