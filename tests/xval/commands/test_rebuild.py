"""xval rebuild: what is derived, made again; what is damaged, left out and named."""

import shutil
import subprocess
import sys


def test_an_instance_without_its_settings_is_left_out(command, results):
    (results / "instance_2" / "settings.json").unlink()

    code, printed, errors = command("rebuild", results)

    assert code == 1
    assert f"left out: {results / 'instance_2' / 'settings.json'}: missing" in errors
    assert "Written from 2 instances" in printed


def test_without_instances_there_is_nothing_to_write(command, results):
    for path in results.glob("instance_*"):
        shutil.rmtree(path)
    (results / "results.xlsx").unlink()

    code, printed, _ = command("rebuild", results)

    assert code == 0
    assert "nothing to write" in printed
    assert not (results / "results.xlsx").exists()


def test_damaged_folds_are_an_error_and_the_workbook_stays(command, results):
    (results / "folds.json").write_text("{")
    before = (results / "results.xlsx").read_bytes()

    code, _, errors = command("rebuild", results)

    assert code == 2
    assert str(results / "folds.json") in errors
    assert (results / "results.xlsx").read_bytes() == before


def test_it_waits_for_a_run_that_writes_the_same_files(command, results):
    program = (
        "import sys, time; from pathlib import Path; from xval.results.folder import ExperimentFolder\n"
        "with ExperimentFolder(Path(sys.argv[1])).lock():\n"
        "    print('held', flush=True); time.sleep(1); Path(sys.argv[1], 'let_go').touch()"
    )
    (results / "results.xlsx").unlink()
    with subprocess.Popen([sys.executable, "-c", program, str(results)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"

        code, _, _ = command("rebuild", results)
        had_waited = (results / "let_go").exists()

    assert code == 0
    assert had_waited
    assert (results / "results.xlsx").exists()
