"""A folder architectures/ with files that are no architectures, and architectures with a value that is not allowed."""

import pytest

BUILD = """
import keras
{head}
def build(input_shape, output_shape, *, n_units: int = 4):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(output_shape[0], "softmax")(keras.layers.Flatten()(inputs)))
"""


@pytest.fixture
def studio(study):
    """Return a study with an architecture of its own, a helper next to it and a file that is not finished."""
    study.file("config.ini", "")
    study.file("experiments/note.txt", "")
    study.file("architectures/own.py", BUILD.format(head="from architectures import helpers"))
    study.file("architectures/helpers.py", "def twice(value):\n    return 2 * value\n")
    study.file("architectures/wip.py", "def build(input_shape,\n")
    return study


def test_files_that_no_instance_names_stop_none(studio):
    studio.script({"architecture": "own"}, {"architecture": "mlp"}, num_epochs=1)
    for request in ("--list", "--dry-run"):
        ended = studio.run(request)
        assert ended.returncode == 0, ended.stderr
    assert not studio.results.exists()


@pytest.mark.long
def test_what_is_trained_next_to_them_is_refitted(studio):
    studio.train({"architecture": "own"}, num_epochs=1)

    for words in (("report", studio.EXPERIMENT), ("refit", f"{studio.EXPERIMENT}:1", "--epochs", 1)):
        ended = studio.xval(*words)
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("helpers", "has no 'build'"),
        ("wip", "architectures/wip.py, line 1: "),
    ],
)
def test_only_an_instance_that_names_one_is_refused(studio, name, fault):
    studio.script({"architecture": "mlp"}, {"architecture": name})

    said = studio.mistake("exp.py", "--dry-run")

    assert "exp.py, instance 2: " in said
    assert fault in said
    assert studio.run("1", "--dry-run").returncode == 0


def test_a_typo_is_answered_with_architectures_only(studio):
    studio.script({"architecture": "helper"})
    said = studio.mistake("exp.py", "--dry-run")
    assert "unknown architecture 'helper'" in said
    assert "helpers" not in said
    studio.script({"architecture": "ownn"})
    assert "Did you mean 'own'?" in studio.mistake("exp.py", "--dry-run")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('reshaping_type = "rnnn"', "reshaping_type: received 'rnnn'; allowed: conv, rnn, none."),
        ('task_types = ("clasification",)', "task_types: received 'clasification'; allowed: classification, "),
        ('backends = ("jaxx",)', "backends: received 'jaxx'; allowed: tensorflow, torch, jax."),
        ("defaults = [1]", "defaults: received [1]; expected a dict of settings."),
    ],
)
def test_a_value_that_an_architecture_may_not_have_is_named(study, line, said):
    study.file("nets.py", BUILD.format(head=line))
    study.script({"architecture": "nets.build"})
    error = study.mistake("exp.py", "--dry-run")
    assert "nets.py: " in error
    assert said in error


def test_one_task_needs_no_tuple(study):
    study.file("nets.py", BUILD.format(head='task_types = "classification"'))
    study.script({"architecture": "nets.build"})
    ended = study.run("--dry-run")
    assert ended.returncode == 0, ended.stderr
