"""What was chosen among instances is judged as chosen: by the nested value, in all three lines and in XV301."""

import re

import numpy as np
import pytest

pytestmark = pytest.mark.long

GRID = [
    {"architecture": "knn", "n_neighbors": (1,), "time_parts": parts, "comment_1": f"{parts} parts"} for parts in range(1, 7)
]


def random_labels(study, seed, n_items=8, n_clips=8):
    """Write a corpus whose labels have nothing to do with its features."""
    from preprocessing.store import write

    rng = np.random.default_rng(seed)
    predictors, targets = {}, {}
    for number in range(n_items):
        predictors[f"s{number}"] = rng.normal(size=(n_clips, 12, 8)).astype("float32")
        targets[f"s{number}"] = rng.permutation(["no", "yes"] * (n_clips // 2)).tolist()
    write("small", predictors, targets, data_folder=study.folder / "data", task_type="classification")


@pytest.mark.parametrize("seed", [3, 6])  # the interval of the best instance itself excludes chance, by luck
def test_lines_do_not_contradict_each_other_on_random_labels(study, seed):
    random_labels(study, seed)
    study.train(*GRID, num_folds=4, fold_repeats=1)
    text = " ".join(study.run().stdout.split())
    low = float(re.search(r"(?:Report|scored) balanced accuracy \(UAR\) \S+ \[(\S+), ", text)[1])
    assert ("Not above chance: the interval includes" in text) == (low <= 0.5)
    if low <= 0.5:
        assert "better than" not in text
        assert "XV301" in text
        details = " ".join(study.run("--details").stdout.split())
        assert "by its nested value" in details
        assert "Do not rank these" in details
