import os
import pty
import runpy
import subprocess
import sys
from contextlib import suppress
from types import ModuleType

import pytest

from xval import Experiment
from xval.base.errors import ResultsError, SettingsError, UsageError
from xval.experiment.snapshot import as_script


def test_instances_are_numbered_dicts():
    experiment = Experiment("a test")
    experiment[3] = {"architecture": "mlp"}
    experiment[1] = ['architecture="mlp"', 'learning_rate="0.01"']

    assert list(experiment) == [1, 3]
    assert len(experiment) == 2
    assert experiment[1] == {"architecture": "mlp", "learning_rate": "0.01"}


def test_a_grid_adds_the_product_after_the_last_number():
    experiment = Experiment("a test")
    experiment[4] = {}

    numbers = experiment.grid(architecture=["mlp", "crnn"], learning_rate=[0.1, 0.01, 0.001])

    assert numbers == [5, 6, 7, 8, 9, 10]
    assert experiment[6] == {"comment_1": "mlp, learning_rate 0.01", "architecture": "mlp", "learning_rate": 0.01}


def test_comments_of_grids_are_unique_and_leave_out_what_all_instances_share():
    experiment = Experiment("a test")
    for architecture in ("mlp", "crnn", "crnn"):
        experiment.grid(architecture=[architecture], learning_rate=[0.1, 0.1 + 0.2], seed=[1])
    experiment.grid(dropout=[0.5, 0.5 + 1e-9])

    assert [experiment[number]["comment_1"] for number in experiment] == [
        "mlp, learning_rate 0.1, seed 1",
        "mlp, learning_rate 0.3, seed 1",
        "crnn, learning_rate 0.1, seed 1",
        "crnn, learning_rate 0.3, seed 1",
        "crnn, learning_rate 0.1, seed 1 (5)",
        "crnn, learning_rate 0.3, seed 1 (6)",
        "dropout 0.5",
        "dropout 0.5 (8)",
    ]


def test_a_comment_that_a_user_gives_an_instance_of_a_grid_stays():
    experiment = Experiment("a test")
    for number in experiment.grid(seed=[1, 2]):
        experiment[number]["comment_1"] = f"mine {number}"
    experiment.grid(architecture=["crnn"], seed=[1, 2])

    assert [experiment[number]["comment_1"] for number in experiment] == ["mine 1", "mine 2", "seed 1", "seed 2"]


def test_a_comment_in_a_grid_is_kept():
    experiment = Experiment("a test")

    experiment.grid(comment_1=["mine"], seed=[1])

    assert experiment[1] == {"comment_1": "mine", "seed": 1}


@pytest.mark.parametrize("number", [0, -1, True, "1", 1.5])
def test_numbers_are_whole_and_above_zero(number):
    with pytest.raises(SettingsError, match="a whole number from 1"):
        Experiment("a test")[number] = {}


def test_a_number_is_used_once():
    experiment = Experiment("a test")
    experiment._declaration.script_path = "exp.py"  # the cell of a notebook has none, and may be run again
    experiment[1] = {}

    with pytest.raises(SettingsError, match="instance 1: this number is already used"):
        experiment[1] = {}


@pytest.mark.parametrize("parameters", ["architecture", 3, None])
def test_parameters_are_a_dict_or_a_list(parameters):
    with pytest.raises(SettingsError, match="a dict of parameters or a list"):
        Experiment("a test")[1] = parameters


@pytest.mark.parametrize("values", ["mlp", 3, []])
def test_a_grid_wants_lists(values):
    with pytest.raises(SettingsError, match="architecture: expected a list of values"):
        Experiment("a test").grid(architecture=values)


@pytest.mark.parametrize(("unnamed", "named"), [((["mlp"],), {}), (({"architecture": ["mlp"]},), {}), ((), {})])
def test_a_grid_wants_names(unnamed, named):
    with pytest.raises(SettingsError, match=r"grid: parameters need names, such as grid\(learning_rate="):
        Experiment("a test").grid(*unnamed, **named)


def test_what_was_not_declared_is_named():
    with pytest.raises(SettingsError, match=r"no instance 3\. Available: none"):
        Experiment("a test")[3]
    with pytest.raises(SettingsError, match="expected a description"):
        Experiment({"dataset": "toy"})


def test_a_script_with_a_mistake_exits_with_2(tmp_path):
    (tmp_path / "exp.py").write_text("from xval import Experiment\nExperiment('a test')[1] = 3\n")

    ended = subprocess.run([sys.executable, "exp.py"], cwd=tmp_path, capture_output=True, text=True)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "exp.py, instance 1: expected a dict of parameters or a list" in ended.stderr


