"""What would fail after an hour of training is said in one line before the first epoch; what is no fault is not refused."""

import json

import numpy as np
import pytest
import soundfile

NETS = """
import keras
import numpy as np
from keras import layers, ops

register = keras.saving.register_keras_serializable("nets")


def flat(input_shape, output_shape, *between, **options):
    inputs = keras.Input(input_shape, **options)
    hidden = inputs
    for layer in between:
        hidden = layer(hidden)
    return keras.Model(inputs, layers.Dense(output_shape[-1])(layers.Flatten()(hidden)))


def plain(input_shape, output_shape):
    return flat(input_shape, output_shape)


def a_lambda(input_shape, output_shape):
    return flat(input_shape, output_shape, layers.Lambda(lambda x: x * 2, name="doubled"))


class Twice(layers.Layer):
    def call(self, x):
        return x * 2


def unregistered(input_shape, output_shape):
    return flat(input_shape, output_shape, Twice())


def an_activation(input_shape, output_shape):
    return flat(input_shape, output_shape, layers.Dense(4, activation=lambda x: x * x))


@register
class Scale(layers.Layer):
    def __init__(self, scale=1.0, **options):
        super().__init__(**options)
        self.scale = scale

    def call(self, x):
        return x * self.scale

    def get_config(self):
        return super().get_config()


def forgets(input_shape, output_shape):
    return flat(input_shape, output_shape, Scale(-3.0))


@register
class Drawn(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.mask = np.random.default_rng().normal(size=8).astype("float32")

    def call(self, x):
        return x * self.mask


def draws(input_shape, output_shape):
    return flat(input_shape, output_shape, Drawn())


class Unwritable:
    pass  # no configuration holds it


@register
class NoConfig(layers.Layer):
    def __init__(self, what, **options):
        super().__init__(**options)
        self.what = what

    def call(self, x):
        return x


def no_config(input_shape, output_shape):
    return flat(input_shape, output_shape, NoConfig(Unwritable()))


def fixed_batch(input_shape, output_shape):
    return flat(input_shape, output_shape, batch_size=16)


def stateful(input_shape, output_shape):
    return flat(input_shape, output_shape, layers.LSTM(4, stateful=True))


def two_outputs(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    hidden = layers.Flatten()(inputs)
    return keras.Model(inputs, [layers.Dense(output_shape[-1])(hidden), layers.Dense(2)(hidden)])


def dict_outputs(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, {"emotion": layers.Dense(output_shape[-1])(layers.Flatten()(inputs))})


def two_inputs(input_shape, output_shape):
    first, second = keras.Input(input_shape), keras.Input((4,))
    return keras.Model([first, second], layers.Dense(output_shape[-1])(layers.Concatenate()([layers.Flatten()(first), second])))


@register
class Two(keras.Model):
    def __init__(self, n, **options):
        super().__init__(**options)
        self.a, self.b = layers.Dense(n), layers.Dense(n)

    def call(self, x):
        x = ops.mean(x, axis=1)
        return {"a": self.a(x), "b": self.b(x)}


def own_dict(input_shape, output_shape):
    return Two(output_shape[-1])


@register
class OwnStep(keras.Model):
    def train_step(self, *arguments):
        return super().train_step(*arguments)


def own_step(input_shape, output_shape):
    network = plain(input_shape, output_shape)
    return OwnStep(network.inputs, network.outputs)


@register
class OwnLoss(keras.Sequential):
    def compute_loss(self, *arguments, **options):
        return super().compute_loss(*arguments, **options)


def own_loss(input_shape, output_shape):
    return OwnLoss([layers.Flatten(), layers.Dense(output_shape[-1])])


@register
class InTraining(layers.Layer):
    def call(self, x, training=None):
        if training:
            raise ValueError("this layer cannot train")
        return x


def in_training(input_shape, output_shape):
    return flat(input_shape, output_shape, InTraining())


@register
class Pairs(layers.Layer):
    def call(self, x):
        return ops.reshape(ops.reshape(x, (-1, 2, *x.shape[1:])), (-1, *x.shape[1:]))


def pairs(input_shape, output_shape):
    return flat(input_shape, output_shape, Pairs())


def seeded(input_shape, output_shape):
    keras.utils.set_random_seed(1)
    return plain(input_shape, output_shape)


def compiled(input_shape, output_shape):
    network = plain(input_shape, output_shape)
    network.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    return network


def stock(input_shape, output_shape):
    image = layers.Reshape((*input_shape, 1))
    changed = layers.RandomRotation(0.1), layers.RandomContrast(0.1), layers.RandomBrightness(0.1), layers.RandomGaussianBlur()
    return flat(input_shape, output_shape, image, *changed, layers.Discretization([0.0, 1.0]), layers.Rescaling(1.0))


def epsilon(input_shape, output_shape):
    keras.config.set_epsilon(0.3)
    keras.config.set_dtype_policy("mixed_bfloat16")
    return plain(input_shape, output_shape)


def half(input_shape, output_shape):
    keras.config.set_floatx("float16")
    return plain(input_shape, output_shape)
"""
REFUSED = {
    "a_lambda": "'doubled' is a keras.layers.Lambda",
    "unregistered": "nets.Twice, which is not registered",
    "an_activation": "saved model",
    "forgets": "(Scale) has a get_config() that lacks an argument",
    "draws": "(Drawn)",
    "no_config": "Give it a get_config()",
    "fixed_batch": "exactly 16 examples",
    "stateful": "stateful=True",
    "two_outputs": "2 outputs",
    "dict_outputs": "dict of 1 (emotion); expected one tensor",
    "two_inputs": "2 inputs",
    "own_dict": "dict of 2 (a, b); expected one tensor",
    "own_step": "OwnStep with its own train_step()",
    "own_loss": "OwnLoss with its own compute_loss()",
    "in_training": "nets.py, line ",
    "pairs": "192|Pairs.call()",  # TensorFlow and the others
}


