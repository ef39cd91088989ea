"""``transformers:NAME_OR_FOLDER``: wav2vec2, HuBERT, WavLM, Whisper's encoder, AST and CLAP of Hugging Face transformers.

The model is a folder, or is in the cache of the Hugging Face hub under its name. Its weights have to be safetensors, never a
pickle. Its identity is a hash of every .json and .safetensors file, also in subfolders and hidden. transformers reads no other
files here: pickles, texts, tokenizers and code (trust_remote_code is off) cannot change an embedding. Layer 0 is the input of
the first block, the last layer the output of the model (its last block, normalised if the model does so).

| model | frames | longest segment |
|---|---|---|
| wav2vec2, HuBERT, WavLM ... | one for every 20 ms | 30 s; longer clips are cut |
| Whisper's encoder | one for every 20 ms; those of the padding are skipped | 30 s |
| AST | patches of one time averaged over frequency, one for every 100 ms; those of the padding are skipped | 10.24 s |
| CLAP | one for each segment, its projected embedding with Euclidean norm 1 | 10 s |

Sources: Baevski et al. 2020 (wav2vec 2.0), Hsu et al. 2021 (HuBERT), Chen et al. 2022 (WavLM), Radford et al. 2023 (Whisper),
Gong et al. 2021 (AST), Wu et al. 2023 (CLAP).
"""

import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.embeddings.embedder import Identity, hash_files, list_files, read_rate
from preprocessing.encoders import preset_of
from xval.base.errors import SettingsError, XvalError, brief, how_to_install, one_line
from xval.base.operating_system import read_regular

if TYPE_CHECKING:
    from preprocessing.embeddings.transformer_frames import TransformerFrames

_CONFIG, _PREPROCESSOR = "config.json", "preprocessor_config.json"
_WEIGHTS = "*.safetensors"
_READ = ("*.json", _WEIGHTS)
_INDEX = ".safetensors.index.json"
_ADAPTER = "adapter_config.json"
_UNUSED = ("masked_spec_embed",)
"""Weights that are used only in training and that some files lack."""


def identify(name: str) -> Identity:
    """Return the identity of a model: a hash of its files, and its sample rate."""
    folder = _find_folder(name)
    names = list_files(folder, _READ)
    rate_hz = read_rate(folder / _PREPROCESSOR, "sampling_rate")
    if rate_hz is None:
        raise SettingsError(f"embedding_model=transformers:{name}: {folder / _PREPROCESSOR} lacks sampling_rate.")
    _check_reach(name, folder, names)
    return Identity(hash_files([folder / file for file in names], names), rate_hz)


def load(name: str, *, is_pooled: bool) -> "TransformersEmbedder":  # noqa: ARG001
    """Return the model as an embedder."""
    return TransformersEmbedder(load_frames(name))


def load_frames(name: str) -> "TransformerFrames":
    """Return the model as a torch module on the CPU.

    Raises:
        SettingsError: There is no such model, it is of a kind that is not supported, or its files are damaged or incomplete.
    """
    folder = _find_folder(name)
    import torch
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel
    from transformers.utils import logging

    from preprocessing.embeddings.transformer_frames import WHISPER, TransformerFrames

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    safely: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, **safely)
        kind = config.model_type
        _check_kind(name, kind)
        _check_weights(name, folder, getattr(config, "transformers_weights", None))
        extractor = AutoFeatureExtractor.from_pretrained(folder, **safely)
        model, report = AutoModel.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **safely
        )
        _check_complete(name, report["missing_keys"])
        return TransformerFrames(model.get_encoder() if kind == WHISPER else model, extractor)
    except XvalError:
        raise
    except Exception as error:  # the libraries raise errors of many kinds for damaged files and wrong settings
        raise SettingsError(
            f"embedding_model=transformers:{name}: {folder} cannot be loaded ({one_line(error)[:300]}). A file is damaged, "
            "or the model needs more memory than available. Download it again, or choose another model."
        ) from error


class TransformersEmbedder:
    """An `Embedder` of a transformers model."""

    def __init__(self, frames: "TransformerFrames") -> None:
        import torch

        self.device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        self._frames, self.n_layers = frames.to(self.device).eval(), frames.n_layers

    def embed(self, waveforms: NDArray[np.float32], sample_rate_hz: int, layers: tuple[int, ...]) -> NDArray[np.float32]:  # noqa: ARG002 - that of the identity
        """Return the frames of clips, with the shapes of `Embedder.embed`."""
        import torch

        with torch.inference_mode():
            embeddings: NDArray[np.float32] = self._frames(list(waveforms), layers).float().cpu().numpy()
        return embeddings


