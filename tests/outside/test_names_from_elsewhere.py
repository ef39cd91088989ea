"""Names that a user has from elsewhere, or from earlier, are answered by what to write."""

import pytest


@pytest.mark.parametrize(
    ("setting", "answer"),
    [
        ("stratify=true", "'fold_strategy', in Experiment(...); its default, balanced, stratifies by label."),
        ("strategy=balanced", "Here it is 'fold_strategy', in Experiment(...)."),
        ("criterion=mse", "Here it is 'loss'."),
        ("activation=relu", "it is part of an architecture; copy one to a file of your own to change it."),
        ("average=macro", "'rank_by' and 'metrics' take metrics by name, such as macro_f1 or sklearn:f1_weighted."),
        ("dropout_rate=0.3", "Here it is 'dropout', an option of the networks that have it."),
        ("amsgrad=true", "an argument of the optimizer: --set optimizer_amsgrad=true."),
        (
            "early_stopping=5",
            "allowed: true or false. Set patience to choose after how many epochs without improvement training ends.",
        ),
        ("rank_by=f1", "Did you mean 'macro_f1'?"),
        ("fold_strategy=loso", "predefined. Did you mean 'leave_one_out'?"),
    ],
)
def test_a_setting_of_another_library(study, setting, answer):
    study.script({"architecture": "constant"})
    assert answer in study.mistake("exp.py", "--dry-run", "--set", setting)


@pytest.mark.parametrize(("name", "now"), [("Stretch", "Segment"), ("load_figures", "load_scores")])
def test_an_earlier_name_of_the_package(empty, name, now):
    ended = empty.python("-c", f"from xval import {name}")
    assert f"ImportError: xval.{name} is now xval.{now}: from xval import {now}" in ended.stderr


def test_an_earlier_name_of_the_scores(empty):
    ended = empty.python("-c", "from xval import Results; Results.figures.fget(None)")
    assert "AttributeError: Results.figures is now Results.scores" in ended.stderr


@pytest.mark.parametrize("is_there", [False, True])
def test_a_corpus_that_is_none(empty, is_there):
    if is_there:
        (empty.folder / "rec").mkdir()
    said = empty.mistake("-m", "xval", "prepare", "rec")
    folder = "rec" if is_there else "FOLDER"
    assert f"For recordings of your own: xval prepare folders {folder} (a folder for each class)" in said
    assert "Did you mean 'folders'?" in empty.mistake("-m", "xval", "prepare", "folder")
