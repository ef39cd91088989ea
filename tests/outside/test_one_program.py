"""One program, ``xval``: its commands, what it prints of itself, and what it answers to names that it does not have."""

import json
import re
from io import StringIO

import pandas as pd
import pytest

OLD_NAMES = {
    "start": "xval quickstart",
    "plan": "xval sample-size",
    "cross": "xval cross-corpus",
    "verify": "xval speaker-eer",
    "check": "xval audit",
    "review": "xval review-labels",
    "publish": "xval bundle MODEL --hub OWNER/NAME",
}


@pytest.mark.parametrize("name", OLD_NAMES)
def test_a_name_of_before_is_answered_with_the_new_one(empty, name):
    assert OLD_NAMES[name] in empty.mistake("-m", "xval", name, "results/small/experiment_1")


def test_parts_of_commands_that_moved_are_answered_with_where_they_are(empty):
    assert "xval add-metrics results uar" in empty.mistake("-m", "xval", "rebuild", "results", "--metrics", "uar")
    assert "xval add-metrics EXPERIMENT NAME" in empty.mistake("-m", "xval", "rebuild", "--metrics", "uar")
    assert "xval prepare demo --check" in empty.mistake("-m", "xval", "prepare", "check", "demo")
    assert "xval prepare demo --check" in empty.mistake("-m", "preprocessing", "check", "demo")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("cross", "one", "two"), "Type: xval cross-corpus one two"),
        (("review", "E"), "Type: xval review-labels E"),
        (("check", "E"), "Type: xval audit E (results)"),
        (("publish", "E:1"), "Type: xval bundle E:1 --hub OWNER/NAME"),
        (("cross-corpus", "one"), "cross-corpus: expected two"),
        (("bundle", "E:1"), "xval refit E:1"),
        (("bundle", "nothing"), "Expected EXPERIMENT:N, a .keras file"),
    ],
)
def test_what_to_type_repeats_what_was_typed(finished, words, answer):
    given = [re.sub(r"\bE\b", finished.EXPERIMENT, word) for word in words]
    expected = re.sub(r"\bE\b", finished.EXPERIMENT, answer)

    assert expected in finished.mistake("-m", "xval", *given)


def test_it_tells_its_version(empty):
    ended = empty.xval("--version")

    assert ended.returncode == 0
    assert re.fullmatch(r"xval \d+\.\d+\.\d+\S*\n", ended.stdout)


def loaded_by(empty, *words):
    """Return the names of the modules that a command loads."""
    ended = empty.python("-X", "importtime", "-m", "xval", *words, in_workers=True)

    assert ended.returncode == 0
    loaded = set(re.findall(r"^import time: .*\| +(\S+)$", ended.stderr, flags=re.MULTILINE))
    assert "xval.base" in loaded
    return loaded


def test_its_help_loads_none_of_the_large_libraries(empty):
    assert not {"pandas", "keras", "numpy", "scipy", "sklearn"} & loaded_by(empty, "--help")


def test_the_arguments_of_all_commands_load_none_of_the_slow_libraries(empty):
    """Completion declares those of each command and each reader, as its --help does."""
    slow = {"pandas", "pyarrow", "keras", "scipy", "sklearn", "librosa", "matplotlib", "xlsxwriter"}

    assert not slow & loaded_by(empty, "completion", "bash")


def test_prepare_is_the_program_that_preprocesses(empty):
    empty.recordings()
    words = ("folders", "audio", "--item-pattern", "(s[0-9])_", "--dataset", "small")

    by_module, by_name = (
        empty.python("-m", *program, *words, "--check", "--headers-only", "--workers", "1")
        for program in (("preprocessing",), ("xval", "prepare"))
    )
    helps = [empty.python("-m", *program, "--help").stdout for program in (("preprocessing",), ("xval", "prepare"))]

    assert by_module.returncode == 0, by_module.stderr
    assert by_module.stdout == by_name.stdout
    assert helps[0] == helps[1]
    assert helps[0].startswith("usage: xval prepare CORPUS")
    assert not list(empty.folder.glob("data/*/index*")), "it only looks"