@pytest.mark.long
@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_each_network_that_could_not_be_used_is_one_line_before_the_first_epoch(study, backend):
    study.backend = backend
    study.file("nets.py", NETS)
    study.script(*({"architecture": f"nets.{name}"} for name in REFUSED))

    ended = study.run()

    assert ended.returncode == 2, ended.stdout + ended.stderr
    said = {
        int(line.split(":")[1].split()[1]): line for line in ended.stderr.splitlines() if line.startswith("error: instance")
    }
    for number, (name, words) in enumerate(REFUSED.items(), start=1):
        assert any(word in said.get(number, "") for word in words.split("|")), (name, ended.stderr)
    assert "Traceback" not in ended.stderr
    assert not study.trained()


PARTS = """
import keras


def optimizer(learning_rate):
    return keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(learning_rate, 100, 0.5))


def logits(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


def wrong_sign(y_true, y_pred):
    return -keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


def smooth(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, 0.9 * y_pred + 0.1 / y_pred.shape[-1])


def margin(y_true, y_pred):
    right = keras.ops.sum(y_pred * keras.ops.one_hot(keras.ops.cast(y_true, "int32"), 3), axis=-1)
    return keras.ops.maximum(0.0, 1.0 + keras.ops.max(y_pred, axis=-1) - 2 * right)


class Fails(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise RuntimeError("my callback fails")


class Watches(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(f"epoch {epoch} seen")
"""


@pytest.mark.long
@pytest.mark.parametrize("backend", ["tensorflow", "torch", pytest.param("jax", marks=pytest.mark.slow)])
def test_parts_that_would_fail_or_train_the_wrong_thing_are_refused_and_others_are_not(study, backend):
    study.backend = backend
    study.file("parts.py", PARTS)
    study.script(
        {"architecture": "mlp", "optimizer": "parts.optimizer", "schedule": "plateau"},
        {"architecture": "mlp", "optimizer": "parts.optimizer", "schedule": "cosine"},
        {"architecture": "mlp", "loss": "parts.logits"},
        {"architecture": "mlp", "loss": "parts.wrong_sign"},
        {"architecture": "mlp", "callbacks": "parts.Fails"},
    )
    ended = study.run()
    assert ended.returncode == 2, ended.stdout + ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.startswith("error: instance")]
    assert len(lines) == 5, ended.stderr
    for line, words in zip(lines, ["schedule", "schedule", "from_logits", "Change its sign", "my callback fails"], strict=True):
        assert words in line

    study.train(
        {"architecture": "mlp", "loss": "parts.smooth"},
        {"architecture": "mlp", "loss": "parts.margin"},
        {"architecture": "mlp", "callbacks": "parts.Watches", "optimizer": "parts.optimizer"},
    )
    assert len(study.trained()) == 6


def test_the_loss_of_several_labels_from_logits_is_refused(study):
    study.corpus("multilabel_classification")
    study.file(
        "parts.py",
        "import keras\n"
        "def logits(y_true, y_pred):\n    return keras.losses.binary_crossentropy(y_true, y_pred, from_logits=True)\n"
        "def smooth(y_true, y_pred):\n    return keras.losses.binary_crossentropy(y_true, y_pred, label_smoothing=0.1)\n",
    )
    study.script(
        {"architecture": "mlp", "loss": "parts.logits"}, {"architecture": "mlp", "loss": "parts.smooth"},
        task_type="multilabel_classification",
    )  # fmt: skip

    ended = study.run()

    assert ended.returncode == 2
    assert "from_logits" in ended.stderr
    assert "instance 2" not in ended.stderr


