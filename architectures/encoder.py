"""Fine-tuned pretrained transformer: its frames are pooled over the clip, and a linear layer predicts. Only on torch.

``encoder = wav2vec2-base`` names a preset, ``transformers:FOLDER`` a folder (docs/finetuning.md): wav2vec2, HuBERT, WavLM and
similar models, Whisper's encoder, AST. It reads samples of clips of any length, scaled as its feature extractor does.
Attention and pooling ignore frames after the end of a clip.

Sources: Baevski et al. 2020 (wav2vec 2.0); Yang et al. 2021, "SUPERB" (the weighted sum of layers).
"""

from typing import Literal

import keras

from architectures._checks import check_choice, check_dropout, check_input
from architectures._layer_weights import weigh_layers
from architectures._masked_pooling import POOLINGS, pool_frames
from architectures._transformer import pretrained_layer
from preprocessing.encoders import resolve_encoder
from xval.base.errors import SettingsError

reshaping_type = "none"
task_types = ("classification", "regression")
features = "waveform"
backends = ("torch",)
defaults = {"features": "waveform", "normalization": "none", "padding": "masked"}

_FAMILY = "transformers"


def build(
    input_shape: tuple[int | None, ...],
    output_shape: tuple[int, ...],
    *,
    layers: Literal["last", "weighted"] = "last",
    pooling: Literal["mean", "attentive", "statistics"] = "mean",
    dropout: float = 0.1,
    gradient_checkpointing: bool = False,
    encoder: str = "",
    sample_rate_hz: int = 16000,
) -> keras.Model:
    """Build the network.

    Args:
        input_shape: (n_samples, 1), with n_samples None for clips of any length; NaN follows the end of a clip.
        output_shape: (n_outputs,).
        layers: last: the last layer of the transformer; weighted: a sum of all layers with learned weights.
        pooling: How the frames of a clip are pooled.
        dropout: Share of the pooled values that are set to zero in training, 0 to below 1.
        gradient_checkpointing: Whether training needs less memory, because it computes the inside of each block twice.
        encoder: A preset, or transformers:FOLDER; xval passes the setting of this name.
        sample_rate_hz: Sample rate (Hz); xval passes the feature setting of this name.

    Returns:
        Model from float32 (n_examples, *input_shape) to float32 (n_examples, n_outputs), linear.

    Raises:
        SettingsError: There is no such encoder, it reads another sample rate, or an option is out of its range.
    """
    check_choice(__name__, ("last", "weighted"), layers=layers)
    check_choice(__name__, POOLINGS, pooling=pooling)
    check_dropout(__name__, dropout)
    check_input(__name__, input_shape, ("samples", "channels"), any_length=True)
    family, _, name = resolve_encoder(encoder, "encoder").partition(":")
    if family.strip() != _FAMILY:
        raise SettingsError(
            f"encoder={encoder}: is read by '{family.strip()}', whose models cannot be trained further; allowed: "
            f"{_FAMILY}:FOLDER. For its features: features = embedding, embedding_model = {encoder}, another architecture"
        )
    layer = pretrained_layer(
        name.strip(), setting="encoder", is_weighted=layers == "weighted", gradient_checkpointing=gradient_checkpointing
    )
    if (wanted_hz := layer.module.extractor.sampling_rate) != sample_rate_hz:
        raise SettingsError(f"encoder={encoder}: reads audio of {wanted_hz} Hz; received sample_rate_hz={sample_rate_hz}")
    inputs = keras.Input(input_shape)
    frames, is_frame = layer(inputs)
    if layers == "weighted":
        frames = weigh_layers(frames.shape[1:], layer.module.n_layers)(frames)
    pooled = keras.layers.Dropout(dropout)(pool_frames(frames, is_frame, pooling))
    return keras.Model(inputs, keras.layers.Dense(output_shape[-1])(pooled), name="encoder")
