"""The metrics of several labels are those of scikit-learn, and say what is not defined."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from xval.base.errors import JobError
from xval.measures.metrics import compute, metric_names
from xval.measures.tasks.multilabel_classification import TUNED_METRICS, decide, join_decided, label_metrics, tuned_metrics

TASK = "multilabel_classification"


def draw(seed, n_examples=60, n_classes=4):
    """Return targets and probabilities, many of them equal, every label in some example and missing in others."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((n_examples, n_classes)) < np.linspace(0.15, 0.6, n_classes)).astype(np.float32)
    targets[:2] = [[0], [1]]  # an example without labels, one with all
    predictions = np.round(np.clip(0.4 * targets + rng.random(targets.shape) * 0.7, 0, 1), 1).astype(np.float32)
    return targets, predictions


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_of_scikit_learn(seed):
    targets, predictions = draw(seed)
    decided = predictions >= 0.5

    found = compute(TASK, targets, predictions)

    assert tuple(found) == metric_names(TASK)
    assert found == pytest.approx(
        {
            "mean_average_precision": sklearn_metrics.average_precision_score(targets, predictions, average="macro"),
            "auc": sklearn_metrics.roc_auc_score(targets, predictions, average="macro"),
            "lrap": sklearn_metrics.label_ranking_average_precision_score(targets, predictions),
            "macro_f1": sklearn_metrics.f1_score(targets, decided, average="macro"),
            "micro_f1": sklearn_metrics.f1_score(targets, decided, average="micro"),
            "hamming_loss": sklearn_metrics.hamming_loss(targets, decided),
            "accuracy": 1 - sklearn_metrics.hamming_loss(targets, decided),
        }
    )


def test_scores_at_thresholds_are_those_of_the_decisions():
    targets, predictions = draw(7)
    thresholds = np.array([0.2, 0.4, 0.6, 0.8])
    decided = predictions >= thresholds.astype(np.float32)

    found = tuned_metrics(targets, predictions, thresholds)
    of_label = label_metrics(targets, predictions, "abcd", thresholds)["b"]

    assert tuple(found) == tuple(TUNED_METRICS)
    assert found["tuned_macro_f1"] == pytest.approx(sklearn_metrics.f1_score(targets, decided, average="macro"))
    assert found["tuned_hamming_loss"] == pytest.approx(sklearn_metrics.hamming_loss(targets, decided))
    counts = sklearn_metrics.multilabel_confusion_matrix(targets, decided)[1].ravel().tolist()
    names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    assert [of_label[name] for name in names] == counts
    assert of_label["f1"] == pytest.approx(sklearn_metrics.f1_score(targets[:, 1], decided[:, 1]))
    assert of_label["average_precision"] == pytest.approx(
        sklearn_metrics.average_precision_score(targets[:, 1], predictions[:, 1])
    )


def test_labels_that_no_target_has_are_left_out():
    targets, predictions = draw(3)
    without = targets.copy()
    without[:, 2] = 0
    kept = [0, 1, 3]

    found, wanted = compute(TASK, without, predictions), compute(TASK, targets[:, kept], predictions[:, kept])

    for name in ("mean_average_precision", "auc", "macro_f1"):
        assert found[name] == pytest.approx(wanted[name])
    assert np.isnan(label_metrics(without, predictions, "abcd", np.full(4, 0.5))["c"]["average_precision"])


def test_without_any_label_means_over_labels_are_undefined():
    nothing = compute(TASK, np.zeros((3, 2), np.float32), np.full((3, 2), 0.1, np.float32))

    assert np.isnan([nothing[name] for name in ("mean_average_precision", "auc", "macro_f1", "micro_f1")]).all()
    assert (nothing["lrap"], nothing["hamming_loss"], nothing["accuracy"]) == (1, 0, 1)


def test_decisions_reach_their_thresholds_and_are_written_by_name():
    decided = decide(np.float32([[0.3, 0.1], [0.2, 0.7]]), np.array([0.3, 0.5]))

    assert decided.tolist() == [[1, 0], [0, 1]]
    assert join_decided(np.array([[1, 1], [0, 0]]), ("dog", "rain")) == ["dog;rain", ""]


@pytest.mark.parametrize(
    ("targets", "fault"), [(np.zeros(3, np.int64), r"received targets \(3,\)"), (np.full((3, 2), 0.5), "expected 0 and 1")]
)
def test_what_are_no_labels_is_refused(targets, fault):
    with pytest.raises(JobError, match=fault):
        compute(TASK, targets, np.zeros((3, 2), np.float32))
