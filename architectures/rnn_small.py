"""Small recurrent network (RNN) over the frames of an example, for features whose order in time matters.

GRU (Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder") or LSTM (Hochreiter & Schmidhuber 1997), in
both directions (Schuster & Paliwal 1997) or only forwards. The outputs of all frames are averaged, so silence at the end of a
padded clip does not erase earlier frames.

Input: examples (frames, bins). Output: a Keras model with linear outputs; the engine adds softmax and loss. 51,210 parameters
at 64 x 64 and 10 classes.
"""

from typing import Literal

import keras
from keras import layers

from architectures._checks import check_choice, check_dropout, check_input, check_layers

reshaping_type = "rnn"
task_types = ("classification", "regression")


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    cell: Literal["gru", "lstm"] = "gru",
    n_units: tuple[int, ...] = (64,),
    bidirectional: bool = True,
    dropout: float = 0.3,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins); frames may be None.
        output_shape: Last entry: number of classes, or of values to predict.
        cell: Kind of recurrent layer.
        n_units: Units of each recurrent layer, in each direction.
        bidirectional: Whether each layer also runs backwards; its outputs are then twice as many.
        dropout: Share of each layer's outputs set to zero in training, 0 to below 1.

    Returns:
        Model from float32 (n_examples, frames, bins) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_input(__name__, input_shape, ("frames", "bins"), any_length=True)
    check_layers(__name__, n_units=n_units)
    check_choice(__name__, ("gru", "lstm"), cell=cell)
    check_dropout(__name__, dropout)

    recurrent = layers.GRU if cell == "gru" else layers.LSTM
    inputs = x = layers.Input(input_shape)
    for units in n_units:
        layer = recurrent(units, return_sequences=True)
        x = layers.Bidirectional(layer)(x) if bidirectional else layer(x)
        x = layers.Dropout(dropout)(x)
    x = layers.GlobalAveragePooling1D()(x)
    outputs = layers.Dense(output_shape[-1])(x)
    return keras.Model(inputs, outputs, name="rnn_small")
