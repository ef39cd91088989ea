"""Labels are reviewed in the browser, and verdicts go to the corpus alone."""

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]


@pytest.fixture
def recordings(study):
    """Return the study with a corpus of tones, and an experiment on it that answers one class alone."""
    times_s = np.arange(2000) / 8000
    for speaker in range(4):
        for label, rate_hz in (("high", 1500), ("high", 2500), ("low", 300)):
            path = study.folder / "audio" / label / f"s{speaker}_{rate_hz}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.3 * np.sin(2 * np.pi * (rate_hz + speaker) * times_s), 8000)
    pattern = ["--item-pattern", "(s[0-9])_", "--set", "features=mfcc", "--set", "sample_rate_hz=8000"]
    made = study.python("-m", "preprocessing", "folders", "audio", "--dataset", "tones", *pattern)
    assert made.returncode == 0, made.stderr
    study.script({"architecture": "constant"}, dataset="tones", features="mfcc", sample_rate_hz=8000)
    ended = study.run()
    assert ended.returncode == 0, ended.stderr
    return study


@pytest.mark.slow
def test_a_corpus_that_is_renamed_meanwhile_is_not_made_anew(recordings):
    folder = recordings.folder
    command = [sys.executable, "-m", "xval", "review", "results/tones/experiment_1", "--reviewer", "ann"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    review = subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    try:
        printed = []
        for line in review.stdout:
            printed.append(line)
            if line.startswith("Ctrl-C"):
                break
        assert "Open" in "".join(printed), printed
        address = next(line.split()[1] for line in printed if line.startswith("Open"))
        host, _, place = address.removeprefix("http://").partition("/")
        (folder / "data" / "tones").rename(folder / "data" / "renamed")
        connection = http.client.HTTPConnection(host)
        body = json.dumps({"number": 0, "verdict": "right", "label": None})
        connection.request("POST", f"/{place}verdict", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
    finally:
        review.send_signal(signal.SIGINT)
        review.communicate()

    assert "the corpus is no longer there" in answer["error"]
    assert not (folder / "data" / "tones").exists()
    assert not (folder / "data" / "renamed" / "corrections.csv").exists()
