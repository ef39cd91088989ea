"""Prepare the training of a fold from its job: seeds, examples, the compiled model, and checkpoints."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.embeddings.embedder import identify
from preprocessing.store import FeatureStore, open_store
from xval.backend.keras_config import changes, read_config, set_config
from xval.data.fold import FoldData, load_fold
from xval.folds.plan import Fold
from xval.folds.predefined import SIDES
from xval.jobs.checkpoints import FoldCheckpoints
from xval.jobs.fold_part import read_clips_of, read_enrolment_of
from xval.jobs.job import Job
from xval.jobs.model_files import refuse_replaced
from xval.jobs.observers import Observers
from xval.jobs.prepare_backend_for_job import prepare_for
from xval.models.build import build_model
from xval.models.saved.initial import InitialModel, find_initial_model
from xval.models.transfer import freeze_blocks, start_from
from xval.training.built_twice import weights_from_elsewhere
from xval.training.checkpoint import belongings
from xval.training.compiled import WARM_MODEL, CompiledModel, compile_model


@dataclass(frozen=True)
class FoldSetup:
    """A fold that is ready to be trained.

    Attributes:
        store: The feature store.
        data: The examples of the fold.
        compiled: The compiled model, with the initial values by the seed of the job.
        initial: The saved model from which it starts; None: none.
        facts: Facts for the record about that model, and about pretrained weights that build() loads.
        checkpoints: The checkpoints of the job; None: it is a trial with a few clips.
    """

    store: FeatureStore
    data: FoldData
    compiled: CompiledModel
    initial: InitialModel | None
    facts: Mapping[str, Any]
    checkpoints: FoldCheckpoints | None


@contextmanager
def set_up_fold(job: Job, temporary: Path, observers: Observers, *, few: bool = False) -> Iterator[FoldSetup]:
    """Set the seeds of a job, read its examples and build its model, to be trained and tested within this block.

    Args:
        job: The job.
        temporary: The folder into which the job writes.
        observers: The observers of the job, to which its checkpoints are added; a signal within the block writes a checkpoint.
        few: Whether the job is a trial with a few clips, which are read from the files of the store, without checkpoints.
    """
    settings = job.settings
    keep_kernels = WARM_MODEL.is_likely_to_fit(settings, job.options, job.own_code)
    prepare_for(job, keep_kernels=keep_kernels)
    store = open_store(Path(job.store_folder))
    counted = read_clips_of(settings, store.folder.parents[1])
    clips = few_clips(store, job.fold, counted or {}, batch_size=settings.batch_size) if few else counted
    data = load_fold(
        store,
        job.fold,
        settings.feature_settings(),
        in_memory=not settings.generator and not few,
        in_memory_mb=settings.in_memory_mb,
        frames=settings.frames,
        random_excerpts=settings.random_excerpts,
        clips=clips,
        scaled_by_item=settings.scales_items,
        enrolment=read_enrolment_of(settings, store.folder.parents[1]),
    )
    build = partial(build_model, settings, job.options, store, data.training_items, clips=data.clips.get("training"))
    outside_weights = weights_from_elsewhere(job, build)
    if outside_weights:
        prepare_for(job, keep_kernels=keep_kernels)
    before = read_config()
    model = build(note=observers.note)
    changed = {f"keras.config.{name}": value for name, value in changes(before).items()}
    initial = find_initial_model(settings, job.fold, store.folder.parents[1], counted)
    if initial:
        refuse_replaced(initial.path, "initial_model")
    facts = initial.facts | start_from(model, initial, settings, store) if initial else freeze_blocks(model, settings)
    if changed:
        facts["keras_config"] = changed
        listed = ", ".join(f"{name} = {value}" for name, value in changed.items())
        observers.note(f"build() has set {listed}, which applies to this instance")
    if outside_weights.get("seed_of_build"):
        observers.note("build() sets the random seed, so all folds and seeds start with the same weights")
    if settings.encoder is not None:
        facts["embedder_hash"] = identify(settings).hash
    new = compile_model(model, settings, seed=job.seed)
    compiled = WARM_MODEL.take(new, settings, job.options, job.seed, job.own_code)
    checkpoints = None if few else FoldCheckpoints(job, temporary, observers, belongings(facts))
    if checkpoints:
        observers.add(checkpoints)
    try:
        with checkpoints.written_at_signals() if checkpoints else nullcontext():
            yield FoldSetup(store, data, compiled, initial, {**facts, **outside_weights}, checkpoints)
    except BaseException:
        WARM_MODEL.forget()  # because its state is unknown
        raise
    finally:
        set_config(before)


_FEWEST, _MOST = 16, 128  # numbers of examples of validation and test


def few_clips(
    store: FeatureStore, fold: Fold, clips: Mapping[str, Collection[str]], *, batch_size: int
) -> dict[str, frozenset[str]]:
    """Return a few clips of each side for a trial: a batch of training examples, and each class of the other sides twice.

    Args:
        store: The feature store.
        fold: Which items are on which side.
        clips: The clips to choose from, by side; all clips of a side that is missing.
        batch_size: Examples per batch.
    """
    examples = store.examples
    chosen = {}
    for side in SIDES:
        own = examples["item"].isin(getattr(fold, side)) & ~examples["augmented"]
        table = examples[own & examples["clip"].isin(clips[side])] if side in clips else examples[own]
        if table.empty:
            continue
        table = table.sample(frac=1, random_state=0)  # shuffled, because neighbours are of one item
        label = _labels(store, table)
        n_wanted = batch_size if side == "training" else min(max(2 * len(np.unique(label)), _FEWEST), _MOST)
        order = np.argsort(pd.Series(label).groupby(label).cumcount(), kind="stable")  # the first of each class, the second ...
        chosen[side] = frozenset(table["clip"].to_numpy()[order[:n_wanted]])
    return chosen


def _labels(store: FeatureStore, table: pd.DataFrame) -> NDArray[np.int64]:
    """Return the number of each example's class or first label; 0 for all examples if they have no classes."""
    if store.task_type in ("regression", "frame_classification"):
        return np.zeros(len(table), np.int64)
    targets = store.targets()[table.index]
    return np.array([np.argmax(row) if np.ndim(row) else row for row in targets], np.int64)
