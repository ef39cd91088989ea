import keras
import numpy as np
import pytest

from preprocessing import store
from xval.base.errors import SettingsError
from xval.models.build import build_model
from xval.models.saved.load import read_keras_model

RNG = np.random.default_rng(3)


@pytest.fixture
def small(tmp_path):
    predictors = {item: RNG.normal(5.0, [1, 10], size=(20, 3, 2)).astype(np.float32) for item in "abc"}
    return store.write("small", predictors, {item: ["x", "y"] * 10 for item in "abc"}, data_folder=tmp_path)


@pytest.fixture
def build(small, make_settings, make_options):
    def build(items=("a", "b"), **changes):
        mlp = {"n_units": (4,)} if changes.get("architecture", "mlp") == "mlp" else {}
        chosen = {"architecture": "mlp", "regularization_lambda": 0} | mlp | changes
        return build_model(make_settings(**chosen), make_options(**chosen), small, items)

    return build


def normalized(model, values):
    return keras.ops.convert_to_numpy(keras.Model(model.input, model.get_layer("normalization").output)(values))


def test_per_bin_scales_each_bin_by_the_training_items_alone(small, build):
    model = build()

    scaled = normalized(model, np.concatenate([small.predictors(item) for item in "ab"]))

    assert scaled.mean(axis=(0, 1)) == pytest.approx([0, 0], abs=1e-4)
    assert scaled.std(axis=(0, 1)) == pytest.approx([1, 1], abs=1e-4)


def test_global_scales_all_bins_alike(small, build):
    model = build(normalization="global")

    scaled = normalized(model, np.concatenate([small.predictors(item) for item in "ab"]))

    assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-4)
    assert scaled[..., 1].std() > 2 * scaled[..., 0].std()


def test_per_clip_scales_each_example_by_itself(small, build):
    scaled = normalized(build(normalization="per_clip"), np.array(small.predictors("a")))

    assert scaled.mean(axis=(1, 2)) == pytest.approx(np.zeros(20), abs=1e-4)
    assert scaled.std(axis=(1, 2)) == pytest.approx(np.ones(20), abs=1e-3)


def test_per_clip_does_not_hear_what_is_masked_behind_a_clip(small, build, tmp_path):
    model = build(normalization="per_clip", architecture="lstm_attention", padding="masked")
    clips = np.array(small.predictors("a"))
    clips[:, 2:] = np.nan
    alone = (clips[:, :2] - clips[:, :2].mean(axis=(1, 2), keepdims=True)) / clips[:, :2].std(axis=(1, 2), keepdims=True)
    scaled = keras.ops.convert_to_numpy(model.get_layer("normalization")(clips))
    assert scaled[:, :2] == pytest.approx(alone, abs=1e-3)
    assert np.isnan(scaled[:, 2:]).all()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    model.fit(clips, np.array(small.targets("a")), verbose=0)
    model.save(tmp_path / "model.keras")
    answers = read_keras_model(tmp_path / "model.keras").predict(clips, verbose=0)
    assert np.isfinite(answers).all()
    np.testing.assert_array_equal(answers, model.predict(clips, verbose=0))


def test_training_leaves_the_statistics_alone(small, build):
    model = build()
    before = model.get_layer("normalization").get_weights()
    model.compile("sgd", "sparse_categorical_crossentropy")

    model.fit(np.array(small.predictors("a")) + 50, np.array(small.targets("a")), epochs=2, verbose=0)

    assert all(
        np.array_equal(one, other) for one, other in zip(before, model.get_layer("normalization").get_weights(), strict=True)
    )


def test_the_penalty_is_lambda_times_the_squares_of_the_kernels(small, build):
    model = build(regularization_lambda=0.1)

    kernels = [variable for variable in model.trainable_variables if variable.name == "kernel"]

    assert float(sum(model.losses)) == pytest.approx(0.1 * sum(float(keras.ops.sum(kernel**2)) for kernel in kernels), rel=1e-5)
    assert not build().losses


def test_classification_answers_with_probabilities(small, build):
    assert build().predict(np.array(small.predictors("c")), verbose=0).sum(axis=1) == pytest.approx(np.ones(20), abs=1e-5)


def test_regression_answers_in_the_scale_of_the_training_items_targets(small, make_settings, make_options, tmp_path):
    targets = {item: RNG.normal([40, 7], [12, 0], size=(20, 2)) for item in "abc"}
    numbers = store.write("numbers", {item: small.predictors(item) for item in "abc"}, targets, data_folder=tmp_path,
                          task_type="regression")  # fmt: skip
    training_scores = np.concatenate([targets["a"], targets["b"]])
    answers = {}
    for scaling in ("none", "standard"):
        keras.utils.set_random_seed(1)
        given = {"task_type": "regression", "architecture": "mlp", "n_units": (4,), "target_scaling": scaling}
        model = build_model(make_settings(**given), make_options(**given), numbers, ["a", "b"])
        answers[scaling] = model.predict(np.array(small.predictors("c")), verbose=0)
        assert not [variable for variable in model.trainable_variables if "target_scaling" in variable.path]

    # The second target does not vary; its deviation is 1.
    wanted = training_scores.mean(axis=0) + answers["none"] * [training_scores[:, 0].std(), 1]
    assert answers["standard"] == pytest.approx(wanted, rel=1e-5)


def test_a_network_that_answers_in_another_shape_is_refused(build, own_package):
    flatten = "layers.Flatten()(inputs)"
    network = (own_package / "network.py").read_text()
    (own_package / "network.py").write_text(network.replace(flatten, "inputs"))
    with pytest.raises(SettingsError, match=r"outputs the shape \(3, 2\) for an example; expected output_shape \(2,\)"):
        build(architecture="own_package.network")


@pytest.mark.parametrize(
    ("layer", "reshaping_type", "wanted"),
    [
        (
            "Conv2D(2, 1)",
            "auto",
            r'first.py, line \d+: build\(\) received input_shape=\(3, 2\)\. Write reshaping_type = "conv" at the',
        ),
        (
            "LSTM(2)",
            "conv",
            r'received input_shape=\(3, 2, 1\)\. Write reshaping_type = "rnn" at the top level of own_package.first',
        ),
        ("Dense(2, activation=3)", "auto", "Could not interpret activation"),
    ],
)
def test_a_first_layer_that_wants_another_form_is_answered_with_the_line_to_write(
    build, own_package, layer, reshaping_type, wanted
):
    (own_package / "first.py").write_text(
        f"import keras\n\n\ndef build(input_shape, output_shape):\n    inputs = keras.Input(input_shape)\n"
        f"    hidden = keras.layers.{layer}(inputs)\n"
        f"    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(hidden)))\n"
    )
    with pytest.raises((SettingsError, ValueError), match=wanted):
        build(architecture="own_package.first", reshaping_type=reshaping_type)


def test_an_option_out_of_range_is_named(small, build):
    with pytest.raises(SettingsError, match="dropout"):
        build(dropout=1.5)