def _check_kind(name: str, kind: str) -> None:
    from preprocessing.embeddings.transformer_frames import AST, CLAP, SPEECH, WHISPER

    allowed = (*SPEECH, WHISPER, AST, CLAP)
    if kind not in allowed:
        raise SettingsError(
            f"embedding_model=transformers:{name}: embeddings of a model of type '{kind}' are not supported; expected "
            f"{', '.join(allowed)}."
        )


def _check_complete(name: str, missing_keys: Iterable[str]) -> None:
    missing = sorted(key for key in missing_keys if not key.endswith(_UNUSED))
    if missing:
        raise SettingsError(
            f"embedding_model=transformers:{name}: its files lack {len(missing)} of the model's weights ({missing[0]} ...), "
            "so these would be random. Download it again, or name the model that the files belong to."
        )


def _check_weights(name: str, folder: Path, named: Any) -> None:
    """Raise SettingsError if the config names a file of weights that is not one of the folder's safetensors."""
    if named is None:
        return
    file = Path(str(named)).as_posix()
    if file not in list_files(folder, _READ) or not file.endswith((".safetensors", _INDEX)):
        raise SettingsError(
            f"embedding_model=transformers:{name}: {folder / _CONFIG} names '{named}' as transformers_weights, which is "
            "neither a .safetensors file of the folder nor an index of such files. Remove that entry, or download the model "
            "again."
        )


def _check_reach(name: str, folder: Path, names: list[str]) -> None:
    """Check that the model loads only files that its hash covers.

    Raises:
        SettingsError: An adapter loads another model; or an index of weights names other files, or is damaged.
    """
    where = f"embedding_model=transformers:{name}"
    if _ADAPTER in names:
        raise SettingsError(
            f"{where}: {folder / _ADAPTER} loads another model. Merge the adapter into its model and save that; or remove "
            "the file if the folder has all weights."
        )
    for index in (file for file in names if file.endswith(_INDEX)):
        try:
            shards = set(json.loads(read_regular(folder / index))["weight_map"].values())
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise SettingsError(f"{where}: {folder / index} is not an index of weights ({brief(error)}).") from error
        index_folder = Path(index).parent
        for shard in sorted(map(str, shards)):
            if (index_folder / shard).as_posix() not in names or not shard.endswith(".safetensors"):
                raise SettingsError(
                    f"{where}: {folder / index} names '{shard}', which is not a .safetensors file of the folder. Download it "
                    "again."
                )


def _find_folder(name: str) -> Path:
    """Return the folder with the files of a model, without network access."""
    where = f"embedding_model=transformers:{name}"
    if not name:
        raise SettingsError(
            "embedding_model=transformers: expected a model or a folder, such as transformers:OWNER/NAME. A preset is "
            "written without it, such as wav2vec2-base."
        )
    if any(find_spec(package) is None for package in ("transformers", "torch")):
        raise SettingsError(f"{where}: transformers or torch is not installed. Install them: {how_to_install('pretrained')}")
    folder = Path(name)
    preset = preset_of(f"transformers:{name}")
    how_to_download = (
        f"xval prepare encoders fetch {preset.name}, and write only {preset.name}"
        if preset
        else f'hf download {name} --include "*.json" "*.safetensors"'
    )
    if not folder.is_dir():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            folder = Path(snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError) as error:
            raise SettingsError(
                f"{where}: there is no such folder, nor such a model in the cache of the Hugging Face hub. Download it once, "
                f"on a machine with network access: {how_to_download}. Without network access, copy its folder and give the "
                "path."
            ) from error
    for pattern in (_CONFIG, _PREPROCESSOR, _WEIGHTS):
        if not any(folder.rglob(pattern) if pattern == _WEIGHTS else folder.glob(pattern)):
            pickled = any(folder.glob("*.bin")) and pattern == _WEIGHTS
            reason = " (pytorch_model.bin is a pickle, which can run code; docs/embeddings.md says how to convert it)" * pickled
            raise SettingsError(f"{where}: {folder} has no {pattern}{reason}. Download it: {how_to_download}")
    return folder
