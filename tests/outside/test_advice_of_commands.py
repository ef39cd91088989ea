"""An option of another program is answered with that of this one; FFmpeg's own notes stand nowhere."""

import numpy as np
import pytest
import soundfile

FOLD = "results/small/experiment_1/instance_1/fold_1"


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_s_names_segments(finished, command):
    said = finished.mistake("-m", "xval", command, FOLD, "audio", "-s")
    assert "Unknown option -s" in said
    assert "--segments" in said


def test_a_letter_names_the_options_that_begin_so(finished):
    assert "Did you mean --output" in finished.mistake("-m", "xval", "predict", FOLD, "audio", "-o", "a.csv")


def test_the_notes_of_ffmpeg_do_not_show(empty):
    folder = empty.folder / "audio/a"
    folder.mkdir(parents=True)
    soundfile.write(folder / "good.wav", 0.1 * np.sin(np.arange(8000) / 5), 4000)
    (folder / "broken.m4a").write_bytes(b"\0\0\0\x18ftypM4A \0\0\0\0" + bytes(2000))
    (folder / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(40_000))
    ended = empty.prepare("folders", "audio", "--dataset", "small")
    assert "@ 0x" not in ended.stdout + ended.stderr
    left_out = (empty.folder / "data/small/left_out.csv").read_text() if not ended.returncode else ended.stderr
    assert "broken.m4a" in left_out
    assert "noise.mp3" in left_out
