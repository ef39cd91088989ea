"""Time that each family of pretrained models takes for an hour of audio, as features are made of it. Prints a table.

python benchmarks/embeddings.py [--seconds 60] [--threads N] [--only NAME ...]

Models of transformers have their usual (base) size and random weights, which take as long as trained ones; no weights are
downloaded. The audio is noise, cut into windows of 10 s; features are pooled by their mean. What is timed is `embed_pieces`,
behind one window to warm up.
"""

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import transformers

from preprocessing.embeddings.embedder import at_its_rate, identify, load_embedder
from preprocessing.embeddings.examples import batch_size, embed_pieces
from preprocessing.features.settings import FeatureSettings
from preprocessing.parallel import count_cores
from xval.base.config_file import read_section

WINDOW_S = 10
# Name, model, what makes its inputs, and options of the configuration: those of the base models on the hub.
MODELS = {
    "wav2vec2-base": ("Wav2Vec2", "Wav2Vec2", {}),
    "hubert-base": ("Hubert", "Wav2Vec2", {}),
    "wavlm-base": ("WavLM", "Wav2Vec2", {}),
    "whisper-base": (
        "Whisper",
        "Whisper",
        {
            "d_model": 512,
            "encoder_layers": 6,
            "encoder_attention_heads": 8,
            "encoder_ffn_dim": 2048,
            "decoder_layers": 1,
            "decoder_attention_heads": 8,
        },
    ),
    "ast (10-10)": ("AST", "AST", {}),
    "clap-htsat-unfused": ("Clap", "Clap", {}),
}
OTHERS = ("resemblyzer", "opensmile:eGeMAPSv02", "opensmile:ComParE_2016")


def save_random_model(name: str, folder: Path) -> int:
    """Write a model of random weights; return the number of its weights."""
    model, extractor, options = MODELS[name]
    torch.manual_seed(0)
    made = getattr(transformers, f"{model}Model")(getattr(transformers, f"{model}Config")(**options))
    made.save_pretrained(folder)
    padding = {"padding": "repeatpad", "truncation": "rand_trunc"} if extractor == "Clap" else {}
    getattr(transformers, f"{extractor}FeatureExtractor")(**padding).save_pretrained(folder)
    counted = made.encoder if model == "Whisper" else made.audio_model if model == "Clap" else made
    return sum(each.numel() for each in counted.parameters())


def time_embedder(model: str, seconds: float) -> tuple[float, float]:
    """Return the time, and that of all threads of the processor, for an hour of audio (s)."""
    defaults = read_section("features") | {"features": "embedding", "embedding_model": model}
    settings = FeatureSettings.model_validate(defaults)
    settings = at_its_rate(settings, identify(settings))
    with contextlib.redirect_stderr(io.StringIO()):  # the licence of openSMILE
        load_embedder(settings)
    n_samples = WINDOW_S * settings.sample_rate_hz
    windows = 0.1 * np.random.default_rng(0).normal(size=(max(1, round(seconds / WINDOW_S)), n_samples)).astype(np.float32)
    embed_pieces(windows[:1], settings, None)
    began = time.perf_counter(), time.process_time()
    size = batch_size(n_samples, settings.sample_rate_hz)
    for first in range(0, len(windows), size):
        embed_pieces(windows[first : first + size], settings, None)
    took = time.perf_counter() - began[0], time.process_time() - began[1]
    return tuple(3600 * each / (len(windows) * WINDOW_S) for each in took)


def main(seconds: float, threads: int, names: list[str]) -> None:
    """Time each embedder and print a line as it ends."""
    torch.set_num_threads(threads)
    transformers.utils.logging.disable_progress_bar()
    print(f"{seconds:g} s of noise in windows of {WINDOW_S} s, {threads} threads")
    print(f"{'embedder':24} {'10^6 weights':>12} {'s for an hour':>14} {'of processor':>13}")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            n_weights = f"{save_random_model(name, Path(folder)) / 1e6:.0f}" if name in MODELS else ""
            took, of_processor = time_embedder(f"transformers:{folder}" if name in MODELS else name, seconds)
        in_here = "" if name.startswith("opensmile") else f"{of_processor:.0f}"  # openSMILE has a process of its own
        print(f"{name:24} {n_weights:>12} {took:14.0f} {in_here:>13}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Seconds for an hour of audio by each family of pretrained models.")
    parser.add_argument("--seconds", type=float, default=60, help="length of the audio (default: %(default)s)")
    parser.add_argument("--only", choices=[*MODELS, *OTHERS], nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--threads", type=int, default=count_cores(), help="CPU threads (default: one for each core)")
    given = parser.parse_args()
    main(given.seconds, given.threads, given.only or [*MODELS, *OTHERS])
