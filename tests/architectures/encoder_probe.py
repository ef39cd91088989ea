"""Fine-tunes tiny encoders on the torch backend, and by a loop that is written by hand in plain torch.

Run by test_encoder.py as `python -P encoder_probe.py FOLDER`: FOLDER gets encoders, corpora and results. Prints one line of
JSON: {"equal": {FAMILY: {"losses", "by_hand", "weights", "moved"}}, "jobs": {NAME: {...}}, "resumed": {...}}; "weights":
whether those of the loop are the same, "moved": by how much training has changed one of the encoder.
"""

import json
import runpy
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import torch
import transformers

from preprocessing import store
from preprocessing.embeddings.families.transformers import load_frames
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import few_lengths
from preprocessing.store.waveforms import make_moments
from preprocessing.store.writer import Example, StoreWriter
from xval.data.batches import group_by_length
from xval.engine.worker.run import run_job
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.jobs.prepare_backend_for_job import prepare_for
from xval.models.cut import cut_model
from xval.models.saved.load import read_keras_model
from xval.settings.resolve import Declaration, resolve
from xval.training.fit import train_model
from xval.training.setup import set_up_fold

TESTS = Path(__file__).parents[1]
pretrained_models = runpy.run_path(str(TESTS / "pretrained_models.py"))
checkpoints = runpy.run_path(str(TESTS / "xval" / "training" / "checkpoint_probe.py"))
FAMILIES = {"wav2vec2": False, "wav2vec2 with stable norm": True, "hubert": False, "wavlm": False, "whisper": True, "ast": True}
"""And whether clips of several lengths are batched, as the library itself does for these."""
RATE_HZ, LENGTHS, BATCH, LEARNING_RATE = 16000, (4000, 6400, 5200), 4, 0.05
FOLD = Fold(1, ("a", "b"), ("c",), ("d",))


def write_corpus(folder: Path, name: str, lengths: tuple[int, ...]) -> store.FeatureStore:
    """Return a store of waveforms: tones of two classes."""
    rng = np.random.default_rng(0)
    settings = FeatureSettings(features="waveform", sample_rate_hz=RATE_HZ)
    classes = ("x", "y")
    with StoreWriter(
        folder / "data" / name, task_type="classification", class_names=classes, is_waveform=True, clip_samples=max(lengths),
        feature_settings=settings,
    ) as writer:  # fmt: skip
        for item in "abcd":
            for take in range(6):
                n_samples = lengths[take % len(lengths)]
                tone = np.sin((0.2 + take % 2) * np.arange(n_samples)) + 0.3 * rng.normal(size=n_samples)
                about = Example(f"{item}_{take}", 0.0, n_samples / RATE_HZ)
                writer.append(item, tone.astype(np.float32)[np.newaxis], [take % 2], [about])
        writer.publish(index_hash="x")
    written = store.open_store(folder / "data" / name)
    make_moments(written, settings)
    return written


def make_job(folder: Path, written: store.FeatureStore, number: int, encoder: Path, **own: object) -> Job:
    """Return a job."""
    given = {"dataset": "toy", "num_epochs": 2, "batch_size": BATCH, "backend": "torch", "early_stopping": False}
    given |= {"data_folder": str(folder / "data"), "restore_best_weights": False, "optimizer": "sgd"}
    given |= {"architecture": "encoder", "encoder": f"transformers:{encoder}", "learning_rate": LEARNING_RATE}
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", given, {number: own}))
    (folder / "results").mkdir(exist_ok=True)
    return Job(
        str(folder / "results"), str(folder), str(written.folder), number, FOLD, instance.settings, instance.options,
        instance.settings_hash, "folds", seed=3,
    )  # fmt: skip


