import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from preprocessing import store
from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.base.errors import FoldsError
from xval.data.batches import Batches
from xval.data.fold import load_fold
from xval.folds.plan import Fold

FOLD = Fold(1, ("c", "a"), ("b",), ("d",))


def values(item, n_examples):
    return np.arange(n_examples * 6, dtype=np.float32).reshape(n_examples, 3, 2) + 100 * "abcd".index(item)


@pytest.fixture
def small(tmp_path):
    counts = {"a": 3, "b": 2, "c": 4, "d": 2}
    predictors = {item: values(item, count) for item, count in counts.items()}
    targets = {item: ["yes", "no", "no", "no"][:count] for item, count in counts.items()}
    return store.write("small", predictors, targets, data_folder=tmp_path)


@pytest.fixture
def augmented(tmp_path):
    folder = tmp_path / "augmented"
    with StoreWriter(folder, task_type="classification", class_names=("no", "yes")) as writer:
        for item in "abcd":
            examples = [Example(f"{item}1", 0.0, 1.0, augmented=False), Example(f"{item}1+", 0.0, 1.0, augmented=True)]
            writer.append(item, values(item, 2), np.array([0, 0]), examples)
        writer.publish(index_hash="x")
    return open_store(folder)


def all_batches(batches):
    return [batches[index] for index in range(batches.num_batches)]


def test_sides_hold_the_examples_of_their_items_in_order(small):
    data = load_fold(small, FOLD, in_memory=True)

    everything = data.training.predictors(np.arange(len(data.training)))

    assert np.array_equal(everything, np.concatenate([values("a", 3), values("c", 4)]))
    assert [small.class_names[target] for target in data.training.targets] == ["yes", "no", "no", "yes", "no", "no", "no"]
    assert data.sides["test"].table["item"].unique().tolist() == ["d"]


def test_streamed_and_loaded_batches_are_the_same_over_epochs(small):
    epochs = {}
    for in_memory in (True, False):
        data = load_fold(small, FOLD, in_memory=in_memory)
        batches = Batches(data.training, 3, targets=data.training.targets, weights=data.class_weights(), shuffle_seed=5)
        epochs[in_memory] = []
        for epoch in range(3):
            batches.set_epoch(epoch)
            batches.on_epoch_begin()
            epochs[in_memory] += all_batches(batches)

    assert len(epochs[True]) == len(epochs[False]) == 9
    for loaded, streamed in zip(epochs[True], epochs[False], strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(loaded, streamed, strict=True))


def test_each_epoch_has_every_example_once_in_another_order(small):
    data = load_fold(small, FOLD, in_memory=False)
    batches = Batches(data.training, 2, shuffle_seed=1)
    orders = []
    for epoch in (0, 1):
        batches.set_epoch(epoch)
        batches.on_epoch_begin()
        orders.append(np.concatenate([batch[0] for batch in all_batches(batches)])[:, 0, 0].tolist())

    assert sorted(orders[0]) == sorted(orders[1]) == sorted([*values("a", 3)[:, 0, 0], *values("c", 4)[:, 0, 0]])
    assert orders[0] != orders[1]


def test_an_epoch_that_is_begun_twice_has_the_same_order(small):
    batches = Batches(load_fold(small, FOLD, in_memory=True).training, 3, shuffle_seed=1)
    batches.set_epoch(4)
    orders = []
    for _ in range(2):
        batches.on_epoch_begin()
        orders.append(np.concatenate([batches.positions(index) for index in range(batches.num_batches)]))

    assert np.array_equal(*orders)


def test_a_batch_of_constant_shape_is_filled_with_its_own_examples_that_weigh_nothing(small):
    data = load_fold(small, FOLD, in_memory=True)  # 7 training examples
    given = {"targets": data.training.targets, "weights": data.class_weights()}
    ragged, constant = (Batches(data.training, 5, constant=constant, **given) for constant in (False, True))
    rows = [0, 1, 0, 1, 0]
    predictors, targets, weights = constant[1]

    assert all(np.array_equal(one, other) for one, other in zip(constant[0], ragged[0], strict=True))
    assert constant.positions(1).tolist() == [5, 6]
    assert np.array_equal(predictors, ragged[1][0][rows])
    assert np.array_equal(targets, ragged[1][1][rows])
    assert weights.tolist() == pytest.approx([*(ragged[1][2] * 5 / 2), 0, 0, 0])
    losses = np.array([3.0, 5.0])
    assert np.sum(losses * weights[:2]) / 5 == pytest.approx(np.mean(losses * ragged[1][2]))
    assert Batches(data.training, 5, targets=data.training.targets, constant=True)[1][2].tolist() == [2.5, 2.5, 0, 0, 0]
    assert Batches(data.training, 9, constant=True)[0][0].shape[0] == 9


def test_without_a_seed_the_order_stays(small):
    batches = Batches(load_fold(small, FOLD, in_memory=True).sides["validation"], 1)
    batches.on_epoch_begin()

    assert np.array_equal(np.concatenate([batch[0] for batch in all_batches(batches)]), values("b", 2))


def test_augmented_examples_train_and_are_never_evaluated(augmented):
    data = load_fold(augmented, FOLD, in_memory=True)

    assert len(data.training) == 4
    assert {side: len(examples) for side, examples in data.sides.items()} == {"training": 2, "validation": 1, "test": 1}
    assert not any(examples.table["augmented"].any() for examples in data.sides.values())


def test_class_weights_are_those_of_scikit_learn(small):
    data = load_fold(small, FOLD, in_memory=True)

    assert data.class_weights() == pytest.approx(compute_sample_weight("balanced", data.training.targets))


def test_a_side_whose_clips_were_all_left_out_is_refused(small):
    with pytest.raises(FoldsError, match=r"fold 1: no test example is left in .*left_out\.csv"):
        load_fold(small, Fold(1, ("a", "c"), ("b",), ("gone",)), in_memory=True)


def test_balanced_sampling_draws_classes_equally_often_and_the_same_again(small):
    data = load_fold(small, FOLD, in_memory=True)
    classes = data.training.targets  # five no, two yes

    def draw(epoch):
        batches = Batches(data.training, 3, targets=classes, shuffle_seed=5, balanced=classes)
        batches.set_epoch(epoch)
        batches.on_epoch_begin()
        return np.concatenate([batches.positions(index) for index in range(batches.num_batches)])

    epochs = [draw(epoch) for epoch in range(6)]

    for drawn in epochs:
        assert len(drawn) == len(classes) == 7
        assert sorted(np.bincount(classes[drawn])) == [3, 4]
        assert set(np.flatnonzero(classes == 1)) < set(drawn)  # both rare ones
        frequent = drawn[classes[drawn] == 0]
        assert len(set(frequent)) == len(frequent)
    assert set(np.concatenate(epochs)) == set(range(7))
    assert np.array_equal(draw(3), epochs[3])
    assert not np.array_equal(epochs[0], epochs[1])