@pytest.mark.long
def test_a_callback_of_the_trial_prints_nothing_and_the_numbers_are_those_of_the_job_alone(study):
    study.file("parts.py", PARTS)
    ended = study.train({"architecture": "mlp", "callbacks": "parts.Watches"})

    assert ended.stdout.count("epoch 0 seen") == 2  # once for each fold
    assert study.history()["epoch"].tolist() == [1, 2]


@pytest.mark.long
def test_an_instance_that_sets_what_keras_holds_for_the_process_changes_no_other(study):
    study.file("nets.py", NETS)
    study.train({"architecture": "nets.plain"})
    study.script(*({"architecture": f"nets.{name}"} for name in ("epsilon", "half", "plain")), num_experiment=2)

    ended = study.run("--verbose")

    assert ended.returncode == 0, ended.stderr
    others = study.results.parent / "experiment_2"
    beside = (others / "instance_3" / "fold_1" / "history.csv").read_text()
    assert beside == (study.fold() / "history.csv").read_text()
    record = json.loads((others / "instance_1" / "fold_1" / "record.json").read_text())
    assert record["keras_config"] == {"keras.config.epsilon": 0.3, "keras.config.dtype_policy": "mixed_bfloat16"}
    assert "keras.config.epsilon = 0.3" in ended.stdout


def test_what_keras_holds_for_the_process_is_refused_when_it_is_set_by_an_import(study):
    study.file("nets.py", "import keras\nkeras.config.set_epsilon(0.3)\n" + NETS)
    study.script({"architecture": "nets.plain"})

    ended = study.run()

    assert ended.returncode == 2
    assert "set_epsilon(0.3)" in ended.stderr
    assert "Move it into build()" in ended.stderr


@pytest.mark.long
def test_a_seed_of_build_is_no_pretrained_part_and_compile_in_build_is_named(study):
    study.file("nets.py", NETS)
    study.script({"architecture": "nets.seeded"}, {"architecture": "nets.compiled"})

    ended = study.run("--details", "--verbose")

    assert ended.returncode == 0, ended.stderr
    assert "unknown origin" not in ended.stdout
    assert "start with the same weights" in ended.stdout
    assert study.record(1)["outside_weights"] == []
    assert study.record(1)["seed_of_build"] is True
    assert "compile() in its build() is not used (SGD, learning rate 0.5)" in ended.stdout


@pytest.mark.long
def test_layers_of_keras_that_load_no_code_are_read_back(study):
    study.file("nets.py", NETS)
    study.train({"architecture": "nets.stock"})

    read = study.python("-c", f"import xval; print(xval.load_model({str(study.fold())!r}).class_names)")
    assert read.returncode == 0, read.stderr


@pytest.mark.long
def test_a_monitored_metric_that_is_undefined_for_the_few_clips_of_the_trial_is_no_fault(study):
    study.file(
        "parts.py",
        """
from xval import metric


@metric(higher_is_better=True)
def of_many(targets, predictions):
    if 6 < len(targets) < 20:
        return float("nan")
    return float((predictions.argmax(axis=1) == targets).mean())
""",
    )
    study.train(
        {"architecture": "mlp", "metrics": "parts.of_many", "monitor": "val_of_many"}, validation_fraction=0.6, num_folds=2
    )

    assert len(study.trained()) == 2


@pytest.mark.long
def test_a_large_network_behind_a_front_end_is_no_danger(empty):
    """Of clips of any length, the network within the model reads frames, of which there are far fewer than samples."""
    rng = np.random.default_rng(0)
    for speaker, take in np.ndindex(4, 4):
        path = empty.folder / "audio" / ("low", "high")[take % 2] / f"s{speaker}_{take}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.normal(size=6000), 4000)
    prepared = empty.prepare("folders", "audio", "--item-pattern", "(s[0-9])_", "--dataset", "small", features="waveform")
    assert prepared.returncode == 0, prepared.stderr

    empty.train(
        {"architecture": "vgg_pool", "n_filters": (8, 4096), "crop_s": 1.0, "features": "waveform", "frontend": "stft"},
        sample_rate_hz=4000,
        n_fft=128,
        win_length=128,
        hop_length=64,
        num_epochs=1,
    )

    assert empty.xval("predict", "results/small/experiment_1", "audio/low/s0_0.wav").returncode == 0
