"""On an NVIDIA GPU: jobs that train there twice leave the same bits; skipped elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from xval.backend.devices import Slot, environment, find_gpus
from xval.base.config_file import ROOT

PROBE = Path(__file__).parent / "xval" / "training" / "warm_model_probe.py"
SEES_GPU = "from xval.backend.compilation import has_gpu; raise SystemExit(not has_gpu())"
JOBS = ("2:1", "2:2", "3:1")  # two folds that share a compiled model; one that mixes, masks and adds noise


def run(backend, *arguments, slot=None):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    bound = os.environ | environment(slot or Slot("0", 1), backend) | {"PYTHONPATH": path}
    return subprocess.run([sys.executable, *map(str, arguments)], env=bound, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not find_gpus(), reason="there is no NVIDIA GPU")
@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_two_runs_on_a_gpu_leave_the_same_bits(backend, tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    seen = run(backend, "-c", SEES_GPU)
    if seen.returncode:
        pytest.skip(f"{backend} sees no GPU. {''.join(seen.stderr.splitlines()[-1:])}")

    left = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        ended = run(backend, PROBE, tmp_path / name, *JOBS)
        assert ended.returncode == 0, ended.stderr
        left.append(json.loads(ended.stdout.splitlines()[-1]))

    assert [(job["status"], job["on_device"], job["error"]) for job in left[0].values()] == [("done", True, "")] * len(JOBS)
    assert left[0] == left[1]
