"""Set seeds, precision and threads of the backend before a model is built."""

import gc
from functools import cache

import keras

from xval.backend.keras_config import restore_config
from xval.backend.keras_internals import forget_traced_gradients, kernels_kept, leave_tensorflow_alone
from xval.backend.limits import limit_gpu_memory, limit_threads


def prepare_backend(*, seed: int, precision: str, deterministic: bool, threads: int, keep_kernels: bool = False) -> None:
    """Set seeds, precision, determinism and threads for one job, and drop what the last job left in the backend and in Keras.

    Args:
        seed: Seed of Python, NumPy and the backend.
        precision: float32, tensorfloat32, or another dtype policy of Keras.
        deterministic: Whether only operations are used that give the same numbers each time.
        threads: CPU threads.
        keep_kernels: Whether TensorFlow keeps its optimised functions (`kernels_kept`), because the job uses those of the last
            job.
    """
    _keep_what_is_loaded()
    leave_tensorflow_alone()
    with kernels_kept(kept=keep_kernels):
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
    forget_traced_gradients()
    restore_config()
    keras.config.set_dtype_policy("float32" if precision == "tensorfloat32" else precision)
    backend = keras.backend.backend()
    _choose_products(backend, tensorfloat32=precision == "tensorfloat32")
    limit_threads(backend, threads)
    limit_gpu_memory(backend)
    if backend == "tensorflow":
        import tensorflow as tf

        # TensorFlow warns of functions that are traced again, as for clips of different lengths: that is intended.
        tf.get_logger().setLevel("ERROR")
        if deterministic:
            tf.config.experimental.enable_op_determinism()
    elif backend == "torch":
        import torch

        torch.use_deterministic_algorithms(deterministic, warn_only=True)


@cache
def _keep_what_is_loaded() -> None:
    """Exclude all that is loaded now from garbage collection, each run of which would take 0.2 s longer."""
    gc.collect()
    gc.freeze()


def _choose_products(backend: str, *, tensorfloat32: bool) -> None:
    """Set whether a GPU rounds float32 factors to TensorFloat-32: torch's default for convolutions, JAX's for all products."""
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(tensorfloat32)
    elif backend == "torch":
        import torch

        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tensorfloat32
    elif backend == "jax":
        import jax

        if jax.default_backend() == "gpu":
            jax.config.update("jax_default_matmul_precision", "tensorfloat32" if tensorfloat32 else "highest")
