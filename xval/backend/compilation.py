"""Whether the backend of Keras compiles a function for each batch size, and whether it computes on a GPU."""

import keras


def wants_constant_shapes() -> bool:
    """Return whether the backend compiles a function again for each batch size, so that all batches should have one size."""
    return keras.backend.backend() == "jax" or (keras.backend.backend() == "tensorflow" and _jit_compile() == "auto")


def has_gpu() -> bool:
    """Return whether the backend computes on a GPU."""
    if keras.backend.backend() == "torch":
        import torch

        return bool(torch.cuda.is_available())
    if keras.backend.backend() == "jax":
        import jax

        return bool(jax.default_backend() == "gpu")
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _jit_compile() -> str | bool:
    """Return Keras's own choice, but no XLA for TensorFlow on the CPU, where compiling costs more than it saves."""
    return "auto" if keras.backend.backend() != "tensorflow" or has_gpu() else False
