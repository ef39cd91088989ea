"""All commands alike: help, a mistyped name, a mistyped option, a path that is not there."""

import re

import pytest

EXPERIMENT, FOLD = "results/small/experiment_9", "results/small/experiment_9/instance_1/fold_1"
COMMANDS = {  # what each needs, where a path is wrong
    "bundle": (FOLD,),
    "audit": (EXPERIMENT,),
    "compare": (EXPERIMENT,),
    "cross-corpus": ("nowhere", "neither"),
    "embed": (FOLD, "audio"),
    "ensemble": (EXPERIMENT, "1,2"),
    "evaluate": (FOLD, "audio"),
    "explain": (FOLD, "audio"),
    "export": (FOLD, "--format", "onnx"),
    "groups": (EXPERIMENT,),
    "list": ("nowhere",),
    "sample-size": ("--from", EXPERIMENT),
    "permutation-test": (EXPERIMENT,),
    "predict": (FOLD, "audio"),
    "add-metrics": (EXPERIMENT, "uar"),
    "prepare": ("folders", "nowhere"),
    "augment": ("nowhere", "copies", "2"),
    "rebuild": (EXPERIMENT,),
    "run": ("nowhere.py",),
    "refit": (EXPERIMENT,),
    "report": (EXPERIMENT,),
    "review-labels": (EXPERIMENT,),
    "run-job": ("job.json",),
    "quickstart": ("nowhere",),
    "status": (EXPERIMENT,),
    "speaker-eer": ("embeddings.parquet",),
}
WITHOUT_PATH = {"completion": ("bash",), "new": ("study",)}
CORPUS_COMMANDS = ("show", "rename", "encoders", "convert")


def commands_in(text, heading):
    """Return the names that a help lists below a heading."""
    below = text.partition(f"{heading}:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  ([\w-]+) ", below, flags=re.MULTILINE)


def commands_in_order(text):
    return re.findall(r"^  ([\w-]+)  ", text, flags=re.MULTILINE)


def test_the_help_lists_all_commands(empty):
    ended = empty.xval("--help")

    assert ended.returncode == 0
    groups = ("Start", "Run", "Results", "Compare", "Models", "Extras", "Maintain")
    assert [name for group in groups for name in commands_in(ended.stdout, group)] == commands_in_order(ended.stdout)
    assert set(commands_in_order(ended.stdout)) == {*COMMANDS, *WITHOUT_PATH}
    assert empty.xval().stdout == ended.stdout


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_wrong_path_is_named_in_one_line(finished, command):
    said = finished.mistake("-m", "xval", command, *COMMANDS[command])

    assert next(word for word in COMMANDS[command] if not word.startswith("-") and word != "folders") in said


@pytest.mark.parametrize("command", ["completion", "ensemble", "new", "sample-size", "run", "predict", "run-job", "status"])
def test_a_mistyped_option_is_answered_with_the_right_one(finished, command):
    arguments = {**COMMANDS, **WITHOUT_PATH}[command]

    assert "Did you mean '--help'?" in finished.mistake("-m", "xval", command, *arguments, "--hepl")


def test_a_mistyped_command_is_answered_with_the_right_one(empty):
    assert "'status'" in empty.mistake("-m", "xval", "stauts")
    assert "'table'" in empty.mistake("-m", "preprocessing", "tabel", "clips.csv")


@pytest.mark.parametrize("command", ["status", "predict", "ensemble", "evaluate", "new", "cross-corpus", "run", "add-metrics"])
def test_what_is_missing_is_named(empty, command):
    said = empty.mistake("-m", "xval", command)

    assert "required" in said
    assert f"{command} --help" in said


@pytest.mark.parametrize("command", ["predict", "evaluate", "embed", "explain", "export", "bundle"])
def test_the_help_says_whether_several_folds_are_one_model(empty, command):
    ended = empty.xval(command, "--help")

    words = " ".join(ended.stdout.split())
    takes_several = command in ("predict", "evaluate")
    assert ("several folds are an ensemble" in words) is takes_several
    assert ("one model: the final one (xval refit) or the one of its only fold" in words) is not takes_several


def test_the_help_of_preprocessing_lists_readers_and_commands(empty):
    ended = empty.python("-m", "preprocessing", "--help")

    assert ended.returncode == 0
    assert {"table", "folders", "events", "demo", "ravdess", "fsdd", "voxceleb"} <= set(commands_in(ended.stdout, "corpora"))
    assert commands_in(ended.stdout, "other commands") == list(CORPUS_COMMANDS)


@pytest.mark.parametrize("command", CORPUS_COMMANDS)
def test_each_command_of_preprocessing_has_a_help(empty, command):
    ended = empty.python("-m", "preprocessing", command, "--help")

    assert ended.returncode == 0
    assert ended.stdout.startswith("usage: ")


def test_completion_prints_a_script_that_knows_the_commands(empty):
    for shell in ("bash", "zsh"):
        ended = empty.xval("completion", shell)
        assert ended.returncode == 0
        assert "run-job" in ended.stdout
    assert "bash" in empty.mistake("-m", "xval", "completion", "bsh")
