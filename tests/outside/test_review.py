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
    command = [sys.executable, "-m", "xval", "review-labels", "results/tones/experiment_1", "--reviewer", "ann"]
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

    assert "the dataset is no longer there" in answer["error"]
    assert not (folder / "data" / "tones").exists()
    assert not (folder / "data" / "renamed" / "corrections.csv").exists()


ASK = """
import http.client, json, os, runpy, signal, sys, threading, time
asked, printed = json.loads(sys.argv.pop(1)), sys.stdout
class Watched:
    text = ""
    def write(self, text): Watched.text += text; return printed.write(text)
    def flush(self): printed.flush()
    def isatty(self): return False
def ask():
    while "Ctrl-C" not in Watched.text: time.sleep(0.02)
    host, _, place = Watched.text.split("http://")[1].split()[0].partition("/")
    for method, what, body in asked:
        if method == "RENAME":
            os.rename(what, body); continue
        connection = http.client.HTTPConnection(host)
        started = time.process_time()
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, f"/{place}{what}", body and json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        print("ANSWER", json.dumps([answer.status, text, time.process_time() - started]), file=sys.stderr)
    os.kill(os.getpid(), signal.SIGINT)
sys.stdout = Watched()
threading.Thread(target=ask, daemon=True).start()
sys.argv[:] = ["xval", *sys.argv[1:]]
runpy.run_module("xval", run_name="__main__", alter_sys=True)
"""


def ask(study, *asked):
    """Start a review, ask it for some things, and return the answers: status, text, seconds of the processor."""
    ended = study.python("-c", ASK, json.dumps(asked), "review-labels", f"{study.EXPERIMENT}:1", "--reviewer", "ann")
    return [json.loads(line.removeprefix("ANSWER ")) for line in ended.stderr.splitlines() if line.startswith("ANSWER ")]


def test_true_and_false_are_no_numbers(copied):
    bodies = [{"number": True, "verdict": "right", "label": None}, {"number": 0, "verdict": "wrong", "label": True}]

    answers = ask(copied, *(("POST", "verdict", body) for body in bodies), ("POST", "undo", {"number": False}))

    assert [status for status, *_ in answers] == [400, 400, 400]
    assert not (copied.folder / "data/small/corrections.csv").exists()


def test_a_corpus_that_is_gone_while_it_is_reviewed_is_said(copied):
    body = {"number": 0, "verdict": "right", "label": None}
    gone = ("RENAME", "data/small", "data/renamed")

    shown, *answers = ask(copied, ("GET", "suspect/0", None), gone, ("GET", "state", None), ("GET", "suspect/0", None),
                          ("POST", "verdict", body), ("POST", "undo", {"number": None}))  # fmt: skip

    assert shown[0] == 200
    assert [status for status, *_ in answers] == [409] * 4
    assert all("the dataset is no longer there" in json.loads(text)["error"] for _, text, _ in answers)
    assert not (copied.folder / "data/small").exists()


def test_a_verdict_is_a_line_that_is_appended(copied):
    first, second, other = ({"number": n, "verdict": v, "label": None} for n, v in ((0, "right"), (1, "unsure"), (0, "unsure")))
    ask(copied, ("POST", "verdict", first))
    path = copied.folder / "data/small/corrections.csv"
    head, row = path.read_text().splitlines()
    index_hash = row.rpartition(",")[2]
    others = [f"some_{n}.wav,right,high,,bo,2026-01-01T00:00:00+00:00,why,{index_hash}" for n in range(20000)]
    path.write_text("\n".join([head, row, *others, ""]))
    before, inode = path.read_text(), path.stat().st_ino

    *_, (status, text, _) = ask(copied, ("POST", "verdict", second))

    assert (status, json.loads(text)["verdicts"]) == (200, {"0": "right", "1": "unsure"})
    assert path.stat().st_ino == inode
    assert path.read_text().startswith(before)
    assert path.read_text().count("\n") == 20003

    (changed, undone) = ask(copied, ("POST", "verdict", other), ("POST", "undo", {"number": 1}))  # which replaces the first

    assert (json.loads(changed[1])["verdicts"], json.loads(undone[1])["verdicts"]) == (
        {"1": "unsure", "0": "unsure"},
        {"0": "unsure"},
    )
    assert path.read_text().count("\n") == 20002


def test_a_file_that_a_spreadsheet_saved_gets_verdicts_too(copied):
    ask(copied, ("POST", "verdict", {"number": 0, "verdict": "right", "label": None}))
    path = copied.folder / "data/small/corrections.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n").rstrip())

    ((status, text, _),) = ask(copied, ("POST", "verdict", {"number": 1, "verdict": "right", "label": None}))

    assert (status, json.loads(text)["verdicts"]) == (200, {"0": "right", "1": "right"})
    assert path.read_text(encoding="utf-8-sig").count("\n") == 3
