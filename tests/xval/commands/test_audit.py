"""xval audit: verdicts as text and JSON, exit codes, and nothing of a backend."""

import json
import shutil
import subprocess
import sys

import pytest

COMMANDS = ("status", "audit", "rebuild")


def test_all_in_order(command, results, finished):
    code, printed, errors = command("audit", results, "--data-folder", finished.folder / "data")

    assert (code, errors) == (0, "")
    assert "ok            normaliser: every model is normalised only by the training items" in printed
    assert "21 rules: 21 ok" in printed


def test_without_the_corpus_nothing_is_silently_ok(command, results):
    code, printed, _ = command("audit", results)

    assert code == 0
    assert "not checkable clips: " in printed
    assert "the dataset 'tones' is not in data. Give the folder of datasets with --data-folder" in printed
    assert "21 rules: 12 ok, 9 not checkable" in printed


def test_the_rules_call_an_item_what_it_is(command, results):
    for path in results.glob("instance_*/settings.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"item_name": "singer"}))

    assert "items: no singer is on two sides of a fold" in command("audit", results)[1]


def test_long_lists_are_cut_and_said_to_be(command, results):
    for fold in (1, 2):
        for instance in range(4, 16):
            shutil.copytree(results / "instance_1" / f"fold_{fold}", results / f"instance_{instance}" / f"fold_{fold}")

    code, printed, _ = command("audit", results)

    assert code == 1
    assert "more; --format json has them all" in printed


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_is_no_experiment(command, tmp_path, name):
    (tmp_path / "empty").mkdir()

    code, _, errors = command(name, tmp_path / "empty")
    missing = command(name, tmp_path / "nowhere")

    assert code == missing[0] == 2
    assert "has no results of an experiment (no folds.json)" in errors
    assert "no such folder" in missing[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_any_path_in_an_experiment_will_do(command, results, name):
    assert command(name, results / "instance_1" / "fold_1" / "model.keras")[0] == 0


def test_none_of_the_commands_loads_a_backend(finished, results):
    program = (
        "import sys; from xval.__main__ import main\n"
        "codes = [main([name, sys.argv[1], *more]) for name, *more in "
        "[('status',), ('audit', '--data-folder', sys.argv[2]), ('rebuild',)]]\n"
        "print('ENDED', codes, sorted({'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules)))"
    )
    arguments = [sys.executable, "-c", program, str(results), str(finished.folder / "data")]

    ended = subprocess.run(arguments, capture_output=True, text=True, check=False)

    assert "ENDED [0, 0, 0] []" in ended.stdout, ended.stdout + ended.stderr
