import json
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

from preprocessing import store
from preprocessing.features.extract import extract
from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import SettingsError
from xval.models.build import build_model
from xval.models.frontend import build_frontend
from xval.training.augmentation import RandomGain, TrainingAugmentation, WaveformAugmentation, augmented
from xval.training.recorder_layer import RecorderAugmentation
from xval.training.speaker_layers import SpeakerAugmentation, warped_bins

N_EXAMPLES = 4000
PROJECT_ROOT = Path(__file__).parents[3]
BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"))
    for name in ("tensorflow", "torch", "jax")
]


def feature_settings(**changes):
    return FeatureSettings(**changes)


def change(layer, examples, *, training=True):
    return keras.ops.convert_to_numpy(layer(np.asarray(examples, np.float32), training=training))


def ones(*shape):
    return np.ones((N_EXAMPLES, *shape), np.float32)


def shares_of(values, n_values):
    """Return how often each of the whole numbers from 0 occurs."""
    return np.bincount(np.asarray(values, int), minlength=n_values) / len(values)


# masks


@pytest.mark.parametrize(("axis", "options"), [(1, ("time", "frames")), (2, ("frequency", "bins"))])
def test_a_mask_has_every_width_and_start_alike(axis, options):
    layer = TrainingAugmentation(**{f"n_{options[0]}_masks": 1, f"{options[0]}_mask_{options[1]}": 9}, seed=1)

    masked = change(layer, ones(20, 20)) == 0

    along = masked.any(axis=3 - axis)
    assert np.array_equal(masked, np.broadcast_to(np.expand_dims(along, 3 - axis), masked.shape))
    widths = along.sum(axis=1)
    assert shares_of(widths, 10) == pytest.approx(0.1, abs=0.03)
    assert len(shares_of(widths, 10)) == 10
    starts, ends = along.argmax(axis=1), 20 - along[:, ::-1].argmax(axis=1)
    assert np.array_equal((ends - starts)[widths > 0], widths[widths > 0])  # in one piece
    assert shares_of(starts[widths == 9], 12) == pytest.approx(1 / 12, abs=0.06)
    assert ends.max() == 20


def test_masks_are_drawn_one_by_one():
    layer = TrainingAugmentation(n_time_masks=2, time_mask_frames=5, seed=1)

    masked = (change(layer, ones(40, 2)) == 0)[:, :, 0]

    pieces = np.diff(masked, axis=1, prepend=False).astype(int).sum(axis=1) + masked[:, -1]
    assert set(pieces // 2) == {0, 1, 2}
    assert 4 < masked.sum(axis=1).mean() < 5  # two masks of 2.5 frames in the mean, now and then on top of each other


@pytest.mark.parametrize("n_frames", [2, 5, 6])
def test_masks_never_cover_everything_however_short_the_example(n_frames):
    layer = TrainingAugmentation(n_time_masks=2, time_mask_frames=9, n_frequency_masks=1, frequency_mask_bins=9, seed=1)

    assert (change(layer, ones(n_frames, 3)).max(axis=(1, 2)) == 1).all()


# shifts


@pytest.mark.parametrize(("axis", "option"), [(1, "time_shift_frames"), (2, "frequency_shift_bins")])
def test_a_shift_moves_by_every_amount_alike_and_fills_with_zeros(axis, option):
    examples = np.random.default_rng(1).normal(size=(N_EXAMPLES, 9, 9)).astype(np.float32)

    shifted = change(TrainingAugmentation(**{option: 4}, seed=1), examples)

    found = np.full(N_EXAMPLES, 99)
    for shift in range(-4, 5):
        moved = np.roll(examples, shift, axis=axis)
        came_in = slice(0, shift) if shift >= 0 else slice(shift, None)
        moved[(slice(None),) * axis + (came_in,)] = 0
        found[(moved == shifted).all(axis=(1, 2))] = shift
    assert shares_of(found + 4, 9) == pytest.approx(1 / 9, abs=0.03)


def test_waveforms_are_shifted_in_samples():
    pulse = np.zeros((N_EXAMPLES, 301), np.float32)
    pulse[:, 150] = 1

    shifted = change(WaveformAugmentation(time_shift_samples=100, seed=1), pulse)

    shifts = shifted.argmax(axis=1) - 150
    assert (shifted.sum(axis=1) == 1).all()
    assert (shifts.min(), shifts.max()) == (-100, 100)
    assert shifts.mean() == pytest.approx(0, abs=4)
    assert shifts.std() == pytest.approx(58, abs=2)


# noise


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(TrainingAugmentation(noise_share=0.5, seed=1), (20, 16)), (WaveformAugmentation(noise_share=0.5, seed=1), (320,))],
    ids=["features", "waveform"],
)
def test_noise_is_gaussian_with_a_level_of_its_own_for_each_example(layer, shape):
    rng = np.random.default_rng(1)
    scale = rng.uniform(0.1, 10, (N_EXAMPLES, *(1 for _ in shape)))
    examples = (scale * rng.normal(size=(N_EXAMPLES, *shape))).astype(np.float32)

    noise = (change(layer, examples) - examples).reshape(N_EXAMPLES, -1)

    shares = noise.std(axis=1) / examples.reshape(N_EXAMPLES, -1).std(axis=1)
    assert np.histogram(shares, bins=5, range=(0, 0.5))[0] / N_EXAMPLES == pytest.approx(0.2, abs=0.03)
    assert shares.max() < 0.6
    standard = noise / noise.std(axis=1, keepdims=True)
    assert np.quantile(standard, [0.023, 0.5, 0.977]) == pytest.approx([-2, 0, 2], abs=0.03)
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.05


