import pytest

from xval.report.training_table import HEADER, training_rows


@pytest.mark.parametrize(
    ("parameters", "column", "said"),
    [
        ({}, "clip length", "whole clips"),
        ({"clip_length_s": 3.0, "example_length_s": 0.5}, "clip length", "first 3 s, windows of 0.5 s"),
        ({"crop_s": 1.5}, "clip length", "random crops of 1.5 s"),
        ({"features": "mfcc", "n_mfcc": 13, "sample_rate_hz": 8000}, "features", "mfcc, 13 coefficients, 8000 Hz"),
        ({"features": "waveform", "frontend": "logmel", "n_mels": 40}, "features", "logmel, 40 bands, 16000 Hz"),
        ({"features": "embedding", "embedding_model": "onnx:a.onnx"}, "features", "embedding, onnx:a.onnx"),
        ({}, "augmentation in training", "none"),
        ({"augment_noise": 0.1, "augment_time_masks": 2}, "augmentation in training", "time_masks 2, noise 0.1"),
        ({"optimizer": "sgd"}, "optimizer", "sgd"),
        ({"optimizer": "sgd", "architecture": "svm"}, "optimizer", "–"),
    ],
)
def test_a_row_says_how_an_instance_was_trained(make_instance, make_settings, parameters, column, said):
    every = make_settings().model_dump() | parameters
    (row,) = training_rows([make_instance(1, [], **every | {"comment_1": "a"})])
    assert dict(zip(HEADER, row, strict=True))[column] == said
    assert row[0] == "a"
