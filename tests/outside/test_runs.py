"""A script is run: its arguments, what it refuses, what it goes on with, what stops it."""

import json
import os
import re
import signal
import time

import openpyxl
import pandas as pd
import pytest

SVM = {"architecture": "svm", "C": (1.0,)}
NETWORK = {"architecture": "mlp", "n_units": (8,)}
SLOWLY = """
import time

import keras

from xval import Observer


class Waits(Observer):
    def epoch(self, values):
        time.sleep(0.2)


class Fails(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs):
        if epoch == 1:
            raise ValueError("this one cannot be trained")
"""


def scores(study):
    """Return what must be equal bit for bit between runs."""
    read = {path.parent: json.loads(path.read_text()) for path in study.results.glob("instance_*/fold_*/record.json")}
    return {
        f"{folder.parent.name}/{folder.name}": [
            pd.read_parquet(folder / "scores.parquet").to_csv() if record["status"] == "done" else "",
            *(record.get(name) for name in ("confusion_matrix", "seed", "best_epoch")),
        ]
        for folder, record in read.items()
    }


def done(study):
    return sorted(scores(study))


def stamps(study):
    return {path: path.stat().st_mtime_ns for path in study.results.glob("instance_*/fold_*/*")}


@pytest.fixture
def seven(study):
    study.script(*[{"architecture": "constant", "comment_1": f"number {number}"} for number in range(1, 8)])
    return study


@pytest.mark.parametrize(
    ("arguments", "instances"), [(("3", "7", "1"), range(3, 8)), (("3",), [3]), (("2", "3"), [2, 3]), ((), range(1, 8))]
)
def test_instances_are_chosen_by_numbers(seven, arguments, instances):
    ended = seven.run(*arguments)

    assert ended.returncode == 0, ended.stderr
    assert done(seven) == [f"instance_{number}/fold_{fold}" for number in instances for fold in (1, 2)]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("9",), "1-7"),
        (("3", "2"), "3"),
        (("--folds", "7"), "1-2"),
        (("--set", "num_epoch=3"), "'num_epochs'"),
        (("--set", "num_epochs=three"), "three"),
        (("--set", "num_epochs"), "KEY=VALUE"),
        (("--workers", "many"), "--workers"),
        (("--lst",), "'--list'"),
        (("--executor", "inlin"), "inline"),
        (("--where", "gender == "), "gender == "),
        (("--set", "num_folds=40"), "40"),
    ],
    ids=lambda given: "_".join(given) if isinstance(given, tuple) else "",
)
def test_a_mistake_in_an_argument_is_named(seven, arguments, named):
    assert named in seven.mistake("exp.py", *arguments)
    assert not done(seven)


@pytest.mark.parametrize(
    ("instance", "named"),
    [
        ({"architecture": "cnn_smal"}, "'cnn_small'"),
        ({"architecture": "mlp", "n_unit": (8,)}, "'n_units'"),
        ({"architecture": "mlp", "learning_rate": "fast"}, "fast"),
        ({"architecture": "mlp", "learning_rate": -1}, "-1"),
        ({"architecture": "mlp", "optimizer": "adamm"}, "'adam'"),
        ({"architecture": "mlp", "metrics": "acuracy"}, "acuracy"),
        ({"architecture": "mlp", "loss": "parts.none"}, "parts"),
        ({"architecture": "mlp", "monitor": "val_los"}, "'val_loss'"),
        ({"architecture": "mlp", "epochs": 3}, "num_epochs"),
        ({"architecture": "mlp", "num_folds": 3}, "num_folds"),
        ({"architecture": "sincnet"}, "sincnet"),
        ({"architecture": "svm", "dropout": 0.1}, "dropout"),
    ],
    ids=lambda given: "_".join(map(str, given.values())) if isinstance(given, dict) else "",
)
def test_a_mistake_in_an_instance_is_named_before_the_first_training(study, instance, named):
    study.script(SVM, instance)

    said = study.mistake("exp.py", "--executor", "inline")

    assert named in said
    assert "instance 2" in said
    assert not done(study)