def test_what_belongs_to_the_check_alone_is_said_to(empty):
    assert "--headers-only: goes with --check" in empty.mistake("-m", "xval", "prepare", "demo", "--headers-only")
    assert "--download: does not go with --check" in empty.mistake("-m", "xval", "prepare", "demo", "--download", "--check")


def test_augment_is_the_program_that_augments(empty):
    empty.recordings(n_speakers=1)

    ended = empty.xval("augment", "audio", "copies", "1", "--workers", "1")

    assert ended.returncode == 0, ended.stderr
    assert (empty.folder / "copies" / "augmented.csv").is_file()
    for words in (("--help",), ("mix", "--help")):
        assert empty.xval("augment", *words).stdout == empty.python("-m", "augmentation", *words).stdout


def test_run_is_the_script(study):
    study.script(*[{"architecture": "mlp"}] * 4)

    listed = study.python("exp.py", "2", "3", "--list")
    by_name = study.xval("run", "exp.py", "--only", "2-3", "--list")
    several = study.python("exp.py", "--only", "1,3-4", "--gpu", "cpu", "--dry-run")

    assert listed.returncode == by_name.returncode == 0, by_name.stderr
    assert by_name.stdout == listed.stdout
    assert several.returncode == 0, several.stderr
    assert re.findall(r"^\s*(\d+) ", study.python("exp.py", "--only", "1,3-4", "--list").stdout, re.MULTILINE) == [
        "1",
        "3",
        "4",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "9"), "no instance 9"),
        (("--only", "4-2"), "--only 4-2: 4 is above 2. Give --only 2-4."),
        (("--only", "a"), "expected a whole number"),
        (("--only", "1", "2"), "--only 1: does not go with 2. Join numbers with a comma, as in --only 1,2"),
        (("1", "1", "cpu", "--gpu", "0"), "--gpu 0"),
    ],
)
def test_mistakes_in_which_instances_are_run(study, words, said):
    study.script(*[{"architecture": "mlp"}] * 4)

    assert said in study.mistake("exp.py", *words)


SEVERAL = {
    "compare": (("1", "3"), ("1,3",), ("E:1", "E:3"), ("E:1,3",)),
    "report": (("1", "2", "3"), ("1-3",), ("1,2,3",), ("1-2", "3"), ("E:1-3",), ("1,", "2-3")),
}


@pytest.mark.parametrize("command", SEVERAL)
def test_numbers_of_instances_have_the_same_forms_in_each_command(finished, command):
    options = ("--markdown",) if command == "report" else ()
    printed = set()
    for form in SEVERAL[command]:
        ended = finished.xval(
            command, finished.EXPERIMENT, *(word.replace("E", finished.EXPERIMENT) for word in form), *options
        )
        assert ended.returncode == 0, ended.stderr
        printed.add(ended.stdout)

    assert len(printed) == 1
    by_name = finished.xval(command, f"{finished.EXPERIMENT}:{'1-3' if command == 'report' else '1,3'}", *options)
    assert {by_name.stdout} == printed, by_name.stderr


def test_a_script_takes_the_forms_too(study):
    study.script(*[{"architecture": "mlp"}] * 4)

    assert study.python("exp.py", "1,3-4", "--list").stdout == study.python("exp.py", "--only", "1,3-4", "--list").stdout


@pytest.mark.parametrize("command", ["compare", "report", "ensemble"])
@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("2-9", "there is no instance 9. Available: 1-3"),
        ("3-1", "INSTANCES 3-1: 3 is above 1. Give 1-3."),
        ("1-2-3", "expected a whole number, or several such as 1,3 or 3-7"),
    ],
)
def test_mistakes_in_numbers_are_the_same_in_each_command(finished, command, form, said):
    options = ("--markdown",) if command == "report" else ()

    assert said in finished.mistake("-m", "xval", command, finished.EXPERIMENT, form, *options)


def test_of_run_only_the_script_is_required(empty):
    assert "The following arguments are required: SCRIPT. " in empty.mistake("-m", "xval", "run")


