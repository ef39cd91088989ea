"""A process that trains keeps to its threads, on every backend."""

import os
import subprocess
import sys

import pytest

from xval.backend.devices import Slot, environment

PROGRAM = """
import sys, time
import keras, numpy as np
from xval.backend.limits import limit_threads

backend = sys.argv[1]
limit_threads(backend, 1)
model = keras.Sequential([
    keras.Input((64, 48, 1)), keras.layers.Conv2D(16, 3, activation="relu"), keras.layers.BatchNormalization(),
    keras.layers.Conv2D(32, 3, activation="relu"), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4),
])
model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
x = np.random.default_rng(0).normal(size=(128, 64, 48, 1)).astype("float32")
model.fit(x, np.arange(128) % 4, batch_size=32, verbose=0)  # compiles
wall, used = time.perf_counter(), time.process_time()
model.fit(x, np.arange(128) % 4, batch_size=32, epochs=6, verbose=0)
print((time.process_time() - used) / (time.perf_counter() - wall))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_a_job_of_one_thread_keeps_one_core_busy(backend):
    pytest.importorskip(backend)
    variables = os.environ | environment(Slot("cpu", 1), backend)

    ended = subprocess.run([sys.executable, "-c", PROGRAM, backend], env=variables, capture_output=True, text=True, timeout=300)

    assert ended.returncode == 0, ended.stderr
    # What the threads do by turns counts as one core; where other programs use the machine too, it is less.
    assert float(ended.stdout) < 1.2
