"""Optimizers and schedules by name: Keras's own, and those of the user."""

import inspect

import keras
import numpy as np
import pytest

from xval.base import keras_names
from xval.base.errors import SettingsError
from xval.settings import part_arguments
from xval.settings.optimizers import optimizer_name, schedule_name
from xval.settings.parameters import that_change_results
from xval.settings.resolve import Declaration, resolve
from xval.training.optimizer import learning_rate, make_optimizer

UNNAMED = {"LossScaleOptimizer", "MultiOptimizer", "Optimizer", "OptimizerMap"}  # they wrap others


def resolve_one(**parameters):
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", {"architecture": "mlp"}, {1: parameters}))
    return instance


def settings(**parameters):
    return resolve_one(**parameters).settings


def test_every_optimizer_of_keras_has_its_name():
    classes = {name for name in dir(keras.optimizers) if isinstance(getattr(keras.optimizers, name), type)}

    assert set(keras_names.OPTIMIZERS.values()) == classes - UNNAMED
    assert [name.lower() for name in keras_names.OPTIMIZERS.values()] == list(keras_names.OPTIMIZERS)


@pytest.mark.parametrize("name", keras_names.OPTIMIZERS)
def test_every_optimizer_takes_the_options_that_are_named_for_it(name):
    momentum = 0.25 if name in keras_names.WITH_MOMENTUM else None

    optimizer = make_optimizer(
        settings(optimizer=name, learning_rate=0.5, clip_norm=2, weight_decay=0.125, momentum=momentum or "none")
    )

    assert (float(optimizer.learning_rate), optimizer.global_clipnorm, optimizer.weight_decay) == (0.5, 2, 0.125)
    assert getattr(optimizer, "momentum", None) == momentum


def test_what_is_not_set_is_left_to_keras():
    adamw, plain = make_optimizer(settings(optimizer="AdamW")), keras.optimizers.AdamW(0.001)

    assert adamw.get_config() | {"name": ""} == plain.get_config() | {"name": ""}


def test_momentum_and_weight_decay_move_the_weights_as_they_should():
    optimizer = make_optimizer(settings(optimizer="sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.01))
    weight = keras.Variable(np.float32([1.0]))

    for _ in range(2):
        optimizer.apply_gradients([(keras.ops.ones(1), weight)])

    first = 1 - 0.1 * 0.01 - 0.1
    assert weight.numpy()[0] == pytest.approx(first * (1 - 0.1 * 0.01) - 0.1 * (1 + 0.9), rel=1e-5)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"optimizer": "adan"}, r"unknown optimizer 'adan'\..*Did you mean 'adam'\?.*my_package.my_module.my_function"),
        ({"momentum": 0.9}, r"momentum=0.9: optimizer 'adam' has no momentum. These have it: muon, rmsprop, sgd"),
        ({"optimizer": "sgd", "momentum": 1}, r"momentum: received 1; .*less than 1"),
        ({"weight_decay": -1}, r"weight_decay: received -1"),
        ({"schedule": "logaritmic"}, r"unknown schedule 'logaritmic'\..*Did you mean 'logarithmic'\?"),
        ({"schedule": "linear"}, r"schedule='linear' needs final_learning_rate\. Set"),
        ({"final_learning_rate": 1e-8}, r"final_learning_rate=1e-08 has no effect with schedule='constant'"),
        ({"optimizer": "own_package.parts.three"}, r"received three\(a, b, c\).*expected optimizer\(learning_rate\)"),
        ({"optimizer": "own_package.parts.optimizer", "clip_norm": 1}, r"a function of only the learning rate, so clip_norm"),
        ({"schedule": "own_package.parts.optimizer"}, r"expected schedule\(epoch, learning_rate\)"),
    ],
)
def test_wrong_names_and_options_are_refused_before_keras_is_loaded(own_package, parameters, message):
    with pytest.raises(SettingsError, match=message):
        settings(**parameters)