def test_a_script_that_is_not_there_is_named(study):
    study.file("experiments/mine.py", "")

    assert "experiments/mine.py" in study.mistake("-m", "xval", "run", "mine.py")


TABLES = {
    "status": (),
    "audit": (),
    "compare": (),
    "groups": ("--by", "gender"),
    "list": (),
    "review-labels": (),
}


@pytest.mark.parametrize("command", TABLES)
def test_tables_are_printed_and_written_alike(finished, tmp_path, command):
    words = (command, "results" if command == "list" else finished.EXPERIMENT, *TABLES[command])

    as_csv, as_json = (finished.xval(*words, "--format", form) for form in ("csv", "json"))
    for ending in ("csv", "json", "xlsx", "parquet"):
        written = finished.xval(*words, "--output", tmp_path / f"t.{ending}")
        assert written.returncode == 0, written.stderr

    assert as_csv.returncode == as_json.returncode == 0, as_csv.stderr + as_json.stderr
    rows = pd.read_csv(StringIO(as_csv.stdout))
    assert len(rows)
    assert list(rows) == list(pd.read_excel(tmp_path / "t.xlsx")) == list(pd.read_parquet(tmp_path / "t.parquet"))
    assert as_csv.stdout == (tmp_path / "t.csv").read_text()
    assert json.loads(as_json.stdout) == json.loads((tmp_path / "t.json").read_text())


def test_what_an_output_is_depends_on_its_ending(finished, tmp_path):
    plan = ("sample-size", "--speakers", "10,40")
    assert finished.xval(*plan, "--output", tmp_path / "plan.svg").returncode == 0
    assert (tmp_path / "plan.svg").read_text().lstrip().startswith("<?xml")
    assert finished.xval(*plan, "--output", tmp_path / "plan.csv").returncode == 0
    assert len(pd.read_csv(tmp_path / "plan.csv")) == 2

    for command in ("compare", "groups", "predict"):
        said = finished.mistake("-m", "xval", command, finished.EXPERIMENT, "audio", "--output", "t.doc")
        assert "ends in .csv, .json, .xlsx, .parquet" in said or "Unexpected" in said
    assert "--format json" in finished.mistake("-m", "xval", "list", "--output", "json")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("status", "E", "--json"), "--format json"),
        (("compare", "E", "--csv", "a.csv"), "--output FILE.csv"),
        (("sample-size", "--to", "a.png"), "--output FILE"),
        (("bundle", "E", "--to", "a"), "--output FILE"),
        (("bundle", "E", "--dry-run"), "--hub OWNER/NAME"),
        (("sample-size", "--from", "E", "--instance", "1"), "--from EXPERIMENT:N"),
        (("refit", "E", "2"), "EXPERIMENT:N"),
        (("groups", "E", "2"), "EXPERIMENT:N"),
    ],
)
def test_an_option_of_before_is_answered_with_the_new_one(finished, words, answer):
    given = [finished.EXPERIMENT if word == "E" else word for word in words]

    assert answer in finished.mistake("-m", "xval", *given)


