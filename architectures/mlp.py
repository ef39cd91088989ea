"""Fully connected network (MLP) on all values of an example: a baseline without a model of time or frequency.

Flatten, then dense layers with ReLU and dropout (Rumelhart, Hinton & Williams 1986, "Learning representations by
back-propagating errors"; dropout: Srivastava et al. 2014). Without hidden layers it is multinomial or linear regression.

Input: examples of any shape. Output: a Keras model with linear outputs; the engine adds softmax and loss. 533,322 parameters
at 64 x 64 and 10 classes.
"""

import keras
from keras import layers

from architectures._checks import check_counts, check_dropout, check_input

reshaping_type = "none"
task_types = ("classification", "regression")


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_units: tuple[int, ...] = (128, 64),
    dropout: float = 0.3,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: Shape of one example, any number of axes.
        output_shape: Last entry: number of classes, or of values to predict.
        n_units: Units of each hidden layer; empty: no hidden layers, which is a linear model.
        dropout: Share of the hidden values set to zero in training, 0 to below 1.

    Returns:
        Model from float32 (n_examples, *input_shape) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the length of examples is unknown.
    """
    check_input(__name__, input_shape)
    check_counts(__name__, n_units=n_units)
    check_dropout(__name__, dropout)

    inputs = layers.Input(input_shape)
    x = layers.Flatten()(inputs)
    for units in n_units:
        x = layers.Dense(units, activation="relu")(x)
        x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(output_shape[-1])(x)
    return keras.Model(inputs, outputs, name="mlp")