def test_a_corpus_that_is_not_there_is_named(study):
    study.script(SVM, dataset="smal")

    assert "small" in study.mistake("exp.py")


def test_list_and_dry_run_train_nothing(seven):
    listed = seven.run("--list")
    planned = seven.run("--dry-run")

    assert listed.returncode == planned.returncode == 0
    assert "number 7" in listed.stdout
    assert "s0" in planned.stdout
    assert not done(seven)


def test_both_forms_of_an_instance_mean_the_same(study):
    study.script(SVM | {"time_parts": 2}, ['architecture="svm"', "C=(1.0,)", 'time_parts="2"'])

    assert study.run().returncode == 0

    assert study.score_table(1).equals(study.score_table(2))


def test_the_older_form_is_read_and_never_executed(study):
    study.script(['architecture="svm"', "C=__import__('os').system('touch ran')"])

    assert "instance 1" in study.mistake("exp.py")
    assert not (study.folder / "ran").exists()


def test_a_grid_makes_an_instance_of_each_combination(study):
    study.script(head="")
    text = (study.folder / "exp.py").read_text()
    grid = "experiment.grid(architecture=['mlp'], dropout=[0.0, 0.5], n_units=[(4,), (8,)])\nif __name__"
    study.file("exp.py", text.replace("if __name__", grid))

    listed = study.run("--list")

    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines() if line.strip()[:1].isdigit()] == ["1", "2", "3", "4"]


def test_grids_that_share_values_are_named_by_what_differs_between_them(study):
    study.script(head="")
    text = (study.folder / "exp.py").read_text()
    grids = "".join(f"experiment.grid(architecture=[{name!r}], seed=[1, 2])\n" for name in ("svm", "forest"))
    study.file("exp.py", text.replace("if __name__", f"{grids}if __name__"))

    listed = study.run("--list").stdout

    assert [name for name in ("svm, seed 1", "svm, seed 2", "forest, seed 1", "forest, seed 2") if name not in listed] == []


def test_a_finished_run_has_nothing_to_do_and_changes_nothing(study):
    study.train(SVM)
    before = stamps(study)

    again = study.run()

    assert again.returncode == 0
    assert "svm" in again.stdout
    assert stamps(study) == before


def test_folds_may_be_run_one_by_one(study):
    study.script(SVM)

    assert study.run("--folds", "2").returncode == 0
    assert done(study) == ["instance_1/fold_2"]
    assert "1" in study.run("--dry-run").stdout
    assert study.run().returncode == 0
    alone = scores(study)
    study.script(SVM, num_experiment=1, experiment_folder="other")
    assert study.run().returncode == 0
    other = pd.read_parquet(study.folder / "other/small/experiment_1/instance_1/fold_2/scores.parquet")
    assert alone["instance_1/fold_2"][0] == other.to_csv()


def test_a_changed_setting_is_refused_and_overwrite_replaces(study):
    study.train(SVM, {"architecture": "knn"})
    other = ("--set", "time_parts=2", "2")

    said = study.mistake("exp.py", *other)
    assert "time_parts was" in said
    before = scores(study)
    assert study.run(*other, "--overwrite").returncode == 0

    after = scores(study)
    assert after["instance_1/fold_1"] == before["instance_1/fold_1"]
    assert after["instance_2/fold_1"] != before["instance_2/fold_1"]
    assert not list(study.results.glob("*.replaced"))


def test_another_script_with_the_same_number_is_refused(study):
    study.train(SVM)
    study.script(SVM, name="other.py")

    settings = study.results / "instance_1" / "settings.json"

    for options in ((), ("--dry-run",)):
        said = study.mistake("other.py", *options)
        assert "has the results of another script, exp.py (instance 1). This is other.py" in said
        assert "Set num_experiment=2, which is free." in said
    for options, script in ((("--dry-run",), "exp.py"), ((), "other.py")):
        ended = study.run("--take-over", *options, script="other.py")
        assert ended.returncode == 0, ended.stderr
        assert json.loads(settings.read_text())["script"] == script
    assert "Nothing to do" in ended.stdout


