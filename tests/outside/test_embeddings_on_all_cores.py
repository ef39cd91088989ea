"""Embeddings that no network makes: the same with any number of processes."""

from importlib.util import find_spec

import pytest

MODELS = {"duration_level": None, "praat": "parselmouth", "opensmile:eGeMAPSv02": "opensmile"}


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
def test_two_processes_make_what_one_makes(model, study):
    if MODELS[model] and find_spec(MODELS[model]) is None:
        pytest.skip(f"{MODELS[model]} is not installed")
    study.recordings()
    made = []
    for workers in ("1", "2"):
        settings = {"features": "embedding", "embedding_model": model, "sample_rate_hz": 4000}
        given = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        ended = study.python(
            "-m", "preprocessing", "table", "audio/clips.csv", "--dataset", f"made_{workers}", "--workers", workers, *given
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr.count("commercial use needs a licence") == model.startswith("opensmile")
        (file,) = (study.folder / "data" / f"made_{workers}" / "features").rglob("predictors.npy")
        made.append(file.read_bytes())
    assert made[0] == made[1]
