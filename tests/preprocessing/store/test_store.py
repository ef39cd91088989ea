"""A feature store gives back what was written, and says what is wrong with one that is damaged."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from preprocessing.corpus import open_corpus
from preprocessing.store import FeatureStore, open_store, write
from preprocessing.store.writer import Example, StoreWriter
from xval.base.errors import CorpusError

ITEMS = ("anna", "Bob/../x", "bob", "Zoë")


def predictors_of(item: str, n_examples: int = 5) -> NDArray[np.float32]:
    rng = np.random.default_rng(len(item))
    return rng.normal(-40, 12, (n_examples, 7, 3)).astype(np.float32)


def build(folder: Path) -> FeatureStore:
    with StoreWriter(folder, task_type="classification", class_names=("no", "yes")) as writer:
        for item in sorted(ITEMS):
            for n_examples in (2, 3):
                part = predictors_of(item)[:2] if n_examples == 2 else predictors_of(item)[2:]
                examples = [Example(f"{item}-{n_examples}-{row}", 0.5 * row, 1.0 * row, row == 1) for row in range(n_examples)]
                writer.append(item, part, np.arange(n_examples) % 2, examples)
        writer.publish(index_hash="abc")
    return open_store(folder)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return build(tmp_path / "0123456789abcdef")


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return build(tmp_path_factory.mktemp("data") / "0123456789abcdef")


def test_gives_back_what_was_written(store: FeatureStore) -> None:
    assert store.items == tuple(sorted(ITEMS))
    assert store.counts == dict.fromkeys(sorted(ITEMS), 5)
    assert (store.key, store.task_type, store.class_names) == ("0123456789abcdef", "classification", ("no", "yes"))
    assert (store.example_shape, store.target_shape) == ((7, 3), ())
    for item in ITEMS:
        np.testing.assert_array_equal(store.predictors(item), predictors_of(item))
        assert store.targets(item).tolist() == [0, 1, 0, 1, 0]


def test_arrays_stay_on_disk_and_are_not_written(store: FeatureStore) -> None:
    predictors, targets = store.predictors("bob"), store.targets("bob")
    assert isinstance(predictors, np.memmap)
    assert (predictors.dtype, targets.dtype) == (np.float32, np.int64)
    with pytest.raises(ValueError, match="read-only"):
        predictors[0] = 0


def test_items_in_another_order_are_refused(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store", task_type="classification", class_names=("no",)) as writer:
        writer.append("bob", predictors_of("bob"), np.zeros(5), [Example("c", 0.0, 1.0)] * 5)
        with pytest.raises(
            CorpusError, match=r"Item 'anna' came after 'bob'; expected items in sorted order\. Sort them first"
        ):
            writer.append("anna", predictors_of("anna"), np.zeros(5), [Example("d", 0.0, 1.0)] * 5)


def test_examples_are_sorted_by_item_and_row(store: FeatureStore) -> None:
    examples = store.examples
    assert list(examples.columns) == ["item", "row", "clip", "start_s", "end_s", "augmented", "first_row", "stop_row"]
    assert list(zip(examples["first_row"], examples["stop_row"], strict=True)) == [(row, row + 1) for row in range(20)]
    assert list(zip(examples["item"], examples["row"], strict=True)) == [(i, row) for i in sorted(ITEMS) for row in range(5)]
    assert list(examples["clip"][:5]) == [f"{sorted(ITEMS)[0]}-{k}-{row}" for k in (2, 3) for row in range(k)]
    assert list(examples["end_s"][:5]) == [0.0, 1.0, 0.0, 1.0, 2.0]
    assert list(examples["augmented"][:5]) == [False, True, False, True, False]


def test_moments_are_those_of_the_stored_values(store: FeatureStore) -> None:
    chosen = ["bob", "anna"]
    values = np.concatenate([predictors_of(item) for item in chosen]).reshape(-1, 3).astype(np.float64)
    moments = store.moments(chosen)
    assert moments.count == len(values) == 70
    np.testing.assert_allclose(moments.mean(), values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.variance(), values.var(axis=0), rtol=1e-9)
    assert moments.mean().dtype == np.float64


@settings(deadline=None)
@given(st.permutations(ITEMS), st.integers(1, 4))
def test_moments_do_not_depend_on_the_order_of_items(shared_store: FeatureStore, items: list[str], n_items: int) -> None:
    chosen = items[:n_items]
    one, other = shared_store.moments(chosen), shared_store.moments([*reversed(chosen), chosen[0]])
    assert one.count == other.count == 35 * n_items
    assert one.sum.tobytes() == other.sum.tobytes()
    assert one.sum_of_squares.tobytes() == other.sum_of_squares.tobytes()


def test_the_variance_of_constant_features_is_zero_not_negative(tmp_path: Path) -> None:
    same = np.full((50, 4), 0.1, np.float32)
    store = write("flat", {"a": same, "b": same}, {"a": ["x"] * 50, "b": ["y"] * 50}, data_folder=tmp_path)
    assert (store.moments(["a", "b"]).variance() >= 0).all()


def test_an_unknown_item_is_named_with_a_suggestion(store: FeatureStore) -> None:
    for ask in (store.predictors, store.targets, lambda item: store.moments([item])):
        with pytest.raises(CorpusError, match=r"no item 'ana'. Available: .*Did you mean 'anna'\?"):
            ask("ana")
    with pytest.raises(CorpusError, match="moments were requested for no items"):
        store.moments([])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] if path.suffix == ".npy" else path.read_bytes()[: path.stat().st_size // 2])


def garble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[: len(content) // 2] = b"\xff" * (len(content) // 2)
    path.write_bytes(content)


def use_all(folder: Path) -> None:
    store = open_store(folder)
    for item in store.items:
        store.predictors(item)
        store.targets(item)
    store.moments(store.items)
    assert len(store.examples)


@pytest.mark.parametrize("name", ["predictors.npy", "targets.npy", "moments.npz", "examples.parquet", "store.json"])
@pytest.mark.parametrize("damage", [Path.unlink, cut, garble, lambda path: path.write_bytes(b"")])
def test_damage_is_reported_with_the_file_and_the_cure(
    store: FeatureStore, name: str, damage: Callable[[Path], object]
) -> None:
    damage(store.folder / name)
    with pytest.raises(CorpusError, match=rf"{name}: missing or damaged .*Delete the folder .*; the next run makes it again"):
        use_all(store.folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.rename(columns={"row": "=x"}), "no columns 'row'"),
        (lambda table: table.assign(start_s=["x"] * len(table)), "'start_s' has .*string; expected number"),
        (lambda table: table.iloc[:0], r"0 rows, store\.json says 20"),
        (lambda table: table.iloc[::-1], r"not those of the items in store\.json"),
        (lambda table: table.assign(first_row=table["first_row"] + 1), r"its examples are not those of predictors\.npy"),
        (lambda table: table.assign(stop_row=table["stop_row"] + 1), r"its examples are not those of predictors\.npy"),
    ],
)
def test_examples_that_were_edited_are_refused(store: FeatureStore, change, message: str) -> None:
    change(store.examples).to_parquet(store.folder / "examples.parquet", index=False)

    with pytest.raises(CorpusError, match=rf"examples\.parquet: missing or damaged \(.*{message}"):
        use_all(store.folder)


@settings(deadline=None)
@given(st.integers(0, 127), st.integers(0, 255))
@example(8, 117)  # the length of the header: the values would begin a byte too early
@example(8, 54)
def test_a_changed_header_never_gives_other_values(shared_store: FeatureStore, position: int, value: int) -> None:
    path = shared_store.folder / "predictors.npy"
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[position] = value
    path.write_bytes(changed)
    try:
        np.testing.assert_array_equal(shared_store.predictors("anna"), predictors_of("anna"))
    except CorpusError:
        event("refused")
    finally:
        path.write_bytes(whole)


class Trap:
    """Would make a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_a_pickled_array_is_refused_and_runs_nothing(store: FeatureStore, tmp_path: Path) -> None:
    trap = np.array([Trap(tmp_path / "sprung")] * 500, dtype=object)
    np.save(store.folder / "predictors.npy", trap, allow_pickle=True)
    np.savez(store.folder / "moments.npz", count=trap)
    with pytest.raises(CorpusError, match="missing or damaged"):
        store.predictors("bob")
    with pytest.raises(CorpusError, match="missing or damaged"):
        store.moments(["bob"])
    assert not (tmp_path / "sprung").exists()


