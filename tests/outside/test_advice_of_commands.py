"""An option of another program is answered with that of this one; notes of FFmpeg and libmpg123 stand nowhere."""

import numpy as np
import pytest

FOLD = "results/small/experiment_1/instance_1/fold_1"


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_s_names_segments(finished, command):
    said = finished.mistake("-m", "xval", command, FOLD, "audio", "-s")
    assert "Unknown option -s" in said
    assert "--segments" in said


def test_a_letter_names_the_options_that_begin_so(finished):
    assert "Did you mean --output" in finished.mistake("-m", "xval", "predict", FOLD, "audio", "-o", "a.csv")


def test_the_notes_of_decoders_do_not_show(empty):
    empty.recordings()
    folder = empty.folder / "audio/low"
    (folder / "broken.m4a").write_bytes(b"\0\0\0\x18ftypM4A \0\0\0\0" + bytes(2000))
    (folder / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(90_000))
    ended = empty.prepare("folders", "audio", "--dataset", "small")
    assert ended.returncode == 0, ended.stderr
    assert "@ 0x" not in ended.stdout + ended.stderr
    assert "libmpg123" not in ended.stdout + ended.stderr
    left_out = "".join(path.read_text() for path in (empty.folder / "data/small").rglob("left_out.csv"))
    assert "broken.m4a" in left_out
    assert "noise.mp3" in left_out
