"""All that a fold needs before its first training step, from a frozen job.

Comes in: a job. Goes out: the fold's examples, and its model, built, compiled and with the values that its variables have at
the start.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preprocessing.store import FeatureStore, open_store
from xval.data.fold import FoldData, load_fold
from xval.jobs.fold_part import read_clips_of
from xval.jobs.job import Job
from xval.jobs.prepare import prepare_for
from xval.models.build import build_model
from xval.models.transfer import start_from
from xval.saved_models.initial import InitialModel, find_initial_model
from xval.training.compiled import CompiledModel, compile_model


@dataclass(frozen=True)
class FoldSetup:
    """A fold that is ready to be trained.

    Attributes:
        store: Its feature store.
        data: Its examples.
        compiled: Its model, built anew with the seed of the job.
        initial: The saved model that it starts from, if any.
        facts: What the record says of that.
    """

    store: FeatureStore
    data: FoldData
    compiled: CompiledModel
    initial: InitialModel | None
    facts: Mapping[str, Any]


def set_up_fold(job: Job) -> FoldSetup:
    """Set the seeds of a job, read its examples and build its model.

    Raises:
        XvalError: The fold has a side without examples, or the model cannot be built.
        Exception: Whatever a part of the user's own raises.
    """
    settings = job.settings
    prepare_for(job)
    store = open_store(Path(job.store_folder))
    data = load_fold(
        store,
        job.fold,
        settings.feature_settings(),
        in_memory=not settings.generator,
        in_memory_mb=settings.in_memory_mb,
        frames=settings.frame_settings() if settings.task.is_framewise else None,
        random_excerpts=settings.random_excerpts,
        clips=read_clips_of(settings, store.folder.parents[1]),
    )
    model = build_model(settings, job.options, store, data.training_items, clips=data.clips.get("training"))
    initial = find_initial_model(settings, job.fold, store.folder.parents[1])
    facts = initial.facts | start_from(model, initial, settings, store) if initial else {}
    return FoldSetup(store, data, compile_model(model, settings, seed=job.seed), initial, facts)
