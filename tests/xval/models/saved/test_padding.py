"""What model.json says on the padding of models that tests/outside/test_plain_keras.py does not train."""

import pytest

from preprocessing.features.feature_settings import FeatureSettings
from xval.models.saved.padding import describe_padding, samples_padding

RATE_HZ = 16000


def settings_with(**changes: object) -> FeatureSettings:
    return FeatureSettings.model_validate(changes)


@pytest.mark.parametrize(
    ("changes", "is_custom", "expected"),
    [
        ({}, True, ("none", None, None)),
        ({"padding": "masked"}, True, ("frames", "NaN", None)),
        ({"example_length_s": 0.5, "padding": "masked"}, False, ("frames", "NaN", 8000)),
        ({"features": "embedding", "embedding_model": "wav2vec2-base"}, False, ("none", None, None)),
        ({"features": "embedding", "embedding_model": "x", "embedding_pooling": "none"}, False, ("frames", 0, 9000)),
        ({"features": "waveform", "padding": "masked", "crop_s": 0.1}, False, ("samples", "NaN", None)),
        ({"features": "waveform", "example_length_s": 0.5}, False, ("samples", 0, 8000)),
        ({"features": "waveform"}, False, ("samples", 0, 9000)),
    ],
)
def test_the_axis_the_value_and_the_length_follow_from_the_settings(changes, is_custom, expected) -> None:
    entry = describe_padding(settings_with(**changes), 9000, is_custom=is_custom)

    assert (entry["axis"], entry["value"], entry["n_samples"]) == expected
    assert entry["side"] == (None if entry["value"] is None else "after")


def test_sequences_of_frames_end_in_zeros() -> None:
    entry = describe_padding(settings_with(features="waveform"), 9000, is_custom=False, n_sequence_samples=480)

    assert (entry["axis"], entry["value"], entry["n_samples"]) == ("samples", 0, 480)


@pytest.mark.parametrize(("padding", "value"), [("auto", 0), ("masked", "NaN")])
def test_a_model_that_makes_its_features_itself_reads_samples_of_any_length(padding: str, value: object) -> None:
    entry = samples_padding(settings_with(padding=padding))

    assert (entry["axis"], entry["value"], entry["n_samples"]) == ("samples", value, None)
