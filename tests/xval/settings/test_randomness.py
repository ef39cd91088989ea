"""Which instances are trained more than once in each fold."""

import pytest

from xval.settings.randomness import count_repeats


@pytest.mark.parametrize(
    ("parameters", "n_repeats"),
    [
        ({"architecture": "svm"}, 1),
        ({"architecture": "svm", "pca_components": 0, "search": None, "train_fraction": 1.0}, 1),
        ({"architecture": "svm", "pca_components": 5}, 3),
        ({"architecture": "knn", "train_fraction": 0.5}, 3),
        ({"architecture": "ridge", "search": "{}"}, 3),
        ({"architecture": "forest"}, 3),
        ({"architecture": "cnn_small"}, 3),
    ],
)
def test_copies_are_not_trained(parameters, n_repeats):
    assert count_repeats({"repeats": 3, **parameters}) == n_repeats
    assert count_repeats(parameters) == 1
