"""Time that each family of pretrained models takes for an hour of audio, as features are made of it. Prints a table.

python benchmarks/embeddings.py [--seconds 60] [--threads N] [--only NAME ...]

Behind it, for families that are no network: clips of 4 s, prepared with one process and with one for each core, and the ratio.

Models of transformers have their usual (base) size and random weights, which take as long as trained ones; no weights are
downloaded. The audio is noise, cut into windows of 10 s; features are pooled by their mean. What is timed is `embed_pieces`,
behind one window to warm up.
"""

import argparse
import contextlib
import io
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
import transformers

from preprocessing.embeddings.compute import Work, embed_clips
from preprocessing.embeddings.embedder import at_its_rate, identify, is_network, load_embedder
from preprocessing.embeddings.examples import batch_size, cut_pieces, embed_pieces
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.parallel import count_cores

WINDOW_S, CLIP_S = 10, 4
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
OTHERS = ("resemblyzer", "opensmile:eGeMAPSv02", "opensmile:ComParE_2016", "praat")


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


def settings_of(model: str) -> FeatureSettings:
    """Return the settings of an embedder, at its rate."""
    defaults = {"features": "embedding", "embedding_model": model}
    settings = FeatureSettings.model_validate(defaults)
    return at_its_rate(settings, identify(settings))


def time_embedder(model: str, seconds: float) -> tuple[float, float]:
    """Return the time, and that of all threads of the processor, for an hour of audio (s)."""
    settings = settings_of(model)
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


def time_clips(model: str, seconds: float, n_processes: int) -> float:
    """Return the time to prepare clips of noise as those of a corpus, with the start of the processes (s)."""
    settings, rng = settings_of(model), np.random.default_rng(0)
    noise = 0.1 * rng.normal(size=(max(1, round(seconds / CLIP_S)), CLIP_S * settings.sample_rate_hz)).astype(np.float32)
    read = partial(cut_pieces, settings=settings)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        began = time.perf_counter()
        list(embed_clips(noise, [CLIP_S] * len(noise), read, settings, None, Path(folder), Work(), n_processes=n_processes))
        return time.perf_counter() - began


def main(seconds: float, threads: int, names: list[str]) -> None:
    """Time each embedder and print a line as it ends."""
    torch.set_num_threads(threads)
    transformers.utils.logging.disable_progress_bar()
    print(f"{seconds:g} s of noise in windows of {WINDOW_S} s, {threads} threads")
    print(f"{'embedder':24} {'10^6 weights':>12} {'s for an hour':>14} {'of processor':>13}")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            n_weights = f"{save_random_model(name, Path(folder)) / 1e6:.0f}" if name in MODELS else ""
            took, processor_s = time_embedder(f"transformers:{folder}" if name in MODELS else name, seconds)
        in_here = "" if name.startswith("opensmile") else f"{processor_s:.0f}"  # openSMILE has a separate process
        print(f"{name:24} {n_weights:>12} {took:14.0f} {in_here:>13}", flush=True)
    cores = count_cores()
    no_networks = [name for name in names if name not in MODELS and not is_network(settings_of(name))]
    if cores == 1 or not no_networks:
        return
    print(f"\n{seconds:g} s of noise in clips of {CLIP_S} s, prepared")
    print(f"{'embedder':24} {'1 process, s':>14} {f'{cores} processes, s':>16} {'ratio':>6}")
    for name in no_networks:
        alone, together = (time_clips(name, seconds, n_processes) for n_processes in (1, cores))
        print(f"{name:24} {alone:14.1f} {together:16.1f} {together / alone:6.2f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Seconds for an hour of audio by each family of pretrained models.")
    parser.add_argument("--seconds", type=float, default=60, help="length of the audio (default: %(default)s)")
    parser.add_argument("--only", choices=[*MODELS, *OTHERS], nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--threads", type=int, default=count_cores(), help="CPU threads (default: one for each core)")
    given = parser.parse_args()
    main(given.seconds, given.threads, given.only or [*MODELS, *OTHERS])
