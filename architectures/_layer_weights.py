"""Learned weights for the layers of a pretrained encoder, as a Keras model in front of the network.

The stored embeddings hold all layers next to each other. The model consists only of Keras's own layers and is saved inside the
whole model.

Source: Peters et al. 2018, "Deep contextualized word representations" (the weighting); Yang et al. 2021, "SUPERB" (of speech
models).
"""

import keras
from keras import ops


def weigh_layers(shape: tuple[int | None, ...], n_layers: int) -> keras.Model:
    """Return a model that adds up the layers of an embedding, each times its weight.

    Args:
        shape: Of an example: (n_frames, n_layers * n_values), or (n_layers * n_values,); None: frames of any number.
        n_layers: Their number. Its weights are the softmax of ``n_layers`` numbers that are learned; all are equal at first.

    Returns:
        A model from float32 (batch, *shape) to float32 (batch, n_frames, n_values) or (batch, n_values).
    """
    inputs = keras.Input(shape, name="layers")
    # A kernel that is always multiplied by 1: the one variable that a chain of Keras's own layers can learn by itself.
    ones = ops.ones_like((inputs[:, 0] if len(shape) > 1 else inputs)[:, :1])
    logits = keras.layers.Dense(n_layers, use_bias=False, kernel_initializer="zeros", dtype="float32", name="logits")(ones)
    weights = keras.layers.Softmax(dtype="float32", name="weights")(logits)
    sizes = (-1 if size is None else size for size in shape[:-1])
    layers = keras.layers.Reshape((*sizes, n_layers, (shape[-1] or 0) // n_layers), name="apart")(inputs)
    weighted = ops.einsum("bl,bfld->bfd" if len(shape) > 1 else "bl,bld->bd", weights, layers)
    return keras.Model(inputs, weighted, name="layer_weights")
