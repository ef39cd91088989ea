"""The figures of labels over folds and repeats."""

import pytest

from xval.answers.label_scores import label_scores


def test_repeats_are_averaged_within_a_fold_and_folds_are_counted_once(make_instance, make_record):
    def record(fold, repeat, average_precision, *, n_true=1):
        counts = {"true_positives": n_true, "false_positives": 1, "false_negatives": 0, "true_negatives": 3 - n_true}
        of_label = counts | {"n_clips": n_true, "average_precision": average_precision}
        facts = {"thresholds": {"dog": 0.5}, "untuned_labels": ["dog"], "class_metrics": {"test": {"dog": of_label}}}
        return make_record(fold, {"accuracy": 0.5}, repeat=repeat, **facts)

    records = [record(1, 1, 0.2), record(1, 2, 0.4), record(2, 1, 0.7), record(3, 1, None, n_true=0)]
    (found,) = label_scores(make_instance(1, records, task_type="multilabel_classification", folds_total=3, repeats=2))

    assert found.average_precision == pytest.approx((0.3 + 0.7) / 2)
    assert found.chance == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)  # of one clip of four in a random order
    assert found.n_untuned == 3
    assert (found.n_clips, found.share) == (3, 3 / 16)
