"""What is tested never trains: over random corpora, through the folds, the store, the statistics and the batches."""

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import FeatureStore, open_store
from preprocessing.store.waveforms import make_moments, waveform_moments
from preprocessing.store.writer import Example, StoreWriter
from xval.base.errors import FoldsError
from xval.data.fold import FoldData, load_fold
from xval.folds.plan import Fold, FoldSettings
from xval.folds.split import make_folds
from xval.models.build import build_model
from xval.models.predict import predict
from xval.settings.resolve import Declaration, Instance, resolve
from xval.settings.schema import Settings
from xval.training.augmentation import augmented
from xval.training.compiled import compile_model
from xval.training.evaluation.fold import evaluate_model
from xval.training.fit import train_model

RATE_HZ = 1000
SHARED = "identical audio|copies of one source clip"


def features_with(**changes: object) -> FeatureSettings:
    small = {"sample_rate_hz": RATE_HZ, "n_fft": 32, "win_length": 32, "hop_length": 8, "n_mels": 8}
    return FeatureSettings(**{**small, "features": "waveform", "frontend": "logmel", **changes})


# random corpora


@dataclass(frozen=True)
class Clip:
    """A row of a random index."""

    item: str
    label: str
    audio_hash: str
    source: str | None = None

    @property
    def augmented(self) -> bool:
        return self.source is not None


FOLDS = st.fixed_dictionaries(
    {
        "fold_strategy": st.sampled_from(["balanced", "leave_one_out", "holdout", "predefined"]),
        "num_folds": st.integers(3, 4),
        "fold_seed": st.integers(0, 3),
        "validation": st.sampled_from(["fraction", "next_fold"]),
        "validation_fraction": st.floats(0.1, 0.6),
        "test_fraction": st.floats(0.1, 0.5),
        "fold_repeats": st.just(1),
    }
)


@st.composite
def corpora(draw: st.DrawFn, *, shared: bool = True) -> dict[str, Clip]:
    """Draw clips by their names: originals, some with the same audio as others, and copies of some of them.

    Args:
        draw: Of hypothesis.
        shared: Now and then audio or a copy gets to another item than the one that it is from.
    """
    items = [f"item {number}" for number in range(draw(st.integers(4, 7)))]
    clips: dict[str, Clip] = {}
    shared = shared and draw(st.booleans())
    strays = st.sampled_from([False] * 15 + [True]) if shared else st.just(False)
    for item in items:
        for take, label in enumerate(["x", "y", *draw(st.lists(st.sampled_from("xy"), max_size=2))]):
            name, twins = f"{item}/{take}", [name for name in clips if shared or clips[name].item == item]
            twin = draw(st.sampled_from(twins)) if twins and draw(st.integers(0, 14)) == 7 else None
            clips[name] = Clip(item, label, clips[twin].audio_hash if twin else name)
    originals = dict(clips)
    for number in range(draw(st.integers(0, 6))):
        source = draw(st.sampled_from(sorted(originals)))
        item = draw(st.sampled_from(items)) if draw(strays) else clips[source].item
        name = f"{source}+{number}"
        clips[name] = Clip(item, clips[source].label, clips[source].audio_hash if draw(strays) else name, source)
    return clips


def index_of(clips: dict[str, Clip], places: dict[str, int]) -> pd.DataFrame:
    rows = [
        {
            "clip": name,
            "item": clip.item,
            "label": clip.label,
            "audio_hash": clip.audio_hash,
            "augmented": clip.augmented,
            "source_clip": clip.source,
            "fold": places[clip.item],
        }
        for name, clip in clips.items()
    ]
    return pd.DataFrame(rows)


def relatives(clips: dict[str, Clip]) -> dict[str, set[str]]:
    """Return for each clip all that have its audio, are made of it, or are so by others in between."""
    groups = {name: {name} for name in clips}
    for name, clip in clips.items():
        for other, their in clips.items():
            if clip.audio_hash == their.audio_hash or clip.source == other or (clip.source and clip.source == their.source):
                joined = groups[name] | groups[other]
                for member in joined:
                    groups[member] = joined
    return groups


