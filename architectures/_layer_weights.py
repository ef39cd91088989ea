"""A weighted sum of the layers of a pretrained encoder with learned weights, as a Keras model before the network.

The stored embeddings have the values of all layers concatenated. The model consists only of Keras's own layers and is saved as
a part of the whole model.

Sources: Peters et al. 2018, "Deep contextualized word representations" (the weighted sum); Yang et al. 2021, "SUPERB" (for
speech models).
"""

import keras
from keras import ops


def weigh_layers(shape: tuple[int | None, ...], n_layers: int) -> keras.Model:
    """Return a model that computes the weighted sum of the layers of an embedding.

    The weights are the softmax of ``n_layers`` learned numbers, and equal at first.

    Args:
        shape: Shape of an example: (n_frames, n_layers * n_values), with n_frames None for any number, or (n_layers *
            n_values,).
        n_layers: Number of layers.

    Returns:
        A model from float32 (batch, *shape) to float32 (batch, n_frames, n_values) or (batch, n_values).
    """
    inputs = keras.Input(shape, name="layers")
    # A Dense layer on a constant 1, because Keras has no layer that consists only of a variable.
    ones = ops.ones_like((inputs[:, 0] if len(shape) > 1 else inputs)[:, :1])
    logits = keras.layers.Dense(n_layers, use_bias=False, kernel_initializer="zeros", dtype="float32", name="logits")(ones)
    weights = keras.layers.Softmax(dtype="float32", name="weights")(logits)
    sizes = (-1 if size is None else size for size in shape[:-1])
    layers = keras.layers.Reshape((*sizes, n_layers, (shape[-1] or 0) // n_layers), name="apart")(inputs)
    weighted = ops.einsum("bl,bfld->bfd" if len(shape) > 1 else "bl,bld->bd", weights, layers)
    return keras.Model(inputs, weighted, name="layer_weights")
