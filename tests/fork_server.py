"""Runs scripts in processes that have loaded Keras and nothing else: a fork for each, in place of the seconds of an import.

Run by the fixture `run_on` of conftest.py, with KERAS_BACKEND set. Reads a line of JSON for each script, {"script",
"arguments", "path", "folder", "variables"}, and answers with {"code", "printed", "errors"}. It ends with its standard input.
"""

import ctypes
import gc
import json
import os
import random
import runpy
import signal
import sys
import tempfile
import traceback

gc.disable()
hidden = {"matplotlib", "sklearn", "jax"} - {os.environ["KERAS_BACKEND"]}
sys.modules.update(dict.fromkeys(hidden))  # Keras can do without them, as xval.backend.devices.load_keras lets it
import keras  # noqa: E402 - loaded, and nothing computed: only then a backend can be forked
from keras.src.utils.module_utils import tensorflow  # noqa: E402

for name in hidden:
    del sys.modules[name]

if keras.backend.backend() != "tensorflow":
    tensorflow._available = False  # as xval.backend.keras_internals.leave_tensorflow_alone does for workers
gc.enable()
gc.freeze()
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def run(order, printed, errors):
    """Run a script in this process, which ends with it."""
    ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)
    os.dup2(printed.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    os.environ.update(order["variables"])
    os.chdir(order["folder"])
    sys.path[:0] = order["path"]
    sys.argv = [order["script"], *order["arguments"]]
    random.seed(0)  # Keras draws its seeds from here
    if keras.backend.backend() == "tensorflow":  # to optimize the graphs of small networks takes longer
        sys.modules["tensorflow"].config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    code = 0
    try:
        runpy.run_path(order["script"], run_name="__main__")
    except Exception:  # noqa: BLE001 - it is printed
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


for line in sys.stdin:
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as errors:
        child = os.fork()
        if child == 0:
            run(json.loads(line), printed, errors)
        _, status = os.waitpid(child, 0)
        printed.seek(0)
        errors.seek(0)
        answer = {"code": os.waitstatus_to_exitcode(status), "printed": printed.read(), "errors": errors.read()}
    print(json.dumps(answer), flush=True)
