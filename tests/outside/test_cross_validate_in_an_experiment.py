"""What `xval.cross_validate` adds to an experiment that a script made, and what it says of other folds."""

import json

import pytest

CALL = """
import xval
if __name__ == "__main__":
    xval.cross_validate("small", architecture="{architecture}", num_folds=2, fold_repeats=1, page="none", executor="inline",
                        refit=False, quiet=True{more})
"""


@pytest.fixture
def shared(study):
    """Return a study whose experiment has an instance of a script, and a second one that `cross_validate` added."""
    study.script({"architecture": "knn"}, name="experiments/a.py")
    assert study.run(script="experiments/a.py").returncode == 0
    study.file("cv.py", CALL.format(architecture="logistic", more=""))
    added = study.python("cv.py")
    assert added.returncode == 0, added.stderr
    return study


@pytest.mark.long
def test_a_script_goes_on_in_its_experiment(shared):
    assert (shared.results / "instance_2" / "settings.json").is_file()
    again = shared.run(script="experiments/a.py")
    assert again.returncode == 0, again.stderr
    assert "Nothing to do" in again.stdout


@pytest.mark.long
def test_an_experiment_keeps_its_description(shared):
    assert (shared.results / "description.txt").read_text() == "A test\n"
    assert json.loads(shared.xval("list", "--format", "json").stdout)[0]["description"] == "A test"
    assert shared.python("cv.py").returncode == 0  # nothing to do
    assert (shared.results / "description.txt").read_text() == "A test\n"


@pytest.mark.long
def test_two_scripts_are_still_kept_apart(shared):
    shared.script({"architecture": "knn"}, {"architecture": "svm"}, name="experiments/b.py")
    assert "another script, experiments/a.py (instance 1). This is experiments/b.py" in shared.mistake("experiments/b.py")


def test_a_script_gives_its_description_to_what_cross_validate_began(study):
    study.file("cv.py", CALL.format(architecture="knn", more=""))
    assert study.python("cv.py").returncode == 0
    assert (study.results / "description.txt").read_text() == "xval.cross_validate\n"
    study.script({"architecture": "knn"}, name="a.py")

    assert study.run(script="a.py").returncode == 0
    assert (study.results / "description.txt").read_text() == "A test\n"


@pytest.mark.long
def test_other_folds_are_named_as_such_and_not_by_a_setting_that_was_not_given(study):
    call = CALL.replace("fold_repeats=1, ", "")
    study.file("cv.py", call.format(architecture="knn", more=""))
    assert study.python("cv.py").returncode == 0
    study.file(
        "cv.py", call.format(architecture="logistic", more=", fold_strategy='leave_one_out'").replace("num_folds=2, ", "")
    )

    refused = study.python("cv.py")

    assert refused.returncode != 0
    said = refused.stderr.strip().splitlines()[-1]
    assert "fold_repeats=" not in said
    assert "fold_strategy" in said
    assert "num_experiment" in said
