"""Limit the resources of a process: the threads of the libraries that compute, and its share of a GPU's memory.

devices.py sets the limits as environment variables. JAX and the OpenMP libraries read them only from the environment;
TensorFlow and torch are set through their API before they compute.
"""

import os
import sys
from contextlib import suppress

MEMORY_SHARE = "XVAL_GPU_MEMORY_SHARE"
"""Environment variable: the share of the GPU's memory that the backend may use (0 to 1); not set: all of it."""
MEMORY_MB = "XVAL_GPU_MEMORY_MB"
"""Environment variable: the memory that the backend may use of a GPU of known size (MB of 2**20 bytes)."""


def limit_threads(backend: str, threads: int) -> bool:
    """Set the number of CPU threads of the backend, and of pyarrow; JAX reads its number from the environment.

    Returns:
        False if TensorFlow keeps another number, because it has computed in this process already, as when a script makes an
        object of Keras; else True.
    """
    if "pyarrow" in sys.modules:  # if it is loaded later, it reads its number from the environment
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
            with suppress(RuntimeError):  # they are fixed once used in this process, and no job uses them
                torch.set_num_interop_threads(1)
    return True


def limit_gpu_memory(backend: str) -> None:
    """Limit the backend to its share of the GPU's memory, if it has one; JAX reads its share from the environment."""
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
