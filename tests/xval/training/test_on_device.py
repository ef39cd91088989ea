"""Whole epochs from examples that a device holds, with a CPU in the place of the GPU: the figures of the host's batches."""

import csv

import numpy as np
import pytest

SLOW = pytest.mark.slow


# 2: two folds, which share a compiled model; 3: mixed, masked, with noise; 4: weighted; 6: crops of waveforms, mixed
@pytest.mark.parametrize(
    ("backend", "jobs"),
    [
        ("torch", ["2:1", "2:2"]),
        ("tensorflow", ["3:1"]),
        pytest.param("torch", ["3:1", "4:2", "6:1"], marks=SLOW),
        pytest.param("jax", ["2:1", "2:2", "3:1", "6:1"], marks=SLOW),
        pytest.param("tensorflow", ["2:1", "2:2", "6:1"], marks=SLOW),
    ],
)
def test_epochs_on_the_device_have_the_figures_of_the_hosts_batches(backend, jobs, run_jobs):
    on_device, on_host = run_jobs(backend, "on_device", *jobs), run_jobs(backend, *jobs)

    for name, wanted in on_host.items():
        found = on_device[name]
        assert (found["status"], found.pop("on_device"), wanted.pop("on_device")) == ("done", True, False), found["error"]
        assert not found["not_recorded"]
        if backend != "jax":  # whose compiler adds up in another order within a loop
            assert found == wanted
        np.testing.assert_allclose(values(found["history"]), values(wanted["history"]), rtol=1e-4, atol=1e-6)


def values(history):
    return [[float(value) for value in row.values()] for row in csv.DictReader(history.splitlines())]