def test_own_code_that_has_changed_is_refused(study):
    study.file(
        "mine.py", "from xval import metric\n\n@metric(higher_is_better=True)\ndef one(targets, predictions):\n    return 1.0\n"
    )
    study.train({**SVM, "metrics": "mine.one"})
    assert study.record()["further_metrics"] or "one" in study.scores()
    study.file(
        "mine.py", "from xval import metric\n\n@metric(higher_is_better=True)\ndef one(targets, predictions):\n    return 0.5\n"
    )

    said = study.mistake("exp.py")

    assert "mine.py" in said
    assert "one" in said


@pytest.mark.long
def test_seeds_and_partitions_add_folds(study):
    study.script(NETWORK, SVM, num_epochs=1)

    assert study.run("1", "--repeats", "2").returncode == 0
    assert done(study) == [f"instance_1/fold_{fold}" for fold in ("1", "1_repeat_2", "2", "2_repeat_2")]
    assert study.record()["seed"] != json.loads((study.results / "instance_1/fold_1_repeat_2/record.json").read_text())["seed"]
    assert study.run("2", "--fold-repeats", "2").returncode == 0
    assert "instance_2/fold_4" in done(study)


def test_config_ini_of_a_study_gives_defaults(empty, study_in):
    assert empty.xval("new", "mine").returncode == 0
    inside = study_in(empty.folder / "mine")
    inside.corpus()
    (inside.folder / "config.ini").write_text(
        "[experiment]\ndataset = small\npage = none\n[folds]\nnum_folds = 3\nfold_repeats = 1\n"
    )
    inside.file("experiments/exp.py", "from xval import Experiment\nexperiment = Experiment('From a study')\n"
                "experiment[1] = {'architecture': 'knn'}\nif __name__ == '__main__':\n    experiment.main()\n")  # fmt: skip

    ended = empty.python("mine/experiments/exp.py", "--executor", "inline")

    assert ended.returncode == 0, ended.stderr
    assert done(inside) == [f"instance_1/fold_{fold}" for fold in (1, 2, 3)]
    inside.file("config.ini", "[folds]\nnum_fold = 3\n")
    assert "'num_folds'" in empty.mistake("mine/experiments/exp.py")


@pytest.mark.parametrize("strategy", ["leave_one_out", "holdout", "LeaveOneGroupOut", "parts.split"])
def test_folds_are_made_by_each_strategy(study, strategy):
    study.file(
        "parts.py", "def split(items):\n    names = list(items['item'])\n    return [names[:2], names[2:4], names[4:]]\n"
    )
    study.script(SVM, fold_strategy=strategy, num_folds=3)

    ended = study.run()

    assert ended.returncode == 0, ended.stderr
    assert len(done(study)) == {"holdout": 1, "parts.split": 3}.get(strategy, 6)
    tested = [
        item for path in study.results.glob("*/fold_*/record.json") for item in json.loads(path.read_text())["items"]["test"]
    ]
    assert strategy == "holdout" or sorted(tested) == [f"s{number}" for number in range(6)]


def test_a_splitter_that_tests_a_speaker_twice_is_refused(study):
    study.file("parts.py", "def split(items):\n    names = list(items['item'])\n    return [names[:3], names[2:]]\n")
    study.script(SVM, fold_strategy="parts.split")

    said = study.mistake("exp.py")

    assert "parts.split" in said
    assert "s2" in said


def test_a_failed_instance_costs_no_other_one(study):
    study.file("watch.py", SLOWLY)
    study.script(NETWORK | {"callbacks": "watch.Fails"}, SVM)

    ended = study.run()

    assert ended.returncode == 1
    assert "this one cannot be trained" in ended.stdout
    assert study.record(2)["status"] == "done"
    assert study.record(1)["status"] == "failed"
    status = study.xval("status", study.EXPERIMENT, "--format", "json")
    assert status.returncode == 1
    assert json.loads(status.stdout)["failed"] == 2
    said = study.xval("status", study.EXPERIMENT).stdout
    assert re.search(r"instance 1, fold 1-2: failed: .*watch\.py, line 17: ValueError: this one cannot be trained", said)
    sheet = openpyxl.load_workbook(study.results / "results.xlsx")["summary"]
    assert any("svm" in str(cell.value) for row in sheet.iter_rows() for cell in row)
    study.file("watch.py", SLOWLY.replace('raise ValueError("this one cannot be trained")', "pass"))
    assert study.run().returncode == 0  # failed folds are tried again
    assert study.record(1)["status"] == "done"


