"""A pretrained transformer of Hugging Face transformers as a Keras layer, on the torch backend.

Clips that are shorter than the longest of their batch end in NaN; the layer returns the frames and which of them are valid. The
saved model holds settings and weights of the transformer, so that loading it needs no other file and no code except the package
transformers.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from preprocessing.embeddings.families.transformers import load_frames
from xval.backend.torch_module import TorchModule
from xval.base.errors import SettingsError


@keras.saving.register_keras_serializable(package="xval")
class TransformerEncoder(TorchModule):
    """A transformer whose weights are variables of Keras, in blocks: its convolutions, their projection, its own blocks.

    Input: float32 (batch, n_samples, 1). Output: float32 (batch, n_frames, n_layers * n_values), and bool (batch, n_frames).

    Args:
        model: Settings of the model, as of `transformer_frames.settings_of`.
        extractor: Settings of its feature extractor.
        is_weighted: Whether all layers are given side by side; else the last one.
        gradient_checkpointing: Whether training computes the inside of each block twice instead of keeping it in memory.
        compute_dtype: Of the products of matrices and convolutions; weights and frames are float32 whatever it is.
        **keywords: Of every `TorchModule`.
    """

    def make_module(
        self,
        *,
        model: dict[str, Any],
        extractor: dict[str, Any],
        is_weighted: bool = False,
        gradient_checkpointing: bool = False,
        compute_dtype: str = "float32",
    ) -> Any:
        """Return the transformer with random weights."""
        from preprocessing.embeddings.transformer_frames import make_frames

        frames = make_frames(model, extractor)
        if gradient_checkpointing:
            enable = getattr(frames.model, "activation_checkpointing_enable", frames.model.gradient_checkpointing_enable)
            enable({"use_reentrant": False})  # the second is its name of before
        self.layer_numbers = tuple(range(frames.n_layers)) if is_weighted else (frames.n_layers - 1,)
        self.autocast_dtype = compute_dtype
        return frames

    def split_module(self, module: Any) -> Sequence[Sequence[Any]]:
        """Return convolutions and blocks."""
        blocks: Sequence[Sequence[Any]] = module.blocks()
        return blocks

    def call(self, inputs: Any, training: bool | None = None) -> tuple[Any, Any]:
        """Return frames, and which of them lie in their clips."""
        import torch

        self.set_training(is_training=bool(training))
        samples = inputs[..., 0].detach().float().cpu().numpy()
        n_behind = (~np.isnan(samples))[:, ::-1].argmax(axis=1)
        clips = [np.nan_to_num(row[: len(row) - behind]) for row, behind in zip(samples, n_behind.tolist(), strict=True)]
        dtype = getattr(torch, self.autocast_dtype)
        with torch.autocast(inputs.device.type, dtype=dtype, enabled=dtype != torch.float32):
            hidden = self.module(clips, self.layer_numbers).float()
        n_frames = torch.tensor([self.module.count_frames(len(clip)) for clip in clips], device=hidden.device)
        is_frame = torch.arange(hidden.shape[2], device=hidden.device) < n_frames[:, None]
        return hidden.transpose(1, 2).flatten(2), is_frame

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> tuple[Any, Any]:  # noqa: ARG002 - as Keras calls it
        """Return shapes and types; the number of frames is open."""
        n_values = len(self.layer_numbers) * self.module.n_values
        frames = keras.KerasTensor((inputs.shape[0], None, n_values), dtype="float32")
        return frames, keras.KerasTensor((inputs.shape[0], None), dtype="bool")


def pretrained_layer(name: str, *, setting: str, is_weighted: bool, gradient_checkpointing: bool) -> TransformerEncoder:
    """Return the layer with the weights of a folder, or of a model in the cache of the hub.

    Raises:
        SettingsError: There is no such model, or no frames come from it; ``setting`` is what names it.
    """
    from preprocessing.embeddings.transformer_frames import CLAP, UNMASKED, settings_of

    try:
        pretrained = load_frames(name)
    except SettingsError as error:
        raise SettingsError(str(error).replace("embedding_model=", f"{setting}=")) from error
    unfit = dict.fromkeys(UNMASKED, "has convolutions that hear what is padded behind a clip")
    unfit |= {CLAP: "gives no frames to pool"}
    if why_not := unfit.get(pretrained.kind):
        what = f"{setting}=transformers:{name}: a model of type '{pretrained.kind}'"
        raise SettingsError(f"{what} {why_not}. Use it by features = embedding")
    model, extractor = settings_of(pretrained)
    layer = TransformerEncoder(
        name="transformer",
        model=model,
        extractor=extractor,
        is_weighted=is_weighted,
        gradient_checkpointing=gradient_checkpointing,
        compute_dtype=keras.config.dtype_policy().compute_dtype,
    )
    layer.module.load_state_dict(pretrained.state_dict())
    return layer
