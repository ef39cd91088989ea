"""Jobs in the process that declares them, where a script has loaded Keras for objects of its own."""

import pytest

HEAD = """
import keras


class Noted(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print("epoch", epoch)
"""
OBJECTS = """{
    "architecture": "mlp",
    "optimizer": keras.optimizers.Adam(3e-4),
    "loss": keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
}"""
SESSION = f"""
{HEAD}
from xval import Experiment
experiment = Experiment("A session", dataset="small", num_folds=2, num_epochs=1, page="none")
experiment[1] = {OBJECTS}
print(experiment.run(debug_mode=True))
"""


@pytest.mark.long
@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_a_script_with_objects_of_keras_is_debugged(study, backend):
    study.backend = backend
    study.script(OBJECTS, head=HEAD, num_epochs=1)

    ended = study.python("exp.py", "--set", "debug_mode=true", "--set", f"backend={backend}")

    assert ended.returncode == 0, ended.stderr
    assert study.record()["status"] == "done"
    assert ("threads_per_job and gpu_ID have no effect" in " ".join(ended.stdout.split())) == (backend == "tensorflow")


@pytest.mark.long
def test_a_session_with_objects_of_keras_is_debugged(study):
    ended = study.python("-c", SESSION)

    assert ended.returncode == 0, ended.stderr
    assert study.record()["status"] == "done"


@pytest.mark.parametrize("how", ["--executor=inline", "--set=debug_mode=true"])
def test_another_backend_than_the_one_that_is_loaded_is_refused_in_one_line(study, how):
    study.script(OBJECTS, head=HEAD, num_epochs=1)

    ended = study.python("exp.py", *how.split("=", 1), "--set", "backend=torch")

    assert ended.returncode == 2
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error")]
    assert "Traceback" not in ended.stderr
    assert "this process has loaded tensorflow, but the jobs need torch" in line
    assert "Use --executor processes" in line
    assert "KERAS_BACKEND=torch" in line
    assert ("without debug_mode" in line) == ("debug" in how)
    assert not study.trained()