def test_silence_stays_silent():
    assert not change(WaveformAugmentation(noise_share=0.5, seed=1), np.zeros((3, 50))).any()
    assert not change(TrainingAugmentation(noise_share=0.5, seed=1), np.zeros((3, 5, 5))).any()


# gain


def gains_of(waveforms, louder):
    return 20 * np.log10(louder[:, 7] / waveforms[:, 7])


def test_gain_is_uniform_in_db():
    waveforms = np.random.default_rng(1).normal(size=(N_EXAMPLES, 30)).astype(np.float32)

    louder = change(RandomGain(gain_db=6, mode="waveform", seed=1), waveforms)

    gains = gains_of(waveforms, louder)
    assert np.histogram(gains, bins=6, range=(-6, 6))[0] / N_EXAMPLES == pytest.approx(1 / 6, abs=0.03)
    assert np.abs(gains).max() <= 6 + 1e-4
    assert louder == pytest.approx(waveforms * 10 ** (gains[:, None] / 20), rel=1e-4)


@pytest.mark.parametrize(
    ("mode", "changes"),
    [
        ("db", {"features": "logmel"}),
        ("db", {"features": "stft", "power": "1.0"}),
        ("mfcc", {"features": "mfcc"}),
        ("linear", {"features": "logmel", "scale": "linear"}),
        ("linear", {"features": "stft", "scale": "linear", "power": "1.5"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value.values()),
)
def test_gain_of_features_is_that_of_features_of_louder_audio(mode, changes):
    settings = feature_settings(**changes)
    waveforms = np.random.default_rng(1).normal(0, 0.1, size=(4, 4000)).astype(np.float32)
    options = {"gain_db": 10, "seed": 1}

    louder = change(RandomGain(mode="waveform", **options), waveforms)  # one draw per example: the same gains in every mode
    changed = change(
        RandomGain(mode=mode, n_mels=settings.n_mels, power=settings.power, **options),
        [extract(samples, settings) for samples in waveforms],
    )

    assert np.abs(gains_of(waveforms, louder)).min() > 0.01
    wanted = np.stack([extract(samples, settings) for samples in louder])
    np.testing.assert_allclose(changed, wanted, rtol=1e-3, atol=2e-3 if mode != "linear" else 0)


# all layers

EVERY_LAYER = {
    "features": lambda seed: (
        TrainingAugmentation(
            n_time_masks=2, time_mask_frames=3, n_frequency_masks=1, frequency_mask_bins=3, time_shift_frames=4,
            frequency_shift_bins=2, noise_share=0.2, seed=seed,
        ),
        (12, 8),
    ),
    "gain": lambda seed: (RandomGain(gain_db=6, mode="db", seed=seed), (12, 8)),
    "speakers": lambda seed: (
        SpeakerAugmentation(
            mixstyle=1.0, bins=warped_bins(feature_settings(), 8, np.linspace(0.8, 1.2, 9)), speed=0.2, seed=seed
        ),
        (12, 8),
    ),
    "recorders": lambda seed: (RecorderAugmentation(response_db=6, noise_floor_db=-20, top_db=80, seed=seed), (12, 8)),
    "waveform": lambda seed: (WaveformAugmentation(time_shift_samples=5, noise_share=0.2, seed=seed), (96,)),
}  # fmt: skip


@pytest.mark.parametrize("make", EVERY_LAYER.values(), ids=EVERY_LAYER)
def test_a_layer_changes_nothing_but_training(make):
    layer, shape = make(1)
    examples = keras.ops.convert_to_tensor(np.random.default_rng(1).normal(size=(6, *shape)).astype(np.float32))

    assert layer(examples, training=False) is examples
    assert layer(examples) is examples
    assert not np.array_equal(change(layer, examples), examples)
    assert change(layer, examples).dtype == np.float32


@pytest.mark.parametrize("make", EVERY_LAYER.values(), ids=EVERY_LAYER)
def test_the_same_seed_gives_the_same_changes_which_differ_between_examples_and_steps(make):
    (layer, shape), (again, _), (other, _) = make(1), make(1), make(2)
    examples = np.broadcast_to(np.random.default_rng(1).normal(size=shape).astype(np.float32), (6, *shape))

    first, second = change(layer, examples), change(layer, examples)

    np.testing.assert_array_equal(first, change(again, examples))
    np.testing.assert_array_equal(second, change(again, examples))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, change(other, examples))
    assert len(np.unique(first.reshape(6, -1), axis=0)) == 6


# the model to fit


@pytest.fixture
def small(tmp_path):
    rng = np.random.default_rng(3)
    predictors = {item: rng.normal(5, 2, size=(10, 12, 8)).astype(np.float32) for item in "ab"}
    return store.write("small", predictors, {item: ["x", "y"] * 5 for item in "ab"}, data_folder=tmp_path)


MLP = {"architecture": "mlp", "n_units": (4,), "n_mels": 8}


@pytest.fixture
def model(small, make_settings, make_options):
    return build_model(make_settings(**MLP), make_options(**MLP), small, "ab")


@pytest.fixture(scope="module")
def fit_model(make_settings):
    # Unchecked, so that the model itself has to refuse what does not fit.
    return lambda model, **changes: augmented(model, make_settings(**MLP).model_copy(update=changes), seed=1)


def names_of(model):
    return [layer.name for layer in model.layers]


def test_nothing_is_added_by_default(model, fit_model):
    assert fit_model(model) is model


def test_each_setting_adds_the_layer_that_does_it_where_it_belongs(model, fit_model):
    fitted = fit_model(
        model,
        augment_time_masks=2,
        augment_time_mask_frames=3,
        augment_frequency_masks=1,
        augment_frequency_mask_bins=4,
        augment_time_shift_s=0.031,
        augment_frequency_shift_bins=2,
        augment_noise=0.1,
        augment_gain_db=6.0,
    )

    assert names_of(fitted)[1:4] == ["random_gain", "normalization", "training_augmentation"]
    spoken = fit_model(model, augment_speed=0.1, augment_noise=0.1)
    assert names_of(spoken)[1:4] == ["normalization", "speaker_augmentation", "training_augmentation"]
    layer = fitted.get_layer("training_augmentation")
    assert layer.masks == {"frames": (2, 3), "bins": (1, 4)}
    assert (layer.shifts, layer.noise_share) == ({"frames": 3, "bins": 2}, 0.1)
    assert fitted.get_layer("random_gain").mode == "db"
    assert names_of(fit_model(model, augment_gain_db=6.0))[1:3] == ["random_gain", "normalization"]
    assert "random_gain" not in names_of(fit_model(model, augment_noise=0.1))


def test_the_gain_works_on_what_the_features_are(model, fit_model):
    def gain(**changes):
        return fit_model(model, augment_gain_db=6.0, **changes).get_layer("random_gain")

    assert gain(features="stft", scale="linear").mode == "linear"
    mfcc = gain(features="mfcc", n_mels=40)
    assert (mfcc.mode, mfcc.n_mels) == ("mfcc", 40)


def test_the_layers_draw_independently_of_each_other(model, fit_model):
    fitted = fit_model(model, augment_noise=1.0, augment_gain_db=6.0)
    examples = np.random.default_rng(1).normal(size=(500, 12, 8)).astype(np.float32)

    gains = (change(fitted.get_layer("random_gain"), examples) - examples).mean(axis=(1, 2))
    levels = (change(fitted.get_layer("training_augmentation"), examples) - examples).std(axis=(1, 2))

    assert abs(np.corrcoef(gains, levels)[0, 1]) < 0.2


@pytest.fixture
def model_of_samples():
    """Return a chain from samples over a front end to outputs."""
    inputs = keras.Input((1600,), name="samples")
    features = build_frontend(1600, feature_settings(features="waveform", frontend="logmel").spectral())(inputs)
    normalized = keras.layers.BatchNormalization(name="normalization", trainable=False)(features)
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(normalized))
    return keras.Model(inputs, outputs)