AT_THE_PROMPT = """
import xval
kept = 6 * 7
experiment = xval.Experiment("a session", dataset="gone")
experiment[1] = 3
experiment.grid(seed=3)
xval.load_model("gone")
experiment.main(["--wrong"])
print("kept is", kept)
exit(len(experiment))
"""


def test_mistakes_at_the_prompt_of_python_are_a_line_each_and_the_session_goes_on(tmp_path):
    ours, of_session = pty.openpty()
    plain = os.environ | {"TERM": "dumb", "PYTHON_BASIC_REPL": "1"}
    streams = {"stdin": of_session, "stdout": of_session, "stderr": of_session}
    session = subprocess.Popen([sys.executable, "-q"], cwd=tmp_path, env=plain, **streams)
    os.close(of_session)
    os.write(ours, AT_THE_PROMPT.encode())
    printed = b""
    with suppress(OSError):  # how Linux says that the other end is closed
        while part := os.read(ours, 4096):
            printed += part
    os.close(ours)

    assert session.wait() == 0, printed
    assert b"kept is 42" in printed
    assert printed.count(b"error: ") == 4, printed
    assert b"Traceback" not in printed


@pytest.fixture
def declare(project, in_process):
    """Return a function that declares an experiment as `Project.write_script` does."""

    def declare(*instances, **parameters):
        shared = {
            "dataset": "toy",
            "num_folds": 3,
            "fold_repeats": 1,
            "num_epochs": 1,
            "batch_size": 16,
            "learning_rate": 0.01,
            "page": "none",
        }
        experiment = Experiment(
            "a test", **shared | {"architecture": "mlp", "n_units": (4,), "executor": "inline"} | parameters
        )
        for number, instance in enumerate(instances, start=1):
            experiment[number] = instance
        return experiment

    return declare


def test_a_notebook_runs_what_it_declares_and_runs_it_once(declare, project, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    monkeypatch.setattr(sys, "argv", ["/env/site-packages/ipykernel_launcher.py", "-f", "kernel.json"])
    experiment = declare({"seed": 3})
    experiment[1] = {"seed": 4}  # its cell is run again

    results = experiment.run(gpu="cpu", folds=[1, 3])

    assert results.folder == project.results.relative_to(project.folder)
    assert sorted(project.records()) == [(1, 1), (1, 3)]
    assert set(results.folds["fold"]) == {1, 3}
    (copy,) = (project.results / "code").iterdir()
    assert "experiment[1] = {'seed': 4}" in (copy / "script" / "experiment.py").read_text()
    stamps = {job: project.stamp(job) for job in project.records()}
    capfd.readouterr()
    experiment.run(gpu="cpu", folds=[1, 3], quiet=True)
    assert capfd.readouterr().out == ""
    assert {job: project.stamp(job) for job in project.records()} == stamps
    with pytest.raises(ResultsError, match=r"seed was 4, now 5.+ or replace the results with overwrite_results=True"):
        experiment.run(seed=5)


def test_a_script_copy_declares_the_same_experiment(declare, tmp_path):
    experiment = declare({"comment_1": 'a "b"', "n_units": (3, 2)})
    (tmp_path / "copy.py").write_text(as_script(experiment._declaration))

    found = runpy.run_path(str(tmp_path / "copy.py"))["experiment"]

    assert found._declaration.parameters == experiment._declaration.parameters
    assert found._declaration.instances == experiment._declaration.instances


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": 2}, "no instance 2. Available: 1"),
        ({"last": 1}, "LAST 1 without FIRST"),
        ({"folds": 7}, "no fold 7. Available: 1-3"),
        ({"num_epoch": 3}, r"^run\(\): unknown parameter 'num_epoch'. Did you mean 'num_epochs'"),
        ({"fold": [1]}, r"^run\(\): unknown parameter 'fold'. Did you mean 'folds'\?$"),
        ({"gpu": "x"}, r"run\(\): gpu_ID: received 'x'"),
    ],
)
def test_mistakes_are_raised_and_nothing_is_trained(declare, project, arguments, message):
    with pytest.raises(UsageError, match=message):
        declare({}).run(**arguments)
    assert project.records() == {}


def test_a_run_of_which_trials_alone_failed_says_so(finished, monkeypatch):
    monkeypatch.chdir(finished.folder)
    monkeypatch.setattr("xval.experiment.declare.run_experiment", lambda *_: 1)
    experiment = Experiment("a test", dataset="tones")
    experiment[1] = {}

    with pytest.warns(UserWarning, match=r"trials of a search failed; see their records in instance_<i>/search$"):
        experiment.run()


def test_a_part_of_the_notebook_itself_is_refused_with_a_way_out(declare):
    with pytest.raises(
        SettingsError, match=r"Give the function or class itself.*move it to a file next to it, such as my_parts"
    ):
        declare({"loss": "__main__.my_loss"}).run()