def train_both(folder: Path, written: store.FeatureStore, family: str, number: int, n_accumulated: int = 1) -> dict:
    """Train an encoder for two epochs, and again by hand."""
    encoder = folder / family.replace(" ", "_")
    pretrained_models["write"](family, encoder)
    own = {"optimizer_gradient_accumulation_steps": n_accumulated} if n_accumulated > 1 else {}
    job = make_job(folder, written, number, encoder, dropout=0.0, **own)
    with set_up_fold(job, folder, Observers()) as setup:
        network = setup.compiled.whole.get_layer("encoder")
        dense = network.layers[-1]
        head = [torch.tensor(values) for values in dense.get_weights()]
        history = train_model(setup.compiled, setup.data, job.settings, seed=job.seed)
        clips = setup.data.training.predictors(np.arange(len(setup.data.training)))
        targets = torch.tensor(setup.data.training.targets)
        losses, model, others = loop_by_hand(family, encoder, clips, targets, head, job.seed, n_accumulated)
        trained = network.get_layer("transformer").module.model
    own_weights = {
        name.replace("feature_extractor.convolutions", "feature_extractor"): p for name, p in trained.named_parameters()
    }
    start = dict(untrained(family, encoder).named_parameters())
    same = [torch.equal(values, own_weights[name]) for name, values in model.named_parameters()]
    same += [np.array_equal(*pair) for pair in zip(dense.get_weights(), others, strict=True)]
    moved = {name: float((values - start[name]).detach().abs().max()) for name, values in own_weights.items()}
    return {
        "losses": [row["loss"] for row in history.epochs],
        "by_hand": losses,
        "weights": all(same),
        "n_weights": len(same),
        "moved": sorted(moved.values())[len(moved) // 2],
    }


def untrained(family: str, encoder: Path) -> torch.nn.Module:
    """Return an encoder as it lies in its folder."""
    model = transformers.AutoModel.from_pretrained(encoder)
    return model.get_encoder() if family == "whisper" else model


def loop_by_hand(
    family: str, encoder: Path, padded: np.ndarray, targets: torch.Tensor, head: list, seed: int, n_accumulated: int
) -> tuple[list[float], torch.nn.Module, list[np.ndarray]]:
    """Fine-tune by transformers and torch alone; return the losses, the model, and kernel and bias of the head."""
    model, extractor = untrained(family, encoder), transformers.AutoFeatureExtractor.from_pretrained(encoder)
    model.layerdrop = model.config.layerdrop = 0.0
    if family == "whisper":
        model.embed_positions.requires_grad_(False)  # sinusoids, which transformers freezes where it makes them
    kernel, bias = (values.clone().requires_grad_() for values in head)
    optimizer = torch.optim.SGD([*(p for p in model.parameters() if p.requires_grad), kernel, bias], lr=LEARNING_RATE)
    clips = [row[~np.isnan(row)] for row in padded]
    keras.utils.set_random_seed(seed)
    model.train()
    means, n_steps = [], 0
    for epoch in range(2):
        rng = np.random.default_rng([seed, epoch])
        lengths = few_lengths([len(clip) for clip in clips], padded.shape[1])
        batches = group_by_length(rng.permutation(len(clips)), lengths, BATCH, rng)
        sums = []
        loader = torch.utils.data.DataLoader(batches, None)
        for rows in loader:
            hidden, n_frames = frames_by_library(family, model, extractor, [clips[row] for row in rows])
            counts = (torch.arange(hidden.shape[1]) < torch.tensor(n_frames)[:, None]).float()[:, :, None]
            pooled = (counts / counts.sum(1, keepdim=True) * hidden).sum(1)
            shares = torch.softmax(pooled @ kernel + bias, 1)
            shares = (shares / shares.sum(1, keepdim=True)).clamp(1e-7, 1 - 1e-7)  # as Keras has it
            is_target = torch.nn.functional.one_hot(targets[rows], 2)
            loss = -(is_target * torch.log(shares)).sum(1).sum() / len(rows)
            (loss / n_accumulated).backward()
            n_steps += 1
            if n_steps % n_accumulated == 0:
                optimizer.step()
                optimizer.zero_grad()
            sums.append(float(loss.detach()) * len(rows))
        iter(loader)  # draws a seed for workers; Keras makes two in each epoch
        means.append(sum(sums) / len(clips))
    return means, model, [kernel.detach().numpy(), bias.detach().numpy()]


def frames_by_library(family: str, model: torch.nn.Module, extractor: object, clips: list) -> tuple[torch.Tensor, list[int]]:
    """Return the frames of clips, and how many of each count."""
    is_masked = len({len(clip) for clip in clips}) > 1 and family not in ("whisper", "ast")
    options = {"padding": True, "return_attention_mask": True} if is_masked else {}
    given = extractor(clips, sampling_rate=RATE_HZ, return_tensors="pt", **options)
    hidden = model(**given).last_hidden_state
    if family == "whisper":
        n_frames = [-(-len(clip) // 320) for clip in clips]
    elif family == "ast":  # 2 rows of 12 patches, one for every 1600 samples, behind two other tokens
        hidden, n_frames = hidden[:, 2:].unflatten(1, (2, 12)).mean(1), [-(-len(clip) // 1600) for clip in clips]
    else:
        n_frames = model._get_feat_extract_output_lengths(torch.tensor([len(clip) for clip in clips])).tolist()
    return hidden[:, : max(n_frames)], n_frames


JOBS = {
    "plain": {},
    "weighted": {
        "layers": "weighted", "pooling": "attentive", "frozen": "convolutions", "unfreeze_every": 2, "num_epochs": 3,
        "layer_learning_rate_decay": 0.5, "clip_norm": 1.0, "crop_s": 0.3,
    },
    "checkpointed": {"gradient_checkpointing": True},
    "mixed": {"precision": "mixed_bfloat16", "pooling": "statistics"},
    "frozen": {"frozen_layers": 4},
}  # fmt: skip


def run_jobs(folder: Path, written: store.FeatureStore) -> dict:
    """Run whole jobs on clips of several lengths; return what each left."""
    left = {}
    start = load_frames(str(folder / "wav2vec2")).state_dict()
    for number, (name, own) in enumerate(JOBS.items(), start=21):
        job = make_job(folder, written, number, folder / "wav2vec2", **own)
        outcome = run_job(job, lambda _: None)
        assert outcome.status == "done", outcome.details
        place = folder / "results" / f"instance_{number}" / "fold_1"
        model = read_keras_model(place / "model.keras")
        record = json.loads((place / "record.json").read_text())
        stored = pd.read_parquet(place / "predictions.parquet").query("side == 'test'")
        answers = [float(model.predict_on_batch(samples[np.newaxis])[0, 0]) for samples in each_clip(written, "d")]
        weights = model.get_layer("encoder").get_layer("transformer").module.state_dict()
        cut = cut_model(model, 1, where=name)
        pooled = np.concatenate([cut.predict_on_batch(samples[np.newaxis]) for samples in each_clip(written, "d")])
        kernel, bias = model.get_layer("encoder").layers[-1].get_weights()
        left[name] = {
            "pooled": pooled.shape,
            "from_pooled": float(np.abs(1 / (1 + np.exp((pooled @ kernel + bias) @ [-1, 1])) - answers).max()),
            "difference": float(np.abs(stored["probability_x"].to_numpy() - answers).max()),
            "spread": float(np.ptp(answers)),
            "kept": sorted(name for name, values in start.items() if torch.equal(values, weights[name])),
            "n_weights": len(start),
            "record": {key: record[key] for key in record if key.startswith(("layers_", "embedder_hash"))},
            "first_loss": float(pd.read_csv(place / "history.csv")["loss"].iloc[0]),
            "dtype": str(model.get_layer("encoder").layers[-1].compute_dtype),
        }
    return left


def each_clip(written: store.FeatureStore, item: str) -> Iterator[np.ndarray]:
    """Yield the samples of each clip of an item, as they are."""
    table = written.examples[written.examples["item"] == item].sort_values("row")
    for first, stop in zip(table["first_row"], table["stop_row"], strict=True):
        yield np.array(written.predictors()[first:stop])


def resume(folder: Path, written: store.FeatureStore) -> dict:
    """Interrupt a job within its training; return what it and an undisturbed one left."""
    (folder / "interrupted").mkdir()
    own = {"num_epochs": 3, "dropout": 0.3, "optimizer": "adam", "learning_rate": 0.001}
    job = make_job(folder, written, 40, folder / "wav2vec2", frozen_layers=1, unfreeze_every=2, **own)
    job = replace(job, settings=job.settings.model_copy(update={"checkpoint_minutes": 1e-9}))
    assert run_job(job, lambda _: None).status == "done"
    undisturbed, _ = checkpoints["left_by"](folder / "results", job.key)
    other = replace(job, experiment_folder=str(folder / "interrupted"))
    _, seen = checkpoints["interrupted"](other, "2")
    gone_on, _ = checkpoints["left_by"](folder / "interrupted", job.key)
    return {"is_same": gone_on == undisturbed, "seen": seen, "history": undisturbed["history"]}


def main(folder: Path) -> None:
    """Train all."""
    equal, unlike = write_corpus(folder, "equal", (6400,)), write_corpus(folder, "unlike", LENGTHS)
    pretrained_models["write"]("wav2vec2", folder / "wav2vec2")
    prepare_for(make_job(folder, equal, 1, folder / "wav2vec2"))
    left = {"equal": {}}
    for number, (family, is_unlike) in enumerate(FAMILIES.items(), start=1):
        left["equal"][family] = train_both(folder, unlike if is_unlike else equal, family, number)
    left["equal"]["accumulated"] = train_both(folder, equal, "wav2vec2", 10, n_accumulated=2)
    left |= {"jobs": run_jobs(folder, unlike), "resumed": resume(folder, unlike)}
    print(json.dumps(left))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
