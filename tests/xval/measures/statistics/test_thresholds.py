"""The threshold of a label has the largest F1 score."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from xval.measures.statistics.thresholds import find_thresholds


@pytest.mark.parametrize("seed", range(2))
def test_no_other_threshold_has_a_larger_f1(seed):
    rng = np.random.default_rng(seed)
    targets = (rng.random((40, 2)) < 0.3).astype(np.float32)
    targets[0] = 1
    probabilities = np.round(rng.random((40, 2)) * 0.6 + 0.3 * targets, 2).astype(np.float32)

    found = find_thresholds(targets, probabilities)

    for label, threshold in enumerate(found):
        values = probabilities[:, label]
        best = max(f1_score(targets[:, label], values >= each) for each in np.unique(values))
        assert f1_score(targets[:, label], values >= np.float32(threshold)) == pytest.approx(best)
        assert threshold not in values


def test_equal_ones_give_way_to_the_nearest_to_a_half_and_a_label_without_clips_has_a_half():
    targets = np.float32([[1, 0], [1, 0], [0, 0]])
    probabilities = np.float32([[0.9, 0.1], [0.8, 0.2], [0.3, 0.3]])

    assert find_thresholds(targets, probabilities) == pytest.approx([0.55, 0.5])
    assert find_thresholds(np.ones((2, 1), np.float32), np.zeros((2, 1), np.float32)).tolist() == [0]
    assert find_thresholds(np.ones((2, 1), np.float32), np.float32([[0.4], [0.6]])) == pytest.approx([0.2])  # below all
