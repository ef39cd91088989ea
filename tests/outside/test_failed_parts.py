"""What a job can do without costs no fold when it fails: it is noted in the record and shown."""

import pytest

OBSERVERS = """
from xval import Observer


class Begin(Observer):
    def begin(self, job):
        raise ConnectionError("the tracker is gone")


class Epoch(Observer):
    def epoch(self, values):
        raise ConnectionError("the tracker is gone")


class End(Observer):
    def end(self, outcome):
        raise ConnectionError("the tracker is gone")
"""


@pytest.mark.long
@pytest.mark.parametrize("name", ["Begin", "Epoch", "End"])
def test_an_observer_that_fails_is_noted_and_the_fold_counts(study, name):
    study.file("watch.py", OBSERVERS)
    study.script({"architecture": "mlp", "callbacks": f"watch.{name}"})

    ended = study.run("--details", "--verbose")

    assert ended.returncode == 0, ended.stderr
    assert "the tracker is gone" in ended.stdout
    assert "XV208" in ended.stdout
    assert "the tracker is gone" in str(study.record()["failed_parts"])
    assert len(study.trained()) == 2


@pytest.mark.long
@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_an_embedding_that_cannot_be_computed_costs_no_fold(study, backend):
    """A layer that answers only within a whole model: novelty, which asks it layer by layer, fails."""
    study.backend = backend
    study.file(
        "nets.py",
        """
import keras
from keras import layers

INSIDE = []


@keras.saving.register_keras_serializable("nets")
class Net(keras.Model):
    def call(self, x, training=None):
        INSIDE.append(1)
        try:
            return super().call(x, training=training)
        finally:
            INSIDE.pop()


@keras.saving.register_keras_serializable("nets")
class InsideOnly(layers.Layer):
    def call(self, x):
        if not INSIDE:
            raise RuntimeError("called on its own")
        return x

    def compute_output_shape(self, shape):
        return shape


def build(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    hidden = InsideOnly()(layers.Flatten()(inputs))
    return Net(inputs, layers.Dense(output_shape[-1])(hidden))
""",
    )
    study.script({"architecture": "nets.build"})
    ended = study.run("--verbose")

    assert ended.returncode == 0, ended.stderr
    assert "called on its own" in study.record()["failed_parts"]["novelty"], study.record().get("failed_parts")
    assert "novelty failed" in ended.stdout
    assert len(study.trained()) == 2
