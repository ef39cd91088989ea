import pytest

from xval.base.errors import SettingsError
from xval.measures import task as tasks
from xval.settings import architectures
from xval.settings.schema import Settings


def test_every_architecture_is_found_with_its_options():
    assert {"cnn_small", "crnn", "mlp", "rnn_small", "vgg_mini"} <= set(architectures.architecture_names())
    for name in architectures.architecture_names():
        found = architectures.find_architecture(name)
        assert found.reshaping_type in ("conv", "rnn", "none")
        assert set(found.task_types) <= set(tasks.all_tasks())


def test_no_option_hides_a_parameter():
    for name in architectures.architecture_names():
        assert not set(architectures.find_architecture(name).options) & set(Settings.model_fields)


def test_feature_settings_that_build_takes_are_no_options():
    found = architectures.find_architecture("sincnet")

    assert found.features == "waveform"
    assert found.feature_keys == ("sample_rate_hz",)
    assert {"n_filters", "kernel_length"} <= set(found.options)
    assert architectures.find_architecture("mlp").features is None


@pytest.mark.parametrize(
    ("annotation", "received", "wanted"),
    [
        ("int", "3", 3),
        ("float", 1, 1.0),
        ("tuple[int, ...]", "16, 32", (16, 32)),
        ("tuple[int, ...]", "(16,)", (16,)),
        ("tuple[int, ...]", [1, 2], (1, 2)),
        ("Literal['gru', 'lstm']", "gru", "gru"),
        ("bool", "true", True),
    ],
)
def test_options_take_values_and_texts(annotation, received, wanted):
    assert architectures.Option("x", annotation, None).check(received) == wanted


@pytest.mark.parametrize(
    ("annotation", "received"),
    [("int", "many"), ("int", 1.5), ("float", True), ("Literal['gru', 'lstm']", "gruu"), ("str", 3), ("float", float("nan"))],
)
def test_options_refuse_other_values(annotation, received):
    with pytest.raises(ValueError, match=r".") if received is not True and received != 3 else pytest.raises(SettingsError):
        architectures.Option("x", annotation, None).check(received)


@pytest.mark.parametrize(
    ("stored", "reshaping_type", "architecture", "wanted"),
    [
        ((9, 4), "auto", "cnn_small", (9, 4, 1)),
        ((9, 4, 2), "conv", "cnn_small", (9, 4, 2)),
        ((9, 4), "auto", "rnn_small", (9, 4)),
        ((9, 4, 2), "rnn", "rnn_small", (9, 8)),
        ((9, 4), "none", "cnn_small", (9, 4)),
        ((7,), "none", "mlp", (7,)),
    ],
)
def test_examples_take_the_form_that_the_architecture_wants(stored, reshaping_type, architecture, wanted):
    assert architectures.input_form(stored, reshaping_type, architecture) == wanted


def test_a_form_that_the_stored_examples_cannot_take_is_refused():
    with pytest.raises(
        SettingsError, match=r"'cnn_small' with reshaping_type=conv needs examples of shape \(frames, bins\).*\(7,\)"
    ):
        architectures.input_form((7,), "auto", "cnn_small")