def write_store(folder: Path, clips: dict[str, Clip], *, is_waveform: bool) -> FeatureStore:
    """Write a store in which every value of a clip is its number, so that examples tell whose they are."""
    with StoreWriter(
        folder, task_type="classification", class_names=("x", "y"), clip_samples=60, is_waveform=is_waveform
    ) as writer:
        for number, (name, clip) in sorted(enumerate(clips.items()), key=lambda numbered: numbered[1][1].item):
            n_examples = 1 if is_waveform else 1 + number % 2  # windows of a clip
            shape = (1, 30 + number % 30) if is_waveform else (n_examples, 2, 2)
            target = "xy".index(clip.label)
            about = [Example(name, 0.0, 1.0, augmented=clip.augmented)] * n_examples
            writer.append(clip.item, np.full(shape, number, np.float32), [target] * n_examples, about)
        writer.publish(index_hash="x")
    return open_store(folder)


def clips_of(data: FoldData, names: list[str], side: str | None = None) -> set[str]:
    """Return the clips whose values the examples of a side hold; without one, those that train."""
    examples = data.training if side is None else data.sides[side]
    batches = [examples.predictors(np.array([position])) for position in range(len(examples))]
    found = {names[int(values.flat[0])] for values in batches}
    assert found == set(examples.table["clip"])
    return found


@given(clips=corpora(), places=st.lists(st.integers(1, 3), min_size=7, max_size=7), chosen=FOLDS, is_waveform=st.booleans())
@settings(max_examples=50, deadline=None)
def test_no_relative_of_a_tested_clip_ever_trains(
    clips: dict[str, Clip], places: list[int], chosen: dict[str, object], is_waveform: bool
) -> None:
    index = index_of(clips, {f"item {number}": place for number, place in enumerate(places)})
    try:
        plan = make_folds(index, "hash", task_type="classification", has_classes=True, settings=FoldSettings(**chosen))
    except FoldsError:
        return
    family, names = relatives(clips), list(clips)
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder) / "store", clips, is_waveform=is_waveform)
        for fold in plan.folds:
            data = load_fold(store, fold, features_with(crop_s=0.02), in_memory=False)
            trained = clips_of(data, names)
            for side in ("validation", "test"):
                evaluated = clips_of(data, names, side)
                assert not any(clips[name].augmented for name in evaluated)
                assert not trained & set().union(*(family[name] for name in evaluated))
            both = [clips_of(data, names, side) for side in ("validation", "test")]
            assert not both[0] & set().union(*(family[name] for name in both[1]))


@given(clips=corpora(shared=False), places=st.permutations([1, 1, 2, 2, 3, 3, 3]), chosen=FOLDS)
@settings(max_examples=60, deadline=None)
def test_relatives_within_one_item_are_no_reason_to_refuse(
    clips: dict[str, Clip], places: list[int], chosen: dict[str, object]
) -> None:
    index = index_of(clips, {f"item {number}": place for number, place in enumerate(places)})
    try:
        make_folds(index, "hash", task_type="classification", has_classes=True, settings=FoldSettings(**chosen))
        reason = ""
    except FoldsError as error:
        reason = str(error)
    assert re.search(SHARED, reason) is None


LEAVE_ONE_OUT = {
    "fold_strategy": "leave_one_out", "num_folds": 2, "fold_seed": 1, "validation": "fraction", "validation_fraction": 0.2,
    "test_fraction": 0.2, "fold_repeats": 1,
}  # fmt: skip
PLAIN = {f"{item}{take}": Clip(item, "xy"[take], f"{item}{take}") for item in "abcd" for take in (0, 1)}


@pytest.mark.parametrize(
    "stray",
    [
        Clip("b", "x", "a0"),
        Clip("b", "x", "new", source="a0"),
        Clip("b", "x", "a0", source="b0"),
        Clip("b", "x", "new", source="copy"),
    ],
    ids=["the same audio", "a copy", "a copy that is the same audio", "a copy of a copy"],
)
def test_a_relative_under_another_item_is_refused(stray: Clip) -> None:
    clips = PLAIN | {"copy": Clip("a", "x", "copy", source="a0"), "stray": stray}
    with pytest.raises(FoldsError, match=SHARED):
        make_folds(
            index_of(clips, dict.fromkeys("abcd", 1)),
            "hash",
            task_type="classification",
            has_classes=True,
            settings=FoldSettings(**LEAVE_ONE_OUT),
        )


