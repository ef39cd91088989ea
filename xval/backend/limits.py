"""Limit what a process takes of its machine: the threads of the libraries that compute, and its share of a GPU's memory.

devices.py sets the limits as environment variables. JAX and the OpenMP libraries read them only from the environment;
TensorFlow and torch are set through their API before they compute.
"""

import os
import sys
from contextlib import suppress

MEMORY_SHARE = "XVAL_GPU_MEMORY_SHARE"
"""Environment variable: the share of the GPU's memory that the backend may take (0 to 1); not set: all."""
MEMORY_MB = "XVAL_GPU_MEMORY_MB"
"""Environment variable: the same in MB (2**20 bytes), where the size of the GPU is known."""


def limit_threads(backend: str, threads: int) -> bool:
    """Have the backend, and what reads files for it, compute with so many threads; JAX has its own from the environment.

    Return False where TensorFlow keeps other ones, because it has computed in this process: an object of Keras in a script may.
    """
    if "pyarrow" in sys.modules:  # one that is loaded later has its threads from the environment
        import pyarrow

        pyarrow.set_cpu_count(threads)
        pyarrow.set_io_thread_count(threads)
    if backend == "tensorflow":
        import tensorflow as tf

        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            try:
                tf.config.threading.set_intra_op_parallelism_threads(threads)
                tf.config.threading.set_inter_op_parallelism_threads(1)
            except RuntimeError:
                return False
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)
        if torch.get_num_interop_threads() != 1:
            with suppress(RuntimeError):  # somebody has used them in this process; no job does
                torch.set_num_interop_threads(1)
    return True


def limit_gpu_memory(backend: str) -> None:
    """Have the backend keep to its share of the GPU's memory, if it has one; JAX has its own from the environment."""
    share, memory_mb = os.environ.get(MEMORY_SHARE), os.environ.get(MEMORY_MB)
    if share is None:
        return
    if backend == "tensorflow" and memory_mb is not None:
        import tensorflow as tf

        for device in tf.config.list_physical_devices("GPU"):
            if not tf.config.get_logical_device_configuration(device):
                limited = tf.config.LogicalDeviceConfiguration(memory_limit=int(memory_mb))
                tf.config.set_logical_device_configuration(device, [limited])
    elif backend == "torch":
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_per_process_memory_fraction(float(share))
