"""Compute the frames of a Hugging Face transformers model for clips of any length, for embeddings and for fine-tuning.

If clips of different lengths are in a batch, padding does not change the frames of a shorter one: the attention of speech
models is masked there, convolutions that normalise over time (group norm) process each clip at its own length, and Whisper and
AST themselves pad every clip to their fixed length.
"""

import inspect
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xval.base.errors import SettingsError

SPEECH = ("wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat", "data2vec-audio", "wav2vec2-conformer")
WHISPER, AST, CLAP = "whisper", "audio-spectrogram-transformer", "clap"
UNMASKED = ("data2vec-audio", "wav2vec2-conformer")
"""The models of `SPEECH` with convolutions between blocks, or several over positions, whose frames depend on padding."""
_WITHOUT_LAYERDROP = {"layerdrop": 0.0, "encoder_layerdrop": 0.0}  # so that all layers have outputs and gradients in each step
_SIMPLE = (bool, int, float, str)
_LONGEST_S = 30
_N_SPECIAL_TOKENS = 2  # tokens of AST before its patches


def settings_of(frames: "TransformerFrames") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of a model and of its feature extractor, as values that JSON can hold, for `make_frames`."""
    config, extractor = frames.model.config.to_dict(), frames.extractor.to_dict()
    return {"model_type": frames.kind, **_known(config, frames.kind)}, _known_of_extractor(extractor, frames.kind)


def make_frames(config: dict[str, Any], extractor: dict[str, Any]) -> "TransformerFrames":
    """Return a model with random weights from settings as `settings_of` returns them; no file is read and no remote code run.

    Args:
        config: Settings of the model.
        extractor: Settings of its feature extractor.

    Raises:
        SettingsError: The settings are of a kind of model that is not supported.
    """
    import transformers

    kind = config.get("model_type")
    if kind not in (*SPEECH, WHISPER, AST):
        raise SettingsError(f"settings of a model of type {kind!r:.80}; expected {', '.join((*SPEECH, WHISPER, AST))}")
    made = transformers.AutoConfig.for_model(kind, **_known(config, kind) | _WITHOUT_LAYERDROP)
    if kind == WHISPER:
        model: Any = transformers.models.whisper.modeling_whisper.WhisperEncoder(made)
    else:
        model = transformers.AutoModel.from_config(made, trust_remote_code=False)
    return TransformerFrames(model.float(), _extractor_class(kind)(**_known_of_extractor(extractor, kind)))


def _known(config: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the settings of a model that affect its outputs, without paths, code and names of classes."""
    import transformers

    default = transformers.AutoConfig.for_model(kind).to_dict()
    others = {"architectures", "auto_map", "dtype", "id2label", "label2id", "model_type", "return_dict", "transformers_version"}
    others |= {"output_attentions", "output_hidden_states", "problem_type"}
    return {
        name: value
        for name, value in config.items()
        if name in default and name not in others and name[0] != "_" and _is_simple(value)
    }


def _known_of_extractor(extractor: dict[str, Any], kind: str) -> dict[str, Any]:
    names = inspect.signature(_extractor_class(kind).__init__).parameters
    return {name: value for name, value in extractor.items() if name in names and _is_simple(value)}


def _extractor_class(kind: str) -> Any:
    import transformers

    extractors = {WHISPER: transformers.WhisperFeatureExtractor, AST: transformers.ASTFeatureExtractor}
    return extractors.get(kind, transformers.Wav2Vec2FeatureExtractor)


def _is_simple(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(part, _SIMPLE) for part in value)
    return value is None or isinstance(value, _SIMPLE)


