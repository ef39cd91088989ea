"""Residual LSTM with self-attention over frames of prosody, such as mfcc+chroma+f0+energy in coarse frames.

Frames are projected to ``n_units``. Each bidirectional LSTM (Hochreiter & Schmidhuber 1997) has a residual connection, and so
has the self-attention over frames (Vaswani et al. 2017). Attentive statistics pool the frames into one vector per clip (Okabe
et al. 2018). It follows the idea of ResLSTM-SA (Krasnoproshin & Vashkevich 2026, "Speech emotion recognition using
attention-based LSTM-network with residual connection", arXiv 2606.03359), with separate code.

Input: examples (frames, bins) with NaN after the ends of clips (padding = masked). Output: a Keras model with linear outputs;
the engine adds softmax and loss. 54,216 parameters at 58 x 46 and 8 classes.
"""

import keras
from keras import layers

from architectures._checks import check_counts, check_dropout, check_input
from architectures._masked_pooling import pool_frames, self_attention, split_padding

reshaping_type = "rnn"
task_types = ("classification", "regression")
defaults = {"padding": "masked"}


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_units: int = 64,
    n_layers: int = 1,
    n_heads: int = 2,
    dropout: float = 0.3,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins); frames may be None.
        output_shape: Last entry: number of classes, or of values to predict.
        n_units: Values of a frame in the network; half of them are those of an LSTM in each direction.
        n_layers: Number of LSTMs.
        n_heads: Heads of the self-attention.
        dropout: Share of the values set to zero in training, after each part, 0 to below 1.

    Returns:
        Model from float32 (n_examples, frames, bins) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_input(__name__, input_shape, ("frames", "bins"), any_length=True)
    check_counts(__name__, n_units=n_units, n_layers=n_layers, n_heads=n_heads)
    check_dropout(__name__, dropout)

    inputs = layers.Input(input_shape)
    x, is_frame = split_padding(inputs)
    x = layers.Dropout(dropout)(layers.Dense(n_units)(x))
    for _ in range(n_layers):
        n_each = (n_units + 1) // 2
        lstm = layers.Bidirectional(layers.LSTM(n_each, return_sequences=True))(layers.LayerNormalization()(x), mask=is_frame)
        lstm = lstm if 2 * n_each == n_units else layers.Dense(n_units)(lstm)
        x = layers.Add()([x, layers.Dropout(dropout)(lstm)])
    x = self_attention(x, is_frame, n_heads, dropout)
    x = layers.Dropout(dropout)(pool_frames(x, is_frame, "attentive_statistics"))
    return keras.Model(inputs, layers.Dense(output_shape[-1])(x), name="lstm_attention")