def test_optimizers_of_ones_own(own_package):
    function = make_optimizer(settings(optimizer="own_package.parts.optimizer", learning_rate=0.5))
    slow = make_optimizer(settings(optimizer="own_package.parts.Slow", momentum=0.25, clip_norm=1))
    alias = make_optimizer(settings(optimizer="own_package.parts.ALIAS"))

    assert (float(function.learning_rate), function.momentum) == (0.5, 0.5)
    assert (type(slow).__name__, slow.momentum, slow.global_clipnorm) == ("Slow", 0.25, 1)
    assert isinstance(alias, keras.optimizers.Adam)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("own_package.parts.no_optimizer", {}, r"returned float; expected a keras\.optimizers\.Optimizer"),
        ("own_package.parts.ALIAS", {"momentum": 0.9}, r"'own_package.parts.ALIAS' with learning_rate, momentum: "),
    ],
)
def test_what_only_shows_when_an_optimizer_is_made(own_package, name, options, message):
    chosen = settings(optimizer=name, **options)

    with pytest.raises(SettingsError, match=message):
        make_optimizer(chosen)


def rates(n_epochs=5, **parameters):
    chosen = settings(num_epochs=n_epochs, learning_rate=0.01, **parameters)
    return [learning_rate(chosen, epoch) for epoch in range(n_epochs)]