class TransformerFrames(nn.Module):  # type: ignore[misc]
    """A transformers model together with its feature extractor.

    Args:
        model: A model of a kind of `SPEECH`, an AST, a CLAP, or the encoder of a Whisper.
        extractor: Its feature extractor, which computes its inputs from samples.

    Attributes:
        n_layers: Number of layers: layer 0 is the input of the first block, the last one the output of the model.
        shortest: Smallest number of samples of a segment; a shorter one is padded with zeros.
        longest: Largest number of samples of a segment; longer clips are read in segments.
    """

    def __init__(self, model: Any, extractor: Any) -> None:
        super().__init__()
        config = model.config
        self.kind, self.model, self.extractor = config.model_type, model, extractor
        rate_hz, self.n_values = extractor.sampling_rate, int(getattr(config, "hidden_size", 0))
        self.shortest, self.longest = 1, _LONGEST_S * rate_hz
        if self.kind == WHISPER:
            self.n_layers, self.longest = config.encoder_layers + 1, extractor.n_samples
        elif self.kind == AST:
            self.n_layers, self.longest = config.num_hidden_layers + 1, extractor.max_length * rate_hz // 100
            self.shortest = rate_hz // 40  # a window of its filter bank
        elif self.kind == CLAP:
            self.n_layers, self.longest = 1, extractor.nb_max_samples
        else:
            self.n_layers = config.num_hidden_layers + 1
            for width, step in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
                self.shortest = (self.shortest - 1) * step + width
            self._augments = getattr(config, "apply_spec_augment", True)
            if getattr(config, "feat_extract_norm", "layer") == "group":  # data2vec has only layers
                model.feature_extractor = _ByLength(model.feature_extractor)

    def forward(self, clips: Sequence[NDArray[np.float32]], layers: Sequence[int]) -> torch.Tensor:
        """Return the frames of clips.

        Args:
            clips: float32 (n_samples,) each, at the sample rate of the extractor.
            layers: Numbers of the layers to return, in ascending order.

        Returns:
            float32 (n_clips, len(layers), n_frames, n_values); only the first `count_frames` frames of a clip are its own.
        """
        parts = []
        for first in range(0, max(map(len, clips)), self.longest):
            segments = [clip[first : first + self.longest] for clip in clips]
            filled = [np.pad(segment, (0, max(0, self.shortest - len(segment)))) for segment in segments]
            parts.append(self._read(filled, max(map(len, segments)), layers))
        return torch.cat(parts, dim=2)

    def count_frames(self, n_samples: int) -> int:
        """Return how many frames a clip of ``n_samples`` samples has."""
        whole, rest = divmod(max(n_samples, 1), self.longest)
        n_rest = self._frames_of_segment(rest) if rest else 0
        return int(whole) * self._frames_of_segment(self.longest) + n_rest

    def blocks(self) -> tuple[list[nn.Module], ...]:
        """Return the blocks from input to output, each of which has its own learning rate and can be frozen.

        The first block has the convolutions (or patches), each other one is a transformer block. Modules that are in no block,
        such as the projection of the convolutions, belong between the first and the second.
        """
        model = self.model
        if self.kind == WHISPER:
            first, layers, last = [model.conv1, model.conv2, model.embed_positions], model.layers, model.layer_norm
        elif self.kind == AST:
            first, layers, last = [model.embeddings], model.layers, model.layernorm
        else:
            first, layers, last = [model.feature_extractor], model.encoder.layers, None
            if getattr(model.config, "do_stable_layer_norm", False):
                last = model.encoder.layer_norm
        blocks = [[layer] for layer in layers]
        blocks[-1] += [] if last is None else [last]
        return first, *blocks

    def _frames_of_segment(self, n_samples: int) -> int:
        if self.kind == WHISPER:
            return int(-(-n_samples // (self.longest // self.model.config.max_source_positions)))
        if self.kind == AST:
            hop = self.longest // self.extractor.max_length * self.model.config.time_stride
            return int(max(1, min(self._n_times, -(-n_samples // hop))))
        if self.kind == CLAP:
            return 1
        n_frames = max(n_samples, self.shortest)
        for width, step in zip(self.model.config.conv_kernel, self.model.config.conv_stride, strict=True):
            n_frames = (n_frames - width) // step + 1
        return int(n_frames)

    @property
    def _n_times(self) -> int:
        """Number of patches of AST along the time axis."""
        n_times: int = self.model.embeddings.get_shape(self.model.config)[1]
        return n_times

    def _read(self, clips: list[NDArray[np.float32]], n_samples: int, layers: Sequence[int]) -> torch.Tensor:
        """Return the outputs of the layers for a segment of each clip; ``n_samples`` is the longest one without padding."""
        lengths = [len(clip) for clip in clips]
        is_masked = self.kind in SPEECH and len(set(lengths)) > 1
        options = {"padding": True, "return_attention_mask": True} if is_masked else {}
        given = self.extractor(clips, sampling_rate=self.extractor.sampling_rate, return_tensors="pt", **options)
        given = given.to(next(self.parameters()).device)
        if self.kind == CLAP:
            if "is_longer" in given:
                given["is_longer"] = torch.zeros_like(given["is_longer"])  # the extractor sets it for a random clip
            embedding: torch.Tensor = self.model.get_audio_features(**given).pooler_output[:, None, None]
            return embedding
        n_frames = self._frames_of_segment(n_samples)
        masks = {"attention_mask": given["attention_mask"]} if is_masked else {}
        if self.kind in SPEECH:
            config = self.model.config  # SpecAugment raises an error for clips that are shorter than its masks
            config.apply_spec_augment = self._augments and n_frames > config.mask_time_length
            if isinstance(self.model.feature_extractor, _ByLength):
                self.model.feature_extractor.lengths = lengths if is_masked else None
        reads = given["input_features" if self.kind == WHISPER else "input_values"]
        with warnings.catch_warnings():  # for WavLM, transformers passes two masks of different types to torch
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            outputs = self.model(reads, output_hidden_states=tuple(layers) != (self.n_layers - 1,), **masks)
        last = outputs.last_hidden_state
        hidden = torch.stack([last if n == self.n_layers - 1 else outputs.hidden_states[n] for n in layers], dim=1)
        if self.kind == AST:
            hidden = hidden[:, :, _N_SPECIAL_TOKENS:].unflatten(2, (-1, self._n_times)).mean(dim=2)
        return hidden[:, :, :n_frames]


class _ByLength(nn.Module):  # type: ignore[misc]
    """Convolutions that normalise over all frames of a clip, applied to each clip at its own length.

    Attributes:
        lengths: Number of samples of each clip; None: all have the same length.
    """

    def __init__(self, convolutions: nn.Module) -> None:
        super().__init__()
        self.convolutions = convolutions
        self.lengths: list[int] | None = None

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        if self.lengths is None:
            frames: torch.Tensor = self.convolutions(samples)
            return frames
        frames_of: dict[int, torch.Tensor] = {}
        for length in set(self.lengths):
            rows = [row for row, other in enumerate(self.lengths) if other == length]
            frames_of |= zip(rows, self.convolutions(samples[rows, :length]).transpose(1, 2), strict=True)
        ordered = [frames_of[row] for row in range(len(self.lengths))]
        return nn.utils.rnn.pad_sequence(ordered, batch_first=True).transpose(1, 2)