def test_copies_train_only_beside_their_source(tmp_path: Path) -> None:
    clips = PLAIN | {f"{item}+": Clip(item, "x", f"{item}+", source=f"{item}0") for item in "abcd"}
    plan = make_folds(
        index_of(clips, dict.fromkeys("abcd", 1)),
        "hash",
        task_type="classification",
        has_classes=True,
        settings=FoldSettings(**LEAVE_ONE_OUT),
    )
    store = write_store(tmp_path / "store", clips, is_waveform=False)

    for fold in plan.folds:
        data = load_fold(store, fold, in_memory=True)
        copies = {name for name in clips_of(data, list(clips)) if clips[name].augmented}
        assert copies == {f"{item}+" for item in fold.training}
        assert len(copies) == 2


# statistics

FOLD = Fold(1, ("a", "b"), ("c",), ("d",))


def random_values(seed: int, *, scale: float = 1.0, n_samples: int = 150) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(scale * rng.normal(size=(1, n_samples + 10 * take))).astype(np.float32) for take in range(4)]


def write_values(folder: Path, values: dict[str, list[np.ndarray]], *, is_waveform: bool) -> FeatureStore:
    """Write four clips of each item, the last one augmented."""
    with StoreWriter(
        folder, task_type="classification", class_names=("x", "y"), feature_settings=features_with(), clip_samples=180,
        is_waveform=is_waveform,
    ) as writer:  # fmt: skip
        for item, clips in values.items():
            for take, samples in enumerate(clips):
                about = Example(f"{item}{take}", 0.0, samples.size / RATE_HZ, augmented=take == 3)
                predictors = samples if is_waveform else samples[:, :144].reshape(1, 18, 8)
                writer.append(item, predictors, [take % 2], [about])
        writer.publish(index_hash="x")
    return open_store(folder)


AUGMENTATION = {name for name in Settings.model_fields if name.startswith("augment_")}


def resolve_one(chosen: FeatureSettings, **changes: object) -> Instance:
    """Return an instance whose training takes no step that changes a weight."""
    architecture = {"n_units": (6,), "dropout": 0.0} if changes.get("architecture", "mlp") == "mlp" else {}
    own = {"architecture": "mlp", "batch_size": 3, "num_epochs": 1, "optimizer": "sgd", "regularization_lambda": 0}
    declared = {**own, **architecture, **chosen.model_dump(), **changes}
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", declared, {1: {}}))
    return replace(instance, settings=instance.settings.model_copy(update={"learning_rate": 0.0}))


def build(store: FeatureStore, instance: Instance, items: tuple[str, ...] = FOLD.training) -> keras.Model:
    keras.utils.set_random_seed(1)
    return build_model(instance.settings, instance.options, store, items)


@given(
    seeds=st.tuples(st.integers(0, 99), st.integers(100, 199)),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    is_waveform=st.booleans(),
)
@settings(max_examples=5, deadline=None)
def test_statistics_do_not_change_when_evaluated_data_change(seeds: tuple[int, int], scale: float, is_waveform: bool) -> None:
    chosen = features_with() if is_waveform else features_with(features="logmel", frontend="none")

    def statistics(store: FeatureStore, items: tuple[str, ...]) -> list[np.ndarray]:
        moments = waveform_moments(store, chosen, items) if is_waveform else store.moments(items)
        weights = build(store, resolve_one(chosen), items).get_layer("normalization").get_weights()
        return [np.array(moments.count), moments.sum, moments.sum_of_squares, *weights]

    found = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            values = {item: random_values(number) for number, item in enumerate("ab")}
            values |= {item: random_values(seed + number, scale=scale) for number, item in enumerate("cd")}
            store = write_values(Path(folder) / str(seed), values, is_waveform=is_waveform)
            if is_waveform:
                make_moments(store, chosen)
            training_items = load_fold(store, FOLD, chosen, in_memory=True).training_items
            assert training_items == FOLD.training
            found.append(statistics(store, training_items))
            assert not np.array_equal(found[-1][1], statistics(store, ("a", "b", "d"))[1])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


# augmentation

