"""The difference between the features and what a model makes of them, as a model of Keras's own layers.

For models that learn to rebuild their features: the models made here share their weights, and predict the features as the
architecture gets them, or the residual.
"""

import keras


def read_features(model: keras.Model) -> keras.KerasTensor:
    """Return the tensor that the architecture of a whole model gets: behind front end, normalisation and reshaping."""
    hidden = model.input
    for layer in model.layers[1:-2]:
        hidden = layer(hidden)
    return hidden


def with_residual(model: keras.Model, fitted_model: keras.Model) -> keras.Model:
    """Return a model that answers with reconstruction less features, in float32.

    Args:
        model: A chain of layers from `build_model`: what precedes its architecture makes the features that are to be rebuilt.
        fitted_model: What rebuilds them: the same model, or one with augmentation, which then learns to rebuild the features
            without it (a denoising autoencoder).
    """
    residual = keras.layers.Subtract(dtype="float32", name="residual")([fitted_model(model.input), read_features(model)])
    return keras.Model(model.input, residual, name=model.name)
