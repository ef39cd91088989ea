"""Where one instance is needed and several are named, the error says so, and what takes several."""

import pytest

SEVERAL = "Several (1,3 or 1-3) go to xval compare, xval ensemble, xval report --latex and --only of a script."


@pytest.mark.parametrize("arguments", [("report", "--errors-of", "1-3"), ("report", "--latex", "--baseline", "1,3")])
def test_an_option_for_one_instance(finished, arguments):
    command, *options = arguments
    said = finished.mistake("-m", "xval", command, finished.EXPERIMENT, *options)
    assert f"{options[-2]} {options[-1]}: takes one instance; received several. {SEVERAL}" in said


@pytest.mark.parametrize("command", ["refit", "predict", "explain"])
def test_the_name_of_a_model(finished, command):
    audio = ["audio"] if command == "predict" else []
    said = finished.mistake("-m", "xval", command, f"{finished.EXPERIMENT}:1-3", *audio)
    assert f"{finished.EXPERIMENT}:1-3: one instance is needed here; received several. Give one, such as " in said
    assert f"{finished.EXPERIMENT}:1. {SEVERAL}" in said


def test_the_baseline_of_a_comparison(finished):
    said = finished.mistake("-m", "xval", "compare", finished.EXPERIMENT, "--baseline", "1-3")
    assert "--baseline 1-3: takes one instance; received several. Name the others without an option." in said


def test_one_instance_to_compare_is_told_with_what(finished):
    said = finished.mistake("-m", "xval", "compare", finished.EXPERIMENT, "2")
    assert f"For example: xval compare {finished.EXPERIMENT} 2 1; without a number all are compared." in said


def test_folds_may_be_ranges(study):
    study.script({"architecture": "constant"}, num_folds=3)
    assert study.run("--folds", "1-2").returncode == 0
    assert [path.name for path in sorted(study.results.glob("instance_1/fold_*"))] == ["fold_1", "fold_2"]
    said = study.mistake("exp.py", "--folds", "1..2")
    assert "--folds: received '1..2'; expected a whole number, or several such as 1,3 or 3-7." in said
