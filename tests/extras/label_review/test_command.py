"""xval review-labels: suspicious labels as a table, its end by Ctrl-C, and wrong arguments."""

import errno
import json
import os
from dataclasses import replace

import pytest

from preprocessing.clips.corrections import FILE_NAME, read_verdicts
from xval.answers.read import read_corpus
from xval.extras.label_review.server import ReviewServer


@pytest.fixture
def interrupted(monkeypatch):
    """Return a function that lets a test judge in the place of a browser, after which Ctrl-C is pressed."""

    def replace_server(use):
        def serve(server):
            use(server.review)
            raise KeyboardInterrupt

        monkeypatch.setattr(ReviewServer, "serve_forever", serve)

    return replace_server


def test_ctrl_c_ends_the_page_and_prints_verdicts_and_the_next_command(results, command, data, interrupted):
    interrupted(lambda review: [review.judge(number, "right") for number in range(3)])
    first = command("review-labels", f"{results}:1", "--data-folder", data, "--reviewer", "ann")
    interrupted(lambda review: review.judge(0, "bad recording"))
    ended = command("review-labels", f"{results}:1", "--data-folder", data, "--reviewer", "bo")

    assert (first.code, ended.code) == (0, 0)
    path = data / "tones" / FILE_NAME
    assert "Open      http://127.0.0.1:" in ended.out
    assert f"1 verdict of bo: 1 bad recording. {path}" in ended.out
    assert "ann and bo: 1 clip judged by both, 0 with the same verdict" in ended.out
    assert f"--corrections {path} --dataset tones_corrected" in ended.out
    assert len(read_verdicts(path)) == 4


def test_a_read_only_dataset_is_reported_before_anything_is_judged(results, command, data, interrupted, monkeypatch):
    def refuse(dir):  # noqa: A002 - as tempfile calls it
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    interrupted(lambda review: pytest.fail("the page was served"))

    ended = command("review-labels", f"{results}:1", "--data-folder", data)

    assert ended.code == 2
    assert f"{FILE_NAME}: verdicts cannot be written there (Read-only file system)" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((":9",), "no instance 9 with a finished fold. Available: 1, 2, 3"),
        (("--reviewer", ""), "--reviewer '': expected a name"),
        (("--audio-folder", "no/folder"), "--audio-folder no/folder: no such folder"),
        (("--port", "99999"), "--port 99999: expected a number from 0 to 65535"),
        (("--revewer", "ann"), "Did you mean '--reviewer'?"),
    ],
)
def test_wrong_arguments_are_reported(arguments_on, command, data, interrupted, arguments, message):
    interrupted(lambda review: None)
    ended = command("review-labels", *arguments_on(arguments), "--data-folder", data)

    assert ended.code == 2
    assert message in " ".join(ended.err.split())


def test_a_corrected_corpus_is_looked_at_and_not_judged_again(results, command, data, interrupted, monkeypatch, tmp_path):
    def read_corrected(*where):
        return replace(read_corpus(*where), corrections={"file": "a/corrections.csv"})

    interrupted(lambda review: review.judge(0, "right"))
    monkeypatch.setattr("xval.answers.read.read_corpus", read_corrected)

    listed = command("review-labels", f"{results}:1", "--data-folder", data, "--output", tmp_path / "suspects.csv")
    judged = command("review-labels", f"{results}:1", "--data-folder", data)

    assert (listed.code, judged.code) == (0, 2)
    assert "its labels were corrected by a/corrections.csv" in " ".join(judged.err.split())
    assert not (data / "tones" / FILE_NAME).exists()


def test_another_corpus_or_task_is_not_reviewed(results, command, data, tmp_path):
    assert "no such folder" in command("review-labels", tmp_path / "nowhere").err
    path = results / "instance_1" / "settings.json"
    settings = json.loads(path.read_text())
    settings["parameters"]["task_type"] = "multilabel_classification"
    path.write_text(json.dumps(settings))

    ended = command("review-labels", f"{results}:1", "--data-folder", data)

    assert ended.code == 2
    assert "only labels of classification can" in " ".join(ended.err.split())