@pytest.mark.long
def test_debug_stops_at_the_first_error_with_its_place(study):
    study.file("watch.py", SLOWLY)
    study.script(NETWORK | {"callbacks": "watch.Fails"}, SVM)

    ended = study.python("exp.py", "--debug")

    assert ended.returncode not in (0, 2)
    assert "Traceback" in ended.stderr
    assert "watch.py" in ended.stderr
    assert not (study.results / "instance_2" / "fold_1").exists()


@pytest.mark.long
def test_parts_of_ones_own_take_part(study):
    study.file("parts.py", PARTS)
    study.train(
        NETWORK
        | {
            "loss": "parts.loss",
            "optimizer": "parts.optimizer",
            "schedule": "parts.halve",
            "metrics": "parts.right, kl_divergence",
        }
        | {"callbacks": "parts.Watcher, parts.Lines"},
        num_epochs=3,
    )

    history = study.history()
    assert list(history["learning_rate"].round(6)) == [0.01, 0.005, 0.0025]
    assert "val_right" in history.columns
    seen = (study.folder / "seen.txt").read_text().split()
    assert seen.count("begin") == 2
    assert seen.count("done") == 2
    assert seen.count("callback") >= 6  # and in the trial before the first fold


PARTS = """
from pathlib import Path

import keras

from xval import Observer, metric


def say(word):
    with Path("seen.txt").open("a") as file:
        file.write(word + "\\n")


def loss(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


def optimizer(learning_rate):
    return keras.optimizers.SGD(learning_rate, momentum=0.5)


def halve(epoch, learning_rate):
    return 0.01 * 0.5**epoch


@metric(higher_is_better=True, bounds=(0, 1))
def right(targets, predictions):
    return float((predictions.argmax(axis=1) == targets).mean())


class Watcher(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs):
        say("callback")


class Lines(Observer):
    def begin(self, job):
        say("begin")

    def end(self, outcome):
        say(outcome.status)
"""


@pytest.mark.slow
def test_objects_of_keras_stand_for_names(study):
    optimizer = "'optimizer': keras.optimizers.SGD(0.02, momentum=0.3), 'loss': keras.losses.CategoricalFocalCrossentropy()"
    study.script(f"{{'architecture': 'mlp', {optimizer}}}", head="import keras")

    ended = study.python("exp.py", in_workers=True)

    assert ended.returncode == 0, ended.stderr
    assert study.history()["learning_rate"][0] == pytest.approx(0.02)


