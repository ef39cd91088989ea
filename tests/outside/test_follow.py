"""`xval predict --follow`: what it says of the files that arrive."""

import os
import signal

import pytest


@pytest.mark.long
def test_follow_says_which_files_the_model_was_trained_on(finished, tmp_path):
    heard = finished.folder / "audio"
    printed = tmp_path / "rows.csv"
    with finished.started(
        "-m", "xval", "predict", f"{finished.EXPERIMENT}:1", "--follow", heard, "--output", printed
    ) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "predicted, the last" in line:
                os.killpg(process.pid, signal.SIGINT)
                break
        lines += process.stdout.read().splitlines()
    text = " ".join(" ".join(lines).split())
    assert (
        "among the audio that trained one or more of the 3 models or chose their epoch, so their predictions are not a test"
        in text
    )


def test_follow_of_a_file_says_what_to_type(finished):
    said = finished.mistake("-m", "xval", "predict", f"{finished.EXPERIMENT}:1", "--follow", "audio/clips.csv")
    assert "--follow audio/clips.csv: received a file; expected a folder whose new files are predicted." in said
    assert "To predict this file, give it without --follow." in said
