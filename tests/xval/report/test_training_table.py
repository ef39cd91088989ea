import pytest

from xval.report.training_table import training_rows


@pytest.fixture
def values_of(make_instance, make_settings):
    """Return a function that gives the values that the table has of an instance, by setting."""

    def read(**parameters):
        every = make_settings().model_dump() | parameters
        return {name: value for name, value, _ in training_rows([make_instance(1, [], **every)])}

    return read


@pytest.mark.parametrize(
    ("parameters", "shown", "left_out"),
    [
        ({}, {"features": "logmel", "optimizer": "adam"}, {"n_mfcc", "crop_s", "augment_noise", "embedding_layer"}),
        ({"features": "mfcc", "n_mfcc": 13}, {"n_mfcc": "13"}, {"scale"}),
        ({"features": "waveform", "frontend": "logmel", "n_mels": 40}, {"frontend": "logmel", "n_mels": "40"}, {"n_mfcc"}),
        ({"features": "embedding", "embedding_model": "onnx:a.onnx"}, {"embedding_model": "onnx:a.onnx"}, {"n_fft", "n_mels"}),
        ({"architecture": "svm", "time_parts": (1, 4)}, {"time_parts": "1, 4"}, {"optimizer", "num_epochs", "patience"}),
        ({"augment_noise": 0.1, "augment_time_masks": 2}, {"augment_noise": "0.1", "augment_time_masks": "2"}, set()),
        ({"task_type": "classification"}, {}, {"label_frame_s", "target_scaling", "dataset", "workers", "comment_1"}),
    ],
)
def test_the_table_has_what_belongs_to_the_features_and_the_architecture(values_of, parameters, shown, left_out):
    values = values_of(**parameters)
    assert values.items() >= shown.items()
    assert not left_out & values.keys()


def test_a_value_says_which_instances_have_it(make_instance, make_settings):
    every = make_settings().model_dump()
    instances = [
        make_instance(1, [], **every),
        make_instance(2, [], **every | {"batch_size": 8}),
        make_instance(3, [], **every | {"architecture": "svm", "time_parts": 2}),
    ]
    rows = training_rows(instances)
    assert rows[:3] == [("architecture", "cnn_small", "1-2"), ("architecture", "svm", "3"), ("time_parts", "2", "3")]
    assert ("features", "logmel", "all") in rows
    assert [row[2] for row in rows if row[0] == "batch_size"] == ["1, 3", "2"]
    assert [row for row in rows if row[0] == "optimizer"] == [("optimizer", "adam", "1-2")]