@pytest.mark.long
def test_killed_in_the_middle_the_same_command_gives_the_same_numbers(study, tmp_path_factory, study_in):
    study.file("watch.py", SLOWLY)
    study.script(NETWORK | {"callbacks": "watch.Waits", "dropout": 0.2}, NETWORK | {"callbacks": "watch.Waits"}, num_epochs=3)
    with study.started("exp.py", "--workers", "2") as process:
        study.wait_for("instance_1/fold_*/record.json", process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(done(study)) < 4
    finished = {path: stamp for path, stamp in stamps(study).items() if path.name == "record.json"}

    assert study.run().returncode == 0

    assert {path: stamp for path, stamp in stamps(study).items() if path in finished} == finished
    undisturbed = study_in(tmp_path_factory.mktemp("undisturbed"))
    undisturbed.corpus()
    undisturbed.file("watch.py", SLOWLY.replace("time.sleep(0.2)", "pass"))
    undisturbed.file("exp.py", (study.folder / "exp.py").read_text())
    assert undisturbed.run().returncode == 0
    assert scores(study) == scores(undisturbed)
    assert not [path for path in study.results.rglob("*") if path.name.endswith(".part") or path.name.startswith(".script")]


@pytest.mark.long
def test_ctrl_c_ends_a_run_while_another_terminal_looks_at_it(study):
    study.file("watch.py", SLOWLY)
    study.script(NETWORK | {"callbacks": "watch.Waits"}, num_epochs=100, patience=100)
    with study.started("exp.py") as process:
        study.wait_for("instance_1/.fold_1.lock", process)
        for _ in range(200):
            status = json.loads(study.xval("status", study.EXPERIMENT, "--format", "json").stdout)
            (first, _) = status["instances"][0]["jobs"]
            if first["epoch"]:
                break
        assert (first["state"], first["epochs"]) == ("running", 100)
        assert "running" in study.xval("list").stdout
        second = study.run("--folds", "1")  # it leaves the fold to the first process
        assert second.returncode == 0
        assert "another process" in second.stdout
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "Traceback" not in said
    assert json.loads(study.xval("status", study.EXPERIMENT, "--format", "json").stdout)["running"] == 0


BUSY_IN_C = """
import hashlib
import os
import time
from pathlib import Path

from xval import Observer

BUSY = Path("busy").with_suffix(".txt")  # a file that the code named whole would be a part of the code


class Computes(Observer):
    def epoch(self, values):
        if "UNDISTURBED" in os.environ or BUSY.exists():
            return
        time.sleep(0.4)
        if values["epoch"] == 6:
            BUSY.touch()
            hashlib.pbkdf2_hmac("sha256", b"", b"", 30_000_000)  # some 10 s, in which no signal reaches Python
"""


@pytest.mark.long
def test_a_second_ctrl_c_loses_no_checkpoint_and_changes_no_result(study, tmp_path_factory, study_in):
    study.file("watch.py", BUSY_IN_C)
    study.script(NETWORK | {"callbacks": "watch.Computes", "dropout": 0.2}, num_epochs=9, patience=100)
    with study.started("exp.py", "--folds", "1") as process:
        while not (study.folder / "busy.txt").exists():
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            time.sleep(0.5)
        said = process.communicate(timeout=60)[0]
        assert process.returncode == 130
        *_, where, last = said.strip().splitlines()
        said_epoch = int(where.removeprefix("instance 1, fold 1: continues after epoch "))
        assert 1 <= said_epoch <= 5
        assert last == "Interrupted. Finished work is kept; the same command continues from there."
    (instance,) = json.loads(study.xval("status", study.EXPERIMENT, "--format", "json").stdout)["instances"]
    first = next(job for job in instance["jobs"] if job["fold"] == 1)
    assert first["checkpoint"] == said_epoch

    assert study.python("exp.py", "--folds", "1", in_workers=True).returncode == 0
    assert study.record()["went_on"]["after_epoch"] == said_epoch
    undisturbed = study_in(tmp_path_factory.mktemp("undisturbed"))
    undisturbed.corpus()
    for name in ("watch.py", "exp.py"):
        undisturbed.file(name, (study.folder / name).read_text())
    assert undisturbed.run("--folds", "1", UNDISTURBED="1").returncode == 0
    assert scores(study) == scores(undisturbed)


SLOW_TO_BUILD = """
import time
from pathlib import Path

import keras


def build(input_shape, output_shape):
    while not Path("go").exists():
        time.sleep(0.05)
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(output_shape[-1])])
"""


@pytest.mark.long
def test_a_run_that_is_starting_is_shown_also_beside_a_second_one_of_the_same_script(study):
    study.file("slow.py", SLOW_TO_BUILD)
    study.script({"architecture": "slow.build"})
    with study.started("exp.py", "--executor", "inline") as process:
        study.wait_for("folds.json", process)
        for _ in range(2):
            said = study.xval("status", study.EXPERIMENT).stdout
            assert "exp.py is at work since" in said
            assert "No job is running: it is starting" in said
            assert "Nothing is running" not in said
            assert (
                json.loads(study.xval("status", study.EXPERIMENT, "--format", "json").stdout)["at_work"][0]["script"]
                == "exp.py"
            )
            assert json.loads(study.xval("list", "--format", "json").stdout)[0]["state"] == "starting"
            study.run("--set", "nonsense=1")  # refused, and the first one is still shown
            with study.started("exp.py", "--executor", "inline") as second:
                while len(list(study.results.glob(".script*"))) < 2:
                    assert second.poll() is None
                    time.sleep(0.001)
                second.send_signal(signal.SIGINT)
                assert second.wait(100) == 130
            assert len(list(study.results.glob(".script*"))) == 1, "an interrupted run leaves no note"
        study.file("go", "")
        assert process.wait(100) == 0, process.communicate()[0]
    assert json.loads(study.xval("status", study.EXPERIMENT, "--format", "json").stdout)["at_work"] == []
    assert json.loads(study.xval("list", "--format", "json").stdout)[0]["state"] == "done"


LOSES_AN_INTERRUPTION = """
import time
from pathlib import Path


class Handle:
    def __del__(self):
        Path("closing").touch()
        time.sleep(60)


def build(input_shape, output_shape):
    Handle()
    while True:
        time.sleep(0.05)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "code", "ignored"),
    [
        (signal.SIGINT, 130, ""),
        (signal.SIGTERM, 143, ""),
        (signal.SIGTERM, 143, "signal.signal(signal.SIGINT, signal.SIG_IGN)"),
    ],
)
def test_an_interruption_that_python_drops_still_ends_the_run(study, number, code, ignored):
    """SIGINT is ignored where a shell starts a command with ``&``."""
    study.file("lost.py", LOSES_AN_INTERRUPTION)
    study.script({"architecture": "lost.build"}, head=f"import signal\n{ignored}")
    with study.started("exp.py", "--executor", "inline") as process:
        while not (study.folder / "closing").exists():
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        process.send_signal(number)
        said = process.communicate(timeout=100)[0]
    assert process.returncode == code, said
    assert "Interrupted. Finished work is kept" in said
    assert "Traceback" not in said


@pytest.mark.long
def test_two_terminals_add_to_one_workbook(study):
    study.script({"architecture": "knn"}, SVM, {"architecture": "logistic"}, {"architecture": "forest"})
    with (
        study.started("exp.py", "1", "2", "--executor", "inline") as first,
        study.started("exp.py", "3", "4", "--executor", "inline") as second,
    ):
        for process in (first, second):
            said = process.communicate(timeout=120)[0]
            assert process.returncode == 0, said

    assert len(done(study)) == 8
    assert json.loads(study.xval("status", study.EXPERIMENT, "--format", "json").stdout)["done"] == 8
    sheet = openpyxl.load_workbook(study.results / "results.xlsx")["summary"]
    text = " ".join(str(cell.value) for row in sheet.iter_rows() for cell in row)
    assert all(name in text for name in ("knn", "svm", "logistic", "forest"))


@pytest.mark.long
@pytest.mark.parametrize(("given", "said"), [({}, "on"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "off")])
def test_tensorflow_computes_with_onednn_unless_the_user_says_otherwise(study, given, said):
    study.script({"architecture": "mlp", "n_units": (4,)}, num_epochs=1)

    ended = study.python("exp.py", "--folds", "1", in_workers=True, **given)

    assert ended.returncode == 0, ended.stderr
    assert study.record()["versions"]["onednn"] == said


@pytest.mark.long
def test_flags_of_xla_that_the_user_set_reach_the_workers(study):
    study.file(
        "watch.py",
        "import os, pathlib, keras\nclass Notes(keras.callbacks.Callback):\n"
        "    def on_train_begin(self, logs=None):\n"
        "        pathlib.Path('flags.txt').write_text(os.environ['XLA_FLAGS'])\n",
    )
    study.script({"architecture": "mlp", "n_units": (4,), "callbacks": "watch.Notes"}, num_epochs=1)
    flags = "--xla_cpu_max_isa=AVX2 intra_op_parallelism_threads=7"

    ended = study.python("exp.py", "--folds", "1", in_workers=True, XLA_FLAGS=flags)

    assert ended.returncode == 0, ended.stderr
    noted = (study.folder / "flags.txt").read_text().split()
    assert "--xla_cpu_max_isa=AVX2" in noted
    assert [flag for flag in noted if flag.startswith("intra_op")] == ["intra_op_parallelism_threads=1"]  # of the worker
