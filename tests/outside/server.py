"""Runs Python commands in forks of a process that has loaded Keras: ``python exp.py``, ``xval``, ``python -c``.

Reads a line of JSON for each command, {"arguments", "folder", "variables"}, and answers with {"code", "printed", "errors"}. It
ends with its standard input. KERAS_BACKEND is set. Nothing is computed before a fork, since a backend could not be forked then.
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
from importlib import import_module
from pathlib import Path

import_module("skops.io")  # looks through all that is loaded, so it comes before Keras
import keras  # noqa: E402

KILLED_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux
# What most commands load; none of them computes anything when it is loaded.
for name in (
    "pandas",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.metrics",
    "librosa",
    "xval",
    "xval.__main__",
    "preprocessing",
):
    import_module(name)
for name in dir(sys.modules["xval"]):  # a public name is loaded when it is used
    getattr(sys.modules["xval"], name)
if keras.backend.backend() != "tensorflow":  # as in a worker: Keras would load it to seed it
    from keras.src.utils.module_utils import tensorflow

    tensorflow._available = False
gc.collect()
gc.freeze()  # no search for garbage looks through what is loaded


def run(arguments: list[str]) -> None:
    """Do what ``python ARGUMENTS`` does."""
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path.insert(0, str(Path.cwd()))
        # A command chooses the device before it loads Keras. What `keras` consists of stays loaded.
        for name in ("keras", f"{arguments[1]}.__main__"):
            sys.modules.pop(name, None)
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        sys.path.insert(0, str(Path.cwd()))
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - it is what -c does
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
        runpy.run_path(arguments[0], run_name="__main__")


def work(order: dict, printed, errors) -> int:
    """Run a command in this process, which ends with it; return its exit code."""
    ctypes.CDLL(None).prctl(KILLED_WITH_PARENT, signal.SIGKILL)
    os.dup2(printed.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    os.environ.update(order["variables"])
    os.chdir(order["folder"])
    random.seed(0)  # Keras draws its seeds from here
    if keras.backend.backend() == "tensorflow":  # to optimize the graphs of small networks takes longer than to run them
        sys.modules["tensorflow"].config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        run(order["arguments"])
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as error:  # noqa: BLE001 - Python prints it, by the hook that xval may have set
        sys.excepthook(type(error), error, error.__traceback__) if isinstance(error, Exception) else traceback.print_exc()
        return 1
    return 0


for line in sys.stdin:
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as errors:
        child = os.fork()
        if child == 0:
            code = work(json.loads(line), printed, errors)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        printed.seek(0)
        errors.seek(0)
        answer = {"code": os.waitstatus_to_exitcode(status), "printed": printed.read(), "errors": errors.read()}
    print(json.dumps(answer), flush=True)
