"""A Ray cluster that loses a machine, a driver that dies, and what cannot be had."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("ray")

TWO_MACHINES = """
import atexit, os, signal, sys, threading, time
from pathlib import Path
from ray.cluster_utils import Cluster

folder = Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: sys.exit())

def end_with_input():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end_with_input, daemon=True).start()
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
atexit.register(cluster.shutdown)
machines = []
for name in ("first", "second"):
    os.environ["XVAL_TEST_MACHINE"] = name
    machines.append(cluster.add_node(num_cpus=1))
cluster.wait_for_nodes()
(folder / "address").write_text(cluster.address)
while not (folder / "lose").exists():
    time.sleep(0.1)
cluster.remove_node(machines[0], allow_graceful=False)
(folder / "lost").touch()
time.sleep(1000)
"""


@pytest.fixture
def two_machines(project, engines):
    """Start a cluster of two machines with a core each and return its address; the file `lose` takes the first away."""
    environment = project.environment(RAY_USAGE_STATS_ENABLED="0")
    with (project.folder / "cluster.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", TWO_MACHINES, str(project.folder)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=project.folder,
        )
    try:
        engines.wait_for((project.folder / "address").exists)
        yield (project.folder / "address").read_text()
    finally:
        process.communicate(timeout=60)


@pytest.mark.slow
def test_jobs_of_a_lost_machine_run_elsewhere_and_every_job_is_done_once(project, engines, two_machines):
    engines.write_experiment(project, "wait_later", num_folds=3, checkpoint_minutes=1e-6)
    (project.folder / "go").touch()
    assert project.run("--executor", "inline", "--set", "experiment_folder=inline").returncode == 0
    (project.folder / "go").unlink()
    waiting = project.folder / "waiting"
    waiting.unlink()

    running = project.start("--executor", "ray", "--set", f"ray_address={two_machines}")
    engines.wait_for(lambda: waiting.exists() and len(waiting.read_text().splitlines()) == 2)
    begun = dict(reversed(line.split()) for line in waiting.read_text().splitlines())
    assert sorted(begun) == ["first", "second"]
    (project.folder / "lose").touch()
    engines.wait_for((project.folder / "lost").exists)
    engines.wait_for(lambda: not engines.is_running(int(begun["first"])))
    (project.folder / "go").touch()
    printed = running.communicate(timeout=200)[0]

    assert running.returncode == 0, printed
    assert project.scores() == project.scores("inline")
    assert len(project.scores()) == 3
    went_on = [record["went_on"]["after_epoch"] for record in project.records().values() if "went_on" in record]
    assert went_on == [1], "the lost job goes on inside its fold"
    assert len(waiting.read_text().splitlines()) == 4, "each job began once, and the lost one twice"
    outcomes = [json.loads(path.read_text()) for path in (project.results / "jobs").glob("*.outcome.json")]
    assert [outcome["status"] for outcome in outcomes] == ["done"] * 3
    assert not project.leftovers()


@pytest.mark.slow
def test_a_driver_that_was_killed_leaves_no_process_and_may_be_started_again(project, engines, two_machines):
    engines.write_experiment(project, "wait", num_folds=2)
    waiting = project.folder / "waiting"
    command = ("--executor", "ray", "--set", f"ray_address={two_machines}")
    first = project.start(*command)
    engines.wait_for(lambda: waiting.exists() and len(waiting.read_text().splitlines()) == 2)
    first.kill()
    first.wait()
    first.stdout.close()  # what it has started still holds the other end
    engines.wait_for(lambda: not any(engines.is_running(int(line.split()[0])) for line in waiting.read_text().splitlines()))

    (project.folder / "go").touch()
    ended = project.run(*command)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [record["status"] for record in project.records().values()] == ["done", "done"]
    assert not project.leftovers()


@pytest.mark.slow
def test_more_than_any_machine_has_is_refused_at_once(project, engines, two_machines):
    engines.write_experiment(project, None)

    ended = project.run("--executor", "ray", "--set", f"ray_address={two_machines}", "--set", "ray_gpus_per_job=0.5")

    assert ended.returncode == 2
    assert "no machine of the cluster has 1 CPU core and 0.5 GPUs" in ended.stderr


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_named(project, engines):
    engines.write_experiment(project, None)

    ended = project.run("--executor", "ray", "--set", "ray_address=127.0.0.1:1")

    assert ended.returncode == 2
    assert "ray_address=127.0.0.1:1: no Ray cluster can be reached" in ended.stderr
