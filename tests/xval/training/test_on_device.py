"""Whole epochs from examples that a device holds, with a CPU in the place of the GPU: the figures of the host's batches."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

QUICK_COMPILATION = "--xla_cpu_multi_thread_eigen=false --xla_backend_optimization_level=0 intra_op_parallelism_threads=1"


@pytest.fixture
def run_jobs(run_on, tmp_path):
    """Return a function that runs two folds of instance 2, which share a compiled model, and on torch one of instance 4."""
    probe, root = Path(__file__).with_name("warm_model_probe.py"), Path(__file__).parents[3]

    def run_jobs(backend, *where):
        folder = tmp_path / "-".join(["left", *where])
        folder.mkdir()
        jobs = ("2:1", "2:2", *(["4:2"] if backend == "torch" else []))  # JAX compiles each instance for seconds
        return json.loads(
            run_on(backend, probe, folder, *where, *jobs, path=[root], XLA_FLAGS=QUICK_COMPILATION).splitlines()[-1]
        )

    return run_jobs


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_epochs_on_the_device_have_the_figures_of_the_hosts_batches(backend, run_jobs):
    on_device, on_host = run_jobs(backend, "on_device"), run_jobs(backend)

    for name, wanted in on_host.items():
        found = on_device[name]
        assert (found["status"], found.pop("on_device"), wanted.pop("on_device")) == ("done", True, False), found["error"]
        if backend == "torch":  # step by step where nothing can be recorded
            assert found == wanted
        np.testing.assert_allclose(values(found["history"]), values(wanted["history"]), rtol=1e-4, atol=1e-6)


def values(history):
    return [[float(value) for value in row.values()] for row in csv.DictReader(history.splitlines())]
