"""Stores in memory: read once for all folds, indexed and not copied, and dropped when the next ones come."""

import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from preprocessing import store as plain_store
from preprocessing.store import FeatureStore, open_store
from xval.base.errors import CorpusError
from xval.data import store_memory
from xval.data.batches import Batches
from xval.data.fold import load_fold
from xval.data.read_ahead import ReadAhead
from xval.data.store_memory import StoreFiles, StoreMemory, store_mb
from xval.engine.worker.serve import preload_next
from xval.folds.plan import Fold
from xval.models.build import build_model
from xval.models.predict import predict
from xval.settings.resolve import Declaration, resolve
from xval.training.compiled import compile_model
from xval.training.fit import train_model

FOLD, OTHER = Fold(1, ("a", "c"), ("b",), ("d",)), Fold(2, ("b", "d"), ("c",), ("a",))
MB = 1000


def write(folder, name="small", *, shift=0.0, n_columns=3):
    counts = {"a": 3, "b": 2, "c": 4, "d": 2}
    predictors = {
        item: shift + 100 * number + np.arange(count * n_columns, dtype=np.float32).reshape(count, n_columns)
        for number, (item, count) in enumerate(counts.items())
    }
    return plain_store.write(name, predictors, {item: ["x", "y"] * 2 for item in counts} | {
        item: ["x", "y", "x", "y"][:count] for item, count in counts.items()
    }, data_folder=folder)  # fmt: skip


@pytest.fixture
def reads(monkeypatch):
    """Return the corpora whose predictors are read from files, in turn."""
    found, read = [], StoreFiles.piece

    def piece(self, *bounds):
        found.append(self._path.parents[2].name)
        return read(self, *bounds)

    monkeypatch.setattr(StoreFiles, "piece", piece)
    return found


def test_folds_are_rows_of_one_array_that_is_read_once(tmp_path, reads):
    store = write(tmp_path)

    folds = [load_fold(open_store(store.folder), fold, in_memory=True) for fold in (FOLD, OTHER, FOLD)]

    assert reads == ["small"]
    arrays = [examples.indexed.everything for data in folds for examples in data.sides.values()]
    assert all(array is arrays[0] for array in arrays)
    assert not arrays[0].flags.writeable
    for data in folds:
        for side, examples in data.sides.items():
            everything, rows = examples.indexed.everything, examples.indexed.places(np.arange(len(examples)))
            wanted = np.concatenate([store.predictors(item) for item in sorted(getattr(data.fold, side))])
            assert np.array_equal(everything[rows], wanted)
            assert np.array_equal(examples.predictors(np.arange(len(examples))), wanted)
            assert not examples.is_streamed


def test_a_store_above_the_limit_and_one_that_streams_are_not_held(tmp_path):
    store = write(tmp_path)
    assert store_mb(store) == (11 * 3 * 4 + 11 * 8) / 2**20

    too_large = load_fold(store, FOLD, in_memory=True, in_memory_mb=store_mb(store) / 1.01)
    streamed = load_fold(store, FOLD, in_memory=False)
    held = load_fold(store, FOLD, in_memory=True, in_memory_mb=store_mb(store))

    for data in (too_large, streamed):
        assert data.training.indexed is None
        assert data.training.is_streamed
        found = data.training.predictors(np.arange(len(data.training)))
        assert np.array_equal(found, held.training.predictors(np.arange(len(held.training))))
    assert held.training.indexed is not None


def test_a_store_that_is_written_again_is_read_again(tmp_path):
    before = load_fold(write(tmp_path), FOLD, in_memory=True)
    after = load_fold(write(tmp_path, shift=0.5), FOLD, in_memory=True)

    assert np.array_equal(after.training.indexed.everything, before.training.indexed.everything + 0.5)


def test_the_present_and_the_next_store_are_held_and_no_other(tmp_path, reads):
    one, two, three = (write(tmp_path, name) for name in ("one", "two", "three"))
    memory = StoreMemory()

    def names():
        return sorted(Path(folder).parents[1].name for folder in memory.folders)

    first = memory.hold(one, MB)
    memory.preload(two, MB)
    assert names() == ["one", "two"]
    memory.preload(three, MB)
    assert names() == ["one", "three"]
    assert memory.hold(one, MB) is first
    assert memory.hold(three, MB) is not first
    assert names() == ["three"]
    assert sorted(reads) == ["one", "three", "two"]
    assert memory.hold(two, 0) is None
    assert names() == ["three"]  # the one that was announced last
    memory.preload(two, 0)
    assert names() == []


def test_who_asks_for_a_store_that_a_thread_is_reading_waits_for_it(tmp_path, monkeypatch):
    store, memory = write(tmp_path), StoreMemory()
    started, may_go_on, read = threading.Event(), threading.Event(), FeatureStore.targets

    def targets(self):
        started.set()
        assert may_go_on.wait(20)
        return read(self)

    monkeypatch.setattr(FeatureStore, "targets", targets)
    found = []
    threads = [
        threading.Thread(target=memory.preload, args=(store, MB)),
        *(threading.Thread(target=lambda: found.append(memory.hold(open_store(store.folder), MB))) for _ in range(3)),
    ]
    threads[0].start()
    assert started.wait(20)
    for thread in threads[1:]:
        thread.start()
    may_go_on.set()
    for thread in threads:
        thread.join()

    assert len(found) == 3
    assert found[0] is found[1] is found[2]


