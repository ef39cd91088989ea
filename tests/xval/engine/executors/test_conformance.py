"""What every executor that is installed does alike: the same records, failure, kill, retry, resume, interrupt."""

import json
import os
import signal
import subprocess

import pytest

from xval.settings.architectures import executor_names

EXECUTORS = [name for name in executor_names() if name != "auto"]
# A Ray cluster takes ports and shared memory that not every machine gives, and half a minute; a job of the others is a process.
# Jobs run inline in many other tests.
LONG = ("command", "inline", "ray", "slurm")
IN_EVERY_RUN = [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in EXECUTORS]
WITHOUT_RETRY = ("inline", "command")  # a killed job takes the run with it, or is the scheduler's own affair


def reference(project, engines, make_once):
    """Return the figures of instance 2 on fold 1, from an inline run in which nothing was killed; it is made once."""

    def other(folder):
        return type(project)(folder, folder / "results" / "toy" / "experiment_1")

    def run(folder):
        other(folder).write_corpus()
        engines.write_experiment(other(folder), "fail", "die_once")
        (folder / "died").touch()
        ended = other(folder).run("2", "2", "--folds", "1", "--executor", "inline")
        assert ended.returncode == 0, ended.stdout + ended.stderr

    return other(make_once("nothing_killed", run)).scores()[2, 1]


@pytest.mark.parametrize("executor", IN_EVERY_RUN)
def test_a_failure_is_recorded_a_kill_retried_and_the_figures_are_the_same(project, engines, make_once, executor):
    engines.write_experiment(project, "fail", "die_once")
    wanted = ("--folds", "1", "--repeats", "2")

    code, printed = engines.run_all(project, executor, *(wanted if executor not in WITHOUT_RETRY else wanted[:2]))

    assert (project.folder / "died").exists(), printed
    of_job = "" if executor in WITHOUT_RETRY else "instance 1, fold 1: "
    assert printed.count(f"\n{of_job}the callback prints 1\n") == 1, printed
    if executor in WITHOUT_RETRY:
        assert code, printed
        assert (2, 1) not in project.records()
        code, printed = engines.run_all(project, executor, "2", "2", *wanted)
        assert code == 0, printed
    else:
        assert code == 1, printed
    found = project.records()
    assert {job: record["status"] for job, record in found.items()} == {(1, 1): "failed", (2, 1): "done"}
    assert "on purpose" in found[1, 1]["error"]
    assert "Traceback" in found[1, 1]["traceback"]
    assert {name: found[2, 1][name] for name in engines.compared} == reference(project, engines, make_once)
    second = json.loads((project.results / "instance_2" / "fold_1_repeat_2" / "record.json").read_text())
    assert (second["status"], second["repeat"], second["seed"] != found[2, 1]["seed"]) == ("done", 2, True)
    assert (project.results / "results.xlsx").exists()
    assert not project.leftovers()


def test_commands_alone_go_to_the_standard_output(project, engines):
    engines.write_experiment(project, None)
    assert project.run("--folds", "1", "--executor", "inline").returncode == 0

    ended = project.run("--executor", "command")

    (line,) = ended.stdout.splitlines()  # of fold 2, as the first is done
    assert "xval run-job" in line
    assert "balanced accuracy" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_interrupt_ends_what_runs_and_the_same_command_goes_on(project, engines, executor):
    engines.write_experiment(project, "wait", num_folds=3)
    running = start(project, engines, executor)
    engines.wait_for((project.folder / "waiting").exists)
    waiting = int((project.folder / "waiting").read_text().split()[0])

    os.kill(running.pid, signal.SIGINT)
    printed = running.communicate(timeout=100)[0]

    assert running.returncode == 130, printed
    engines.wait_for(lambda: not engines.is_running(waiting), 20)
    assert not project.leftovers()
    assert not project.records()
    (project.folder / "go").touch()
    code, printed = engines.run_all(project, executor, "--folds", "1")
    assert code == 0, printed
    assert list(project.records()) == [(1, 1)]


def start(project, engines, executor):
    """Start a run in the background; of an executor that prints commands, the first of them."""
    if executor != "command":
        return project.start(*engines.options_of(executor))
    line = project.run("--executor", "command", "--quiet").stdout.splitlines()[0]
    return subprocess.Popen(
        engines.split(line), cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=project.environment()
    )
