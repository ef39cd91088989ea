import numpy as np
import pytest

from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.data.target_scaling import target_scaling


def test_mean_and_deviation_are_those_of_the_original_examples_of_the_items(tmp_path):
    targets = {"a": [[1.0, 5.0], [3.0, 5.0]], "b": [[8.0, 5.0], [900.0, 9.0]], "c": [[70.0, 2.0], [80.0, 2.0]]}
    with StoreWriter(tmp_path / "store", task_type="regression", class_names=()) as writer:
        for item, of_item in targets.items():
            examples = [Example(f"{item}{row}", 0.0, 1.0, augmented=(item, row) == ("b", 1)) for row in range(2)]
            writer.append(item, np.zeros((2, 3, 2), np.float32), np.array(of_item), examples)
        writer.publish(index_hash="x")

    found = target_scaling(open_store(tmp_path / "store"), {"a", "b"})

    assert found.mean.tolist() == [4.0, 5.0]
    assert found.deviation == pytest.approx([np.std([1, 3, 8]), 1])  # the second one does not vary
