"""The ways in which Keras networks are written."""

import pytest

NETS = """
import keras
from keras import layers


def sequential(input_shape, output_shape):
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(output_shape[-1])])


@keras.saving.register_keras_serializable("nets")
class Mine(keras.Model):
    def __init__(self, n, **options):
        super().__init__(**options)
        self.n = n
        self.flat = layers.Flatten()
        self.out = layers.Dense(n)

    def call(self, x):
        return self.out(self.flat(x))

    def get_config(self):
        return {**super().get_config(), "n": self.n}


def own_class(input_shape, output_shape):
    return Mine(output_shape[-1])
"""


@pytest.mark.parametrize("name", ["sequential", "own_class"])
def test_a_network_trains_and_is_read_back(study, name):
    study.file("nets.py", NETS)

    ended = study.train({"architecture": f"nets.{name}"})

    assert study.record()["status"] == "done", ended.stdout
    read = study.python("-c", f"import nets, xval; print(xval.load_model({str(study.fold())!r}).class_names)")
    assert read.returncode == 0, read.stderr