def test_waveforms_are_shifted_and_get_noise_before_the_front_end(model_of_samples, fit_model):
    settings = {"features": "waveform", "augment_time_shift_s": 0.01, "augment_noise": 0.1, "augment_gain_db": 3.0}

    fitted = fit_model(model_of_samples, **settings)
    masking = fit_model(model_of_samples, **settings, augment_time_masks=1, augment_time_mask_frames=5)

    assert names_of(fitted)[1:5] == ["random_gain", "waveform_augmentation", "frontend", "normalization"]
    assert fitted.get_layer("waveform_augmentation").time_shift_samples == 160
    assert fitted.get_layer("random_gain").mode == "waveform"
    assert "training_augmentation" not in names_of(fitted)
    assert masking.get_layer("training_augmentation").shifts == {"frames": 0, "bins": 0}
    waveforms = np.random.default_rng(1).normal(size=(6, 1600)).astype(np.float32)
    masking.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    assert np.isfinite(masking.train_on_batch(waveforms, np.arange(6) % 2))
    np.testing.assert_array_equal(masking(waveforms), model_of_samples(waveforms))


def test_a_shift_longer_than_the_waveform_is_refused(model_of_samples, fit_model):
    with pytest.raises(SettingsError, match="augment_time_shift_s moves examples by up to 1600 samples, but they have 1600"):
        fit_model(model_of_samples, features="waveform", augment_time_shift_s=0.1)