def test_reading_ahead_says_nothing_of_damage_and_the_job_does(tmp_path):
    store, memory = write(tmp_path), StoreMemory()
    array = store.folder / "predictors.npy"
    array.write_bytes(array.read_bytes() + b"more")

    store_memory.preload(store.folder, MB)
    store_memory.preload(tmp_path / "nowhere", MB)

    with pytest.raises(CorpusError, match=r"missing or damaged.*Run the script"):
        load_fold(store, FOLD, in_memory=True)
    with pytest.raises(CorpusError, match="missing or damaged"):
        memory.hold(store, MB)
    assert memory.folders == []


@pytest.mark.parametrize(
    ("changes", "n_read"), [({}, 1), ({"generator": True}, 0), ({"architecture": "feature_combination"}, 0)]
)
def test_what_a_job_does_not_hold_is_not_read_ahead(tmp_path, reads, changes, n_read, make_settings):
    store = write(tmp_path)

    preload_next(store.folder, make_settings(**{"architecture": "mlp", "in_memory_mb": MB} | changes))

    assert len(reads) == n_read
    load_fold(store, FOLD, in_memory=True)
    assert len(reads) == 1


# files


def test_pieces_of_files_are_the_rows_that_were_written(tmp_path):
    store = write(tmp_path)
    files = StoreFiles(store)

    for stop in range(12):
        for first in range(stop + 1):
            assert np.array_equal(files.piece(first, stop), store.predictors()[first:stop])
    assert files.piece(2, 2).shape == (0, 3)


def test_a_file_that_is_cut_off_while_it_is_used_is_an_error(tmp_path):
    store = write(tmp_path)
    files = StoreFiles(store)
    array = store.folder / "predictors.npy"
    array.write_bytes(array.read_bytes()[:-4])

    assert files.piece(0, 1).shape == (1, 3)
    with pytest.raises(CorpusError, match=r"predictors\.npy.*cut off while in use"):
        files.piece(10, 11)
    array.unlink()
    with pytest.raises(CorpusError, match=r"predictors\.npy.*cannot be read \(No such file"):
        files.piece(0, 1)


def test_streaming_does_not_make_the_process_larger(tmp_path):
    n_rows, n_columns = 600, 2**15  # 2 x 75 MB
    rng = np.random.default_rng(0)
    predictors = {item: rng.random((n_rows, n_columns), np.float32) for item in "ab"} | {
        item: np.zeros((1, n_columns), np.float32) for item in "cd"
    }
    store = plain_store.write(
        "wide", predictors, {item: ["x"] * len(rows) for item, rows in predictors.items()}, data_folder=tmp_path
    )
    data = load_fold(store, Fold(1, ("a", "b"), ("c",), ("d",)), in_memory=False)
    batches = Batches(data.training, 8, shuffle_seed=1)

    before = resident_file_mb()
    batches.on_epoch_begin()
    for index in range(batches.num_batches):
        positions = batches.positions(index)
        wanted = np.stack([predictors["ab"[position // n_rows]][position % n_rows] for position in positions])
        assert np.array_equal(batches[index][0], wanted)

    assert resident_file_mb() < before + 20


def resident_file_mb():
    """Return what mapped files take of the resident memory of this process (MB)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile")) / 1024


# reading ahead


def test_batches_are_read_before_they_are_asked_for_and_only_a_few():
    read, may_read = [], threading.Semaphore(0)

    def read_slowly(positions):
        assert may_read.acquire(timeout=20)
        read.append(positions[0])
        return positions

    batches = [np.array([number]) for number in range(6)]
    ahead = ReadAhead(read_slowly, enabled=True)

    may_read.release(20)
    assert ahead.predictors(batches, 0)[0] == 0
    until = time.monotonic() + 20
    while len(read) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert sorted(read) == [0, 1, 2]
    assert [ahead.predictors(batches, index)[0] for index in range(1, 6)] == [1, 2, 3, 4, 5]
    assert sorted(read) == [0, 1, 2, 3, 4, 5]
    ahead.predictors(batches, 0)
    ahead.forget()
    n_read = len(read)
    time.sleep(0.05)
    assert len(read) == n_read


def test_batches_of_an_earlier_order_are_not_given_again():
    ahead = ReadAhead(lambda positions: positions, enabled=True)
    orders = [[np.array([10 * order + number]) for number in range(4)] for order in range(2)]

    assert [ahead.predictors(orders[0], index)[0] for index in (0, 1)] == [0, 1]
    ahead.forget()

    assert [ahead.predictors(orders[1], index)[0] for index in (2, 1, 2, 3)] == [12, 11, 12, 13]


def test_an_error_while_reading_ahead_comes_with_its_batch():
    def read(positions):
        if positions[0] == 2:
            raise CorpusError("the file of batch 2")
        return positions

    batches = [np.array([number]) for number in range(4)]
    ahead = ReadAhead(read, enabled=True)

    assert [ahead.predictors(batches, index)[0] for index in (0, 1)] == [0, 1]
    with pytest.raises(CorpusError, match="the file of batch 2"):
        ahead.predictors(batches, 2)
    assert ahead.predictors(batches, 3)[0] == 3


def test_training_is_the_same_bit_for_bit_from_memory_and_from_files(tmp_path):
    store = write(tmp_path, n_columns=4)
    shared = {"dataset": "small", "architecture": "mlp", "n_units": (4,), "batch_size": 2, "num_epochs": 3}
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", shared, {1: {}}))
    found = []
    for in_memory in (True, False):
        data = load_fold(store, FOLD, in_memory=in_memory)
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = build_model(instance.settings, instance.options, store, data.training_items)
        compiled = compile_model(model, instance.settings, seed=1)
        history = train_model(compiled, data, instance.settings, seed=1)
        found.append((history.epochs, predict(model, data.sides["test"], 2).tolist()))

    assert found[0] == found[1]
