"""The residual, reconstruction minus features, as a model of Keras's own layers.

For models that learn to reconstruct their features: the models made here share their weights, and output the features as the
architecture gets them, or the residual.
"""

import keras


def read_features(model: keras.Model) -> keras.KerasTensor:
    """Return the input tensor of the architecture of a whole model, after front end, normalisation and reshaping."""
    hidden = model.input
    for layer in model.layers[1:-2]:
        hidden = layer(hidden)
    return hidden


def with_residual(model: keras.Model, fitted_model: keras.Model) -> keras.Model:
    """Return a model whose output is reconstruction minus features, in float32.

    Args:
        model: A chain of layers from `build_model`; the layers before its architecture compute the features to reconstruct.
        fitted_model: The model that reconstructs them: the same, or one with augmentation, which learns to reconstruct the
            features without it (a denoising autoencoder).
    """
    residual = keras.layers.Subtract(dtype="float32", name="residual")([fitted_model(model.input), read_features(model)])
    return keras.Model(model.input, residual, name=model.name)