def test_fitting_trains_the_whole_model_which_is_saved_without_augmentation(model, small, tmp_path, fit_model):
    fitted = fit_model(model, augment_noise=0.5, augment_gain_db=6.0)
    inputs, before = np.array(small.predictors("a")), model.get_weights()
    fitted.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)

    fitted.train_on_batch(inputs, np.array(small.targets("a")))
    keras.Model(model.input, model.output).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")

    assert any(not np.array_equal(one, other) for one, other in zip(model.get_weights(), before, strict=True))
    assert names_of(loaded) == names_of(model)
    assert "xval" not in loaded.to_json()
    assert loaded.count_params() == model.count_params()
    np.testing.assert_array_equal(fitted.predict_on_batch(inputs), loaded.predict_on_batch(inputs))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"augment_time_masks": 2, "augment_time_mask_frames": 6},
            "augment_time_masks=2 times augment_time_mask_frames=6 can hide all 12 frames",
        ),
        (
            {"augment_frequency_masks": 1, "augment_frequency_mask_bins": 8},
            "augment_frequency_masks=1 times augment_frequency_mask_bins=8 can hide all 8 bins",
        ),
        ({"augment_time_shift_s": 0.12}, "augment_time_shift_s moves examples by up to 12 frames, but they have 12. Lower"),
        (
            {"augment_frequency_shift_bins": 8},
            "augment_frequency_shift_bins moves examples by up to 8 bins, but they have 8. Lower",
        ),
    ],
)
def test_masks_and_shifts_that_could_leave_nothing_are_refused(model, changes, message, fit_model):
    with pytest.raises(SettingsError, match=message):
        fit_model(model, **changes)


def test_examples_of_other_axes_are_refused(tmp_path, make_settings, make_options, fit_model):
    flat = {item: np.random.default_rng(3).normal(size=(4, 9)).astype(np.float32) for item in "ab"}
    examples = store.write("flat", flat, {item: ["x", "y"] * 2 for item in "ab"}, data_folder=tmp_path)
    model = build_model(make_settings(**MLP, reshaping_type="none"), make_options(**MLP), examples, "ab")

    with pytest.raises(
        SettingsError, match=r"axes \(9,\), but only \(frames, bins\) can be augmented. Set to 0: augment_time_masks"
    ):
        fit_model(model, augment_noise=0.1)
    with pytest.raises(SettingsError, match=r"axes \(9,\), but only .* augment_speed"):
        fit_model(model, augment_speed=0.1)


@pytest.mark.parametrize("backend", [*BACKENDS[:2], pytest.param("jax", marks=[*BACKENDS[2].marks, pytest.mark.slow])])
def test_it_trains_on_every_backend_and_never_changes_a_prediction(backend, tmp_path, run_on):
    probe = Path(__file__).with_name("augmentation_probe.py")

    found = json.loads(run_on(backend, probe, tmp_path, path=[PROJECT_ROOT]))

    assert found["backend"] == backend
    assert set(found["frozen"].values()) == {0.0}
    for name, values in found["layers"].items():
        assert values["kept"] == 0, name
        assert values["changed"] > 0.1, name
        assert np.isfinite(values["loss"]), name
    trained = found["trained"]
    assert trained["repeated"] == 0
    assert np.isfinite([trained["loss"], trained["loss in mixed precision"]]).all()
