"""Functions that get an argument of a wrong type say what they received and what is allowed."""

import json

FIRST = """
import json
import numpy as np
import xval
samples = np.zeros(400, "float32")
model = xval.load_model(WHERE + "/instance_3/fold_1")
calls = {
    "predict None": lambda: model.predict(None),
    "predict number": lambda: model.predict(5),
    "predict list": lambda: model.predict([None]),
    "probabilities": lambda: model.predict_proba(None),
    "rate": lambda: model.predict(samples, sampling_rate="8000"),
    "other rate": lambda: model.predict(samples, sample_rate_hz=True),
    "Results": lambda: xval.Results(5),
    "load_scores": lambda: xval.load_scores(None),
    "load_results": lambda: xval.load_results(["a"]),
    "load_jobs": lambda: xval.load_jobs(None),
    "load_predictions": lambda: xval.load_predictions(5.0),
    "load_model": lambda: xval.load_model(5),
}
said = {}
for name, call in calls.items():
    try:
        call()
    except xval.XvalError as error:
        said[name] = str(error)
    except Exception as error:
        said[name] = f"other error: {error!r}"
print(json.dumps(said))
"""
AUDIO = "expected a file, a folder, an array of samples, or a list of these."
RESULTS = "expected a folder of results, such as 'results/demo/experiment_1'."


def test_arguments_of_a_wrong_type_are_errors_of_xval(finished):
    ended = finished.python("-c", FIRST.replace("WHERE", repr(finished.EXPERIMENT)))

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1]) == {
        "predict None": f"audio: received None; {AUDIO}",
        "predict number": f"audio: received 5; {AUDIO}",
        "predict list": f"array 0: received None; {AUDIO}",
        "probabilities": f"audio: received None; {AUDIO}",
        "rate": "sampling_rate: received '8000'; expected a number of samples per second, such as 16000.",
        "other rate": "sample_rate_hz: received True; expected a number of samples per second, such as 16000.",
        "Results": f"Results(): folder: received 5; {RESULTS}",
        "load_scores": f"load_scores(): folder: received None; {RESULTS}",
        "load_results": f"load_results(): folder: received ['a']; {RESULTS}",
        "load_jobs": f"load_jobs(): folder: received None; {RESULTS}",
        "load_predictions": f"load_predictions(): folder: received 5.0; {RESULTS}",
        "load_model": f"load_model(): path: received 5; expected a saved model or {RESULTS.removeprefix('expected ')}".replace(
            "experiment_1'", "experiment_1:2'"
        ),
    }
