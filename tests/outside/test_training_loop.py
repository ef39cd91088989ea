"""What happens between the epochs, as a user of Keras sees it: schedules, callbacks, early stopping, losses that diverge."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"

NETS = """
import keras
from keras import layers


def build(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, layers.Dense(output_shape[-1])(layers.Flatten()(inputs)))
"""


def one_fold(study, instance, *arguments, code="", **parameters):
    """Train the first fold of an instance whose network is `nets.build`; return the command as it ended."""
    study.file("nets.py", NETS + code)
    study.script({"architecture": "nets.build"} | instance, **parameters)
    return study.run("--folds", "1", *arguments)


# Schedules of the user's own


def test_the_schedule_of_the_docs_halves_every_ten_epochs(study):
    (shown,) = re.findall(r"```python\n([^`]*def halve_every_ten.*?)```", (DOCS / "own_training.md").read_text(), re.DOTALL)
    study.file("my_parts.py", shown)

    ended = one_fold(study, {"schedule": "my_parts.halve_every_ten"}, num_epochs=30, learning_rate=1e-3, early_stopping=False)

    assert ended.returncode == 0, ended.stderr
    wanted = [1e-3] * 10 + [5e-4] * 10 + [2.5e-4] * 10
    assert study.history()["learning_rate"].tolist() == pytest.approx(wanted, rel=1e-6)