def test_schedules_worked_out_by_hand(own_package):
    assert rates(schedule="constant") == [0.01] * 5
    assert rates(schedule="cosine", n_epochs=4) == pytest.approx([0.01, 0.0085355, 0.005, 0.0014645], rel=1e-4)
    assert rates(schedule="exponential", schedule_decay=0.1, n_epochs=3) == pytest.approx([1e-2, 1e-3, 1e-4])
    assert rates(schedule="inverse_time", schedule_decay=0.5, n_epochs=3) == pytest.approx([0.01, 0.01 / 1.5, 0.01 / 2])
    assert rates(schedule="linear", final_learning_rate=0.002) == pytest.approx([0.01, 0.008, 0.006, 0.004, 0.002])
    assert rates(schedule="logarithmic", final_learning_rate=1e-6) == pytest.approx([1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
    assert rates(schedule="logarithmic", final_learning_rate=1e-6, n_epochs=1) == [0.01]
    assert rates(schedule="own_package.parts.schedule", n_epochs=3) == [0.01, 0.005, 0.005]


@pytest.mark.parametrize(
    ("name", "options", "schedule"),
    [
        ("CosineDecay", {}, lambda made: made.CosineDecay(0.01, decay_steps=5)),
        ("ExponentialDecay", {}, lambda made: made.ExponentialDecay(0.01, decay_steps=1, decay_rate=0.5)),
        ("InverseTimeDecay", {}, lambda made: made.InverseTimeDecay(0.01, decay_steps=1, decay_rate=0.5)),
        ("PolynomialDecay", {"final_learning_rate": 1e-3}, lambda made: made.PolynomialDecay(0.01, 4, end_learning_rate=1e-3)),
    ],
)
def test_the_schedules_of_keras_agree(name, options, schedule):
    theirs = schedule(keras.optimizers.schedules)

    assert rates(schedule=name, **options) == pytest.approx([float(theirs(epoch)) for epoch in range(5)], rel=1e-5)


def test_a_schedule_of_ones_own_that_gives_no_rate_is_refused(own_package):
    with pytest.raises(
        SettingsError,
        match=r"'own_package\.parts\.falling' returned -1\.0 for epoch 0 \(counted from 0\); expected a number above 0",
    ):
        rates(schedule="own_package.parts.falling")


def test_names_are_taken_as_keras_writes_them():
    assert [optimizer_name(name) for name in ("SGD", "AdamW", "RMSprop", "sgd")] == ["sgd", "adamw", "rmsprop", "sgd"]
    assert schedule_name("ReduceLROnPlateau") == "plateau"


def test_every_argument_of_every_optimizer_is_known_from_its_source_as_keras_has_it():
    for name, class_name in keras_names.OPTIMIZERS.items():
        arguments = inspect.signature(getattr(keras.optimizers, class_name)).parameters.values()
        wanted = {each.name: each.default for each in arguments if each.kind is not each.VAR_KEYWORD and each.name != "name"}
        del wanted["learning_rate"]
        assert part_arguments._read_signature("optimizer", name) == (wanted, False)


def test_further_arguments_of_an_optimizer_are_settings_and_belong_to_the_hash():
    given = {"optimizer_beta_1": 0.75, "optimizer_amsgrad": "true", "optimizer_epsilon": "1e-4"}
    plain, one, other = (resolve_one(optimizer="adam", **each) for each in ({}, given, given | {"optimizer_beta_1": 0.5}))

    assert one.settings.optimizer_arguments == "amsgrad=True, beta_1=0.75, epsilon=0.0001"
    assert one.sources["optimizer_arguments"] == "instance"
    optimizer = make_optimizer(one.settings)
    assert (optimizer.beta_1, optimizer.amsgrad, optimizer.epsilon) == (0.75, True, 1e-4)
    assert len({plain.settings_hash, one.settings_hash, other.settings_hash}) == 3
    assert resolve_one(optimizer_arguments="epsilon=1e-4, amsgrad=True, beta_1=0.75").settings_hash == one.settings_hash
    assert "optimizer_arguments" not in that_change_results(plain.parameters)  # older results hold


def test_an_optimizer_of_ones_own_takes_the_arguments_that_it_names(own_package):
    (own_package / "made.py").write_text(
        "import keras\n\ndef make(learning_rate, *, beta=0.5):\n    return keras.optimizers.Adam(learning_rate, beta_1=beta)\n"
    )
    assert make_optimizer(settings(optimizer="own_package.made.make", optimizer_beta=0.25)).beta_1 == 0.25
    assert make_optimizer(settings(optimizer="own_package.parts.Slow", optimizer_nesterov=True)).nesterov
    with pytest.raises(
        SettingsError, match=r"optimizer_betta: optimizer 'own_package.made.make' has no argument .*'optimizer_beta'\?"
    ):
        settings(optimizer="own_package.made.make", optimizer_betta=0.25)


def test_a_warm_up_leads_to_the_learning_rate_in_equal_steps_and_the_schedule_begins_behind_it():
    cosine = settings(schedule="cosine", learning_rate=0.4, warmup_epochs=3, num_epochs=7)
    plain = settings(schedule="cosine", learning_rate=0.4, num_epochs=4)

    rates = [learning_rate(cosine, epoch) for epoch in range(7)]

    assert rates == pytest.approx([0.1, 0.2, 0.3, *(learning_rate(plain, epoch) for epoch in range(4))])
    steady = settings(learning_rate=0.4, warmup_epochs=1, num_epochs=3)
    assert [learning_rate(steady, epoch) for epoch in range(3)] == pytest.approx([0.2, 0.4, 0.4])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"optimizer_beta1": 0.9},
            r"optimizer_beta1: optimizer 'adam' has no argument 'beta1'\. .*Did you mean 'optimizer_beta_1'\?",
        ),
        ({"optimizer_beta_1": "high"}, r"optimizer_beta_1='high': optimizer 'adam' expects a number \(default: 0\.9\)"),
        ({"optimizer_amsgrad": 1}, r"optimizer_amsgrad=1: optimizer 'adam' expects true or false"),
        ({"optimizer_momentum": 0.9, "optimizer": "sgd"}, r"optimizer_momentum: this is the setting momentum"),
        ({"optimizer_arguments": "beta_1"}, r"optimizer_arguments='beta_1'; expected arguments with literal values"),
        ({"optimizer_arguments": "beta_1=open('x')"}, r"expected arguments with literal values"),
    ],
)
def test_wrong_arguments_of_optimizers_are_refused(parameters, message):
    with pytest.raises(SettingsError, match=message):
        settings(**parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"warmup_epochs": 5, "num_epochs": 5}, "warmup_epochs=5 leaves none of num_epochs=5"),
        ({"warmup_epochs": 1, "schedule": "plateau"}, "warmup_epochs=1 has no effect with schedule='plateau'"),
        ({"label_smoothing": 1.0}, "label_smoothing: received 1.0"),
        ({"augment_vocal_tract": 0.1, "features": "mfcc"}, "augment_vocal_tract needs bins of frequency"),
        ({"augment_response_db": 6, "features": "mfcc"}, "augment_response_db needs spectra in dB"),
        ({"augment_vocal_tract": 0.1, "feature_deltas": 1}, r"features='logmel' with feature_deltas\."),
        ({"augment_gain_db": 3, "features": "logmel+f0"}, "does not support all bins of features='logmel.f0'"),
        ({"augment_noise_floor_db": -20, "scale": "linear"}, "augment_noise_floor_db needs spectra in dB"),
        ({"augment_noise_floor_db": -20, "normalization": "none"}, "augment_noise_floor_db needs features of mean 0"),
        ({"augment_mixstyle": 0.1, "batch_size": 1}, "augment_mixstyle mixes the examples of a batch"),
        ({"augment_speed": 0.1, "normalization": "none"}, "augment_speed needs features of mean 0"),
    ],
)
def test_parts_of_a_recipe_that_cannot_act_are_refused(parameters, message):
    with pytest.raises(SettingsError, match=message):
        settings(**parameters)
