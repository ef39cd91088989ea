"""What a backend compiles, and which shapes it wants for that."""

import keras


def wants_constant_shapes() -> bool:
    """Return whether the backend compiles a function anew for a batch of another size."""
    return keras.backend.backend() == "jax" or (keras.backend.backend() == "tensorflow" and _jit_compile() == "auto")


def _jit_compile() -> str | bool:
    """Return Keras's own choice, but no XLA for TensorFlow on the CPU, where compiling costs more than it saves."""
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf

    return "auto" if tf.config.list_physical_devices("GPU") else False