def edit(folder: Path, **changes: object) -> None:
    path = folder / "store.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}))


def test_a_newer_store_is_not_read(store: FeatureStore) -> None:
    edit(store.folder, format_version=4)
    with pytest.raises(
        CorpusError, match=r"format version 4 is newer than this version of xval reads \(3\)\. Update xval, or: Delete"
    ):
        open_store(store.folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"task_type": "sorcery"},
        {"item_counts": {"bob": -1}},
        {"item_counts": {}},
        {"item_counts": {"bob": 5, "carl": 1}},
        {"item_counts": {"bob": 6}},
        {"item_rows": {"bob": 20}},
        {"item_rows": {}},
        {"item_rows": {"anna": 4, "Bob/../x": 6, "bob": 5, "Zo\u00eb": 5}},
        {"is_waveform": True},
        {"example_shape": []},
        {"example_shape": [7, 4]},
        {"format_version": "one"},
        {"class_names": None},
    ],
    ids=str,
)
def test_a_description_that_does_not_fit_is_refused(store: FeatureStore, changes: dict[str, object]) -> None:
    edit(store.folder, **changes)
    with pytest.raises(CorpusError, match="missing or damaged"):
        use_all(store.folder)


def test_an_array_of_more_examples_than_described_is_refused(store: FeatureStore) -> None:
    edit(store.folder, item_counts={**store.counts, "bob": 4})
    with pytest.raises(CorpusError, match=r"targets\.npy: .* does not have <i8 \(19,\) as store\.json says"):
        open_store(store.folder)


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"', "{}", "[" * 100_000])
def test_other_json_is_refused(store: FeatureStore, content: str) -> None:
    (store.folder / "store.json").write_text(content)
    with pytest.raises(CorpusError, match=r"store\.json: missing or damaged"):
        open_store(store.folder)


def test_a_missing_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="there is no feature store"):
        open_store(tmp_path / "nothing")


def test_two_dicts_become_a_corpus_and_its_store(tmp_path: Path) -> None:
    store = write(
        "mine",
        {item: predictors_of(item) for item in ITEMS},
        {item: ["take 10", "take 2", "take 2", "take 10", "take 2"] for item in ITEMS},
        data_folder=tmp_path,
    )
    assert store.folder == tmp_path / "mine" / "features" / "custom"
    assert store.class_names == ("take 2", "take 10")
    assert store.targets("bob").tolist() == [1, 0, 0, 1, 0]
    np.testing.assert_array_equal(store.predictors("bob"), predictors_of("bob"))
    corpus = open_corpus("mine", tmp_path)
    assert corpus.is_custom
    assert store.description.index_hash == corpus.index_hash
    assert store.description.feature_settings is None
    assert list(store.examples["clip"]) == [f"{item}#{row}" for item in sorted(ITEMS) for row in range(5)]
    assert list(corpus.index["clip"]) == list(store.examples["clip"])
    assert list(corpus.index["item"]) == list(store.examples["item"])
    assert list(corpus.index["label"]) == ["take 10", "take 2", "take 2", "take 10", "take 2"] * 4