@pytest.mark.long
def test_a_model_is_named_alike_everywhere(copied):
    name, folder = f"{copied.EXPERIMENT}:1", f"{copied.EXPERIMENT}/instance_1"
    clip = "audio/low/s0_0.wav"

    assert copied.xval("groups", name).stdout == copied.xval("groups", folder).stdout
    by_name, by_path = (copied.xval("predict", model, clip, "--format", "csv") for model in (name, folder))
    assert by_name.returncode == 0, by_name.stderr
    assert by_name.stdout == by_path.stdout
    one, other = (copied.xval("report", *words, "--markdown") for words in ((name,), (copied.EXPERIMENT, "1")))
    assert (one.returncode, one.stdout) == (0, other.stdout), one.stderr
    exported = copied.xval("export", name, "--format", "weights_h5")
    assert "one model can be exported at a time" in exported.stderr
    assert "xval refit" in exported.stderr
    ensemble = copied.xval("ensemble", f"{copied.EXPERIMENT}:1-2")
    assert ensemble.returncode == 0, ensemble.stderr
    assert "ensemble 1+2" in ensemble.stdout
    planned = copied.xval("sample-size", "--from", f"{copied.EXPERIMENT}:3", "--baseline", "1", "--difference", "0.2")
    assert "instances 1 and 3" in planned.stdout or planned.returncode == 0, planned.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("predict", "N", "audio"), "no instance 9"),
        (("groups", "N"), "no instance 9"),
        (("review-labels", "N"), "no instance 9"),
        (("refit", "N"), "no instance 9"),
        (("export", "N", "--format", "onnx"), "no instance 9"),
    ],
    ids=lambda part: part[0] if isinstance(part, tuple) else part.split()[0],
)
def test_an_instance_that_is_not_there_is_named(finished, words, why):
    given = [f"{finished.EXPERIMENT}:9" if word == "N" else word for word in words]

    said = finished.mistake("-m", "xval", *given)
    assert why in said
    assert "Available: 1" in said


def test_instance_0_is_not_taken_for_none(finished):
    assert "no instance 0. Available: 1-3" in finished.mistake("-m", "xval", "refit", f"{finished.EXPERIMENT}:0")


def test_python_takes_the_same_name(finished):
    ended = finished.python(
        "-c", "import sys, xval; print(xval.load_model(sys.argv[1]).class_names)", f"{finished.EXPERIMENT}:2"
    )

    assert ended.returncode == 0, ended.stderr
    assert "'high', 'low'" in ended.stdout


GUESSES = {
    "train": "xval run SCRIPT",
    "fit": "xval run SCRIPT",
    "cross_val_score": "xval run SCRIPT",
    "exp.py": "xval run exp.py",
    "init": "xval new",
    "preprocess": "xval prepare CORPUS",
    "show": "xval report EXPERIMENT",
    "results": "xval list",
    "tune": "experiment.search",
    "loso": "--set fold_strategy=leave_one_out",
    "seeds": "--repeats 3",
    "folds": "--set num_folds=",
    "test": "xval evaluate MODEL DATA",
    "eval": "xval evaluate MODEL DATA",
    "score": "xval evaluate MODEL DATA",
    "validate": "xval evaluate MODEL DATA",
    "clean": "--overwrite",
    "diff": "xval compare EXPERIMENT",
    "log": "xval status EXPERIMENT",
    "ls": "xval list",
    "ui": "xval report EXPERIMENT",
    "serve": "xval predict MODEL --follow",
    "infer": "xval predict MODEL AUDIO",
    "shap": "xval explain MODEL",
    "leakage": "xval audit EXPERIMENT",
    "power": "xval sample-size",
    "upload": "xval bundle MODEL --hub",
    "confusion_matrix": "xval report EXPERIMENT --confusion FILE.png",
    "classification_report": "xval report EXPERIMENT",
    "grid_search": "experiment.search",
    "GridSearchCV": "experiment.search",
    "permutation_test_score": "xval permutation-test EXPERIMENT",
    "history": "history.csv",
    "inspect": "xval status EXPERIMENT",
    "cite": "xval report EXPERIMENT",
    "architectures": "--set architecture=NAME",
    "datasets": "xval prepare --help",
    "tensorboard": "--set tensorboard=true",
    "Train": "xval run SCRIPT",
    "add_metrics": "'add-metrics'",
}


@pytest.mark.parametrize("name", GUESSES)
def test_a_guessed_command_is_answered_with_what_to_type(empty, name):
    assert GUESSES[name] in empty.mistake("-m", "xval", name)


