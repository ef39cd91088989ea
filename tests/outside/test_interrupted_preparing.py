"""What an interrupted preparing has not made is made by the next run."""

import numpy as np
import pytest
import soundfile


@pytest.mark.long
def test_near_duplicates_that_were_not_searched_are_searched_by_the_run(empty):
    clips = empty.recordings()
    first, other = (empty.folder / "audio" / clips["path"][row] for row in (0, 4))  # of two speakers, one label
    samples, rate_hz = soundfile.read(first)
    soundfile.write(other, 0.5 * np.concatenate([np.zeros(40), samples]), rate_hz)
    ended = empty.prepare("table", "audio/clips.csv", "--dataset", "small")
    assert "have nearly the same audio" in ended.stdout, ended.stdout + ended.stderr
    found = (empty.folder / "data/small/near_duplicates.csv").read_bytes()
    (empty.folder / "data/small/near_duplicates.csv").unlink()  # killed before it was written
    (empty.folder / "data/small/fingerprints.npy").unlink()

    features = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
    ended = empty.train({"architecture": "mlp"}, num_epochs=1, **features)

    assert "have nearly the same audio" in ended.stdout
    assert (empty.folder / "data/small/near_duplicates.csv").read_bytes() == found
    assert (empty.folder / "data/small/fingerprints.npy").is_file()