EACH: dict[str, dict[str, object]] = {
    "masks": {
        "augment_time_masks": 1,
        "augment_time_mask_frames": 3,
        "augment_frequency_masks": 1,
        "augment_frequency_mask_bins": 2,
    },
    "shifts": {"augment_time_shift_s": 0.02, "augment_frequency_shift_bins": 1},
    "noise": {"augment_noise": 0.5},
    "gain": {"augment_gain_db": 6.0},
    "mixup": {"augment_mixup": 0.4},
    "speakers": {"augment_mixstyle": 0.5, "augment_mixstyle_alpha": 0.2, "augment_vocal_tract": 0.2, "augment_speed": 0.2},
    "recorders": {"augment_response_db": 6.0, "augment_noise_floor_db": -20.0},
}
ALL = {key: value for some in EACH.values() for key, value in some.items()}


def test_every_augmentation_setting_is_tried_here() -> None:
    assert ALL.keys() == AUGMENTATION
    assert not ALL.keys() & FeatureSettings.model_fields.keys()  # stores, and what is cut from them, do not depend on them


@pytest.fixture(scope="module", params=["logmel", "waveform"])
def frozen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[FeatureStore, FeatureSettings]:
    is_waveform = request.param == "waveform"
    values = {item: random_values(number) for number, item in enumerate("abcd")}
    store = write_values(tmp_path_factory.mktemp("frozen") / "store", values, is_waveform=is_waveform)
    chosen = features_with() if is_waveform else features_with(features="logmel", frontend="none")
    if is_waveform:
        make_moments(store, chosen)
    return store, chosen


def predictions(model: keras.Model, data: FoldData) -> dict[str, np.ndarray]:
    return {side: predict(model, data.sides[side], 4) for side in ("validation", "test")}


def assert_equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for side, values in one.items():
        np.testing.assert_array_equal(values, other[side], err_msg=side)


@pytest.mark.parametrize("changes", [*EACH.values(), ALL], ids=[*EACH, "all"])
def test_augmentation_does_not_change_predictions_of_a_frozen_model(
    frozen: tuple[FeatureStore, FeatureSettings], changes: dict[str, object]
) -> None:
    store, chosen = frozen
    data = load_fold(store, FOLD, chosen, in_memory=True)
    model = build(store, resolve_one(chosen))
    model.compile(jit_compile=False)
    plain = predictions(model, data)

    fitted = augmented(model, resolve_one(chosen, **changes).settings, seed=1)
    fitted.compile(jit_compile=False)

    assert (fitted is model) == (changes is EACH["mixup"])
    assert_equal(plain, predictions(fitted, data))
    assert_equal(plain, predictions(model, data))


def test_training_with_augmentation_but_no_step_changes_no_prediction(frozen: tuple[FeatureStore, FeatureSettings]) -> None:
    store, chosen = frozen
    found, losses = [], []
    for changes in ({}, ALL):
        data = load_fold(store, FOLD, chosen, in_memory=True)
        instance = resolve_one(chosen, **changes)
        model, chosen_settings = build(store, instance), instance.settings
        before = model.get_weights()
        history = train_model(
            compile_model(model, chosen_settings, seed=1),
            data,
            chosen_settings,
            seed=1,
        )
        assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))
        evaluation = evaluate_model(model, data, chosen_settings)
        found.append(evaluation.predictions)
        losses.append((history.epochs[0]["loss"], history.epochs[0]["val_loss"]))
    pd.testing.assert_frame_equal(*found, check_exact=True)
    assert losses[0][0] != losses[1][0]  # it was on
    assert losses[0][1] == losses[1][1]


def test_random_crops_change_nothing_about_tested_windows(tmp_path: Path) -> None:
    values = {item: random_values(number) for number, item in enumerate("abcd")}
    store = write_values(tmp_path / "store", values, is_waveform=True)
    found, tested = [], []
    for changes in ({}, {"crop_s": 0.05}, {"crop_s": 0.09}):
        chosen = features_with(example_length_s=0.1, **changes)
        make_moments(store, chosen)
        data = load_fold(store, FOLD, chosen, in_memory=True)
        model = build(store, resolve_one(chosen, architecture="rnn_small"))
        model.compile(jit_compile=False)
        data.training.begin_epoch(np.random.default_rng())
        found.append(predictions(model, data))
        tested.append({side: data.sides[side].predictors(np.arange(len(data.sides[side]))) for side in ("validation", "test")})

    for others in (found, tested):
        assert_equal(others[0], others[1])
        assert_equal(others[0], others[2])