OF_SCRIPTS = {
    "--epochs": "--set num_epochs=VALUE",
    "--seed": "--set seed=VALUE",
    "--seeds": "--repeats 3",
    "--cv": "--set num_folds=VALUE",
    "--n-splits": "--set num_folds=VALUE",
    "--n-repeats": "--fold-repeats 3",
    "--loso": "--set fold_strategy=leave_one_out",
    "--lr": "Here it is 'learning_rate'. Type: --set learning_rate=VALUE.",
    "--lr=0.1": "Unknown option --lr=0.1. Here it is 'learning_rate'. Type: --set learning_rate=VALUE.",
    "--learning-rate": "Unknown option --learning-rate. This is a setting: give --set learning_rate=VALUE.",
    "--overwite": "Did you mean '--overwrite'?",
    "--device": "--gpu 0",
    "--instances": "--only 3-7",
    "--n-jobs": "--workers N",
    "--resume": "the same command continues",
    "--force": "--overwrite",
    "-k": "--only 3-7",
    "-j": "--workers N",
    "-v": "--verbose",
    "--dryrun": "'--dry-run'",
    "--scoring": "--set rank_by=VALUE",
}


@pytest.mark.parametrize("option", OF_SCRIPTS)
def test_a_guessed_option_of_a_script_is_answered_with_what_to_type(study, option):
    study.script({"architecture": "mlp"})

    assert OF_SCRIPTS[option] in study.mistake("exp.py", option, "3")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("loso", "'fold_strategy': leave_one_out"),
        ("n_splits", "'num_folds'"),
        ("folds", "'num_folds'"),
        ("lr", "'learning_rate'"),
        ("seeds", "'repeats'"),
        ("n_repeats", "'fold_repeats'"),
        ("bs", "'batch_size'"),
        ("arch", "'architecture'"),
        ("normalize", "'normalization'"),
        ("task", "'task_type'"),
        ("scoring", "'rank_by'"),
        ("auc", "'rank_by'"),
        ("metric_for_best_model", "'monitor'"),
        ("train_size", "'train_fraction'"),
        ("sample_weight", "'weight_column'"),
        ("n_iter_no_change", "'patience'"),
        ("initial_epoch", "the same command continues"),
        ("accelerator", "'gpu_ID'"),
        ("gradient_clip_val", "'clip_norm'"),
        ("learning_rate_init", "'learning_rate'"),
        ("min_lr", "'final_learning_rate'"),
        ("balancing", "'sampling'"),
        ("split_strategy", "'fold_strategy'"),
        ("runs", "'repeats'"),
        ("target", "when the dataset is prepared"),
        ("iterations", "'num_epochs'"),
        ("tracking_metric", "'rank_by'"),
        ("max_depth", "'max_leaf_nodes'"),
        ("hidden_layer_sizes", "'n_units'"),
    ],
)
def test_a_guessed_setting_is_answered_with_the_setting(study, name, answer):
    study.script({"architecture": "mlp"})

    assert answer in study.mistake("exp.py", "--set", f"{name}=3")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("predict", "E", "--threshold", "0.5"), "--coverage 0.9"),
        (("compare", "E", "--latex"), "xval report EXPERIMENT --latex"),
        (("report", "E", "--latex", "--output", "t.tex"), "xval report EXPERIMENT --latex > table.tex"),
        (("groups", "E", "--group", "gender"), "--by COLUMN"),
        (("export", "E:1", "--to", "onnx"), "--output FILE"),
        (("export", "E:1", "--output", "net.pb"), ".onnx"),
        (("E",), "xval report results/small/experiment_1"),
        (("status", "E:1"), "leave :1 out"),
    ],
)
def test_guesses_of_what_commands_take(finished, words, answer):
    said = finished.mistake("-m", "xval", *(word.replace("E", finished.EXPERIMENT) for word in words))

    assert answer in said


def test_what_is_answered_exists(empty):
    """A command that an answer names is a command, and an option of a script is one of it."""
    listed = re.findall(r"^  ([\w-]+)  ", empty.xval("--help").stdout, re.MULTILINE)
    options = set(re.findall(r"--[\w-]+", empty.xval("run", "--help").stdout))

    for name in (*GUESSES, *OLD_NAMES):
        said = empty.mistake("-m", "xval", name).partition("Type:")[2]
        assert set(re.findall(r"xval ([\w-]+)", said)) <= set(listed), said
        assert set(re.findall(r"xval run SCRIPT.*?(--[\w-]+)", said)) <= options, said
