"""Jobs of small instances on every backend, which several files of tests look at."""

import json
from pathlib import Path

import pytest

PROBE = Path(__file__).with_name("warm_model_probe.py")


@pytest.fixture(scope="session")
def run_jobs(make_once, run_on):
    """Return a function that runs jobs of warm_model_probe.py in a process of their own, and returns what each left.

    The same jobs run once for all tests. The first may be ``on_device``.
    """

    def run_jobs(backend, *jobs):
        def run(folder):
            (folder / "printed").write_text(run_on(backend, PROBE, folder, *jobs, path=[PROBE.parents[3]]))

        folder = make_once("-".join(["jobs_on", backend, *jobs]).replace(":", "_"), run)
        return json.loads((folder / "printed").read_text().splitlines()[-1])

    return run_jobs
