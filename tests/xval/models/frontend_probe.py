"""Loads saved front ends in a process that does not know this project, then builds, saves and loads them on this backend.

Run by test_frontend.py as `python -I frontend_probe.py FOLDER PROJECT_ROOT`, with KERAS_BACKEND set: FOLDER holds for each case
<case>.keras, <case>.json (the feature settings) and <case>.npz (samples, features). Prints one line of JSON:
{"backend", "imported": [...], "loaded": {case: difference}, "built": {case: {...}}}; differences are those of the features.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np


def difference(model: keras.Model, arrays: dict[str, np.ndarray]) -> float:
    """Return the largest difference of what the compiled model makes of the samples from the features."""
    model.compile(jit_compile="auto" if keras.backend.backend() != "tensorflow" else False)
    made = np.asarray(model.predict_on_batch(arrays["samples"]))
    assert made.shape == arrays["features"].shape, (made.shape, arrays["features"].shape)
    return float(np.abs(made - arrays["features"]).max())


def build(folder: Path, case: str, arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the differences of a front end for any number of samples, and of the same when it was saved and loaded."""
    from preprocessing.features.feature_settings import FeatureSettings
    from xval.models.frontend import build_frontend
    from xval.models.saved.load import read_keras_model

    settings = FeatureSettings.model_validate_json((folder / f"{case}.json").read_text())
    model = build_frontend(None, settings)
    path = folder / f"{case}_{keras.backend.backend()}.keras"
    model.save(path)
    return {"built": difference(model, arrays), "loaded": difference(read_keras_model(path), arrays)}


def main() -> None:
    folder, project_root = Path(sys.argv[1]), sys.argv[2]
    cases = {path.stem: dict(np.load(path, allow_pickle=False)) for path in sorted(folder.glob("*.npz"))}
    loaded = {
        case: difference(keras.saving.load_model(folder / f"{case}.keras", safe_mode=True), arrays)
        for case, arrays in cases.items()
    }
    imported = sorted({"xval", "architectures", "preprocessing"} & sys.modules.keys())
    sys.path.insert(0, project_root)
    built = {case: build(folder, case, arrays) for case, arrays in cases.items()}
    print(json.dumps({"backend": keras.backend.backend(), "imported": imported, "loaded": loaded, "built": built}))


if __name__ == "__main__":
    main()
