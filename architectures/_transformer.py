"""A pretrained transformer of Hugging Face transformers as a Keras layer, on the torch backend.

Clips that are shorter than the longest one of their batch are padded with NaN; the layer returns the frames and which of them
are valid. The saved model has the settings and weights of the transformer, so that loading it needs only the package
transformers, and no other file or code.
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
    """A transformer whose weights are Keras variables, in blocks: its convolutions, their projection, its transformer blocks.

    Input: float32 (batch, n_samples, 1). Output: float32 (batch, n_frames, n_layers * n_values), and bool (batch, n_frames).

    Args:
        model: Settings of the model, as `transformer_frames.settings_of` returns them.
        extractor: Settings of its feature extractor, from the same function.
        is_weighted: Whether the outputs of all layers are concatenated; otherwise only the last layer is returned.
        gradient_checkpointing: Whether training computes the inside of each block twice instead of keeping it in memory.
        compute_dtype: Dtype of matrix products and convolutions; weights and frames are always float32.
        **keywords: Arguments of every `TorchModule`.
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
            enable({"use_reentrant": False})  # older versions of transformers have only the second name
        self.layer_numbers = tuple(range(frames.n_layers)) if is_weighted else (frames.n_layers - 1,)
        self.autocast_dtype = compute_dtype
        return frames

    def split_module(self, module: Any) -> Sequence[Sequence[Any]]:
        """Return the convolutions and the transformer blocks of the module."""
        blocks: Sequence[Sequence[Any]] = module.blocks()
        return blocks

    def call(self, inputs: Any, training: bool | None = None) -> tuple[Any, Any]:
        """Return the frames, and which of them are inside their clips."""
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
        """Return the shapes and dtypes of the outputs; the number of frames is unknown."""
        n_values = len(self.layer_numbers) * self.module.n_values
        frames = keras.KerasTensor((inputs.shape[0], None, n_values), dtype="float32")
        return frames, keras.KerasTensor((inputs.shape[0], None), dtype="bool")


def pretrained_layer(name: str, *, setting: str, is_weighted: bool, gradient_checkpointing: bool) -> TransformerEncoder:
    """Return the layer with the weights of a folder, or of a model in the cache of the Hugging Face hub.

    Args:
        name: The folder, or the name of the model.
        setting: The setting that names it, for errors.
        is_weighted: Whether the layer returns all layers of the transformer.
        gradient_checkpointing: Whether training computes the inside of each block twice to save memory.

    Raises:
        SettingsError: There is no such model, or it is of a kind that cannot be trained with padded clips.
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
