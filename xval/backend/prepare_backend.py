"""Seeds, precision and threads of the backend, before a model is built."""

import gc
from functools import cache

import keras

from xval.backend.keras_config import restore_config
from xval.backend.keras_internals import forget_traced_gradients, kernels_kept, leave_tensorflow_alone
from xval.backend.limits import limit_gpu_memory, limit_threads


def prepare_backend(*, seed: int, precision: str, deterministic: bool, threads: int, keep_kernels: bool = False) -> None:
    """Set seeds, precision, determinism and threads for one job, and drop what the last job left in the backend and in Keras.

    Args:
        seed: Of Python, NumPy and the backend.
        precision: float32, tensorfloat32, or another dtype policy of Keras.
        deterministic: Use operations that give the same numbers each time.
        threads: CPU threads.
        keep_kernels: Those of TensorFlow, see `kernels_kept`; the job runs the functions of the last one.
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

        # Clips of several lengths are traced anew; nothing to warn of.
        tf.get_logger().setLevel("ERROR")
        if deterministic:
            tf.config.experimental.enable_op_determinism()
    elif backend == "torch":
        import torch

        torch.use_deterministic_algorithms(deterministic, warn_only=True)


@cache
def _keep_what_is_loaded() -> None:
    """Leave what has been loaded out of every search for garbage in this process: each would take 0.2 s longer."""
    gc.collect()
    gc.freeze()


def _choose_products(backend: str, *, tensorfloat32: bool) -> None:
    """Say how a GPU multiplies float32: by default torch rounds factors of convolutions, and JAX all factors."""
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
