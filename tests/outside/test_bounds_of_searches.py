"""A search whose space has values that no network can have is refused before its first trial."""

import pytest

SCRIPT = """
from xval import Experiment, choice, integers, uniform
e = Experiment("A search", dataset="small", num_folds=3, fold_repeats=1, num_epochs=1, page="none", workers=1)
e.search({space}, n_trials=2, at_once=1, architecture="mlp", inner_folds=2)
if __name__ == "__main__":
    e.main()
"""


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ('{"dropout": uniform(0, 2)}', "search, dropout=2"),
        ('{"n_units": choice([(4,), (8,), (0,)]), "dropout": uniform(0, 0.5)}', "search, n_units=(0,)"),
    ],
)
def test_the_ends_of_a_space_are_built_before_training(study, space, said):
    study.file("s.py", SCRIPT.format(space=space))

    ended = study.run(script="s.py")

    assert ended.returncode == 2, ended.stdout
    assert f"error: instance 1: {said}" in ended.stderr
    assert "architecture 'mlp'" in ended.stderr
    assert not [*study.results.glob("instance_1/search/*")]


@pytest.mark.slow
def test_they_are_built_in_a_worker(study):
    study.file("s.py", SCRIPT.format(space='{"dropout": uniform(0, 2)}'))

    ended = study.python("s.py", in_workers=True)

    assert ended.returncode == 2, ended.stdout
    assert "error: instance 1: search, dropout=2" in ended.stderr


@pytest.mark.long
def test_a_space_of_allowed_values_is_searched(study):
    study.file("s.py", SCRIPT.format(space='{"dropout": uniform(0, 0.9), "learning_rate": uniform(1e-4, 1e-2)}'))

    ended = study.run(script="s.py")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(study.record()["search"]["trials"]) == 2
