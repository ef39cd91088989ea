"""The entries of the record of a fold that all kinds of models have: the job and library versions."""

import csv
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from preprocessing.clips.near_pairs import read_across_items
from preprocessing.store import open_store
from xval.backend.keras_internals import onednn_is_on
from xval.base.errors import CorpusError, XvalError
from xval.base.json_files import FORMAT_VERSION
from xval.base.version import __version__
from xval.folds.predefined import SIDES
from xval.folds.shared_audio import find_tested
from xval.jobs.fold_part import read_clips_of, read_enrolment_of
from xval.jobs.job import Job
from xval.models.saved.embedder import foreign_embedder, own_embedder
from xval.models.saved.preset import judge_preset
from xval.models.saved.provenance import Leakage, Provenance

if TYPE_CHECKING:
    from xval.data.fold import FoldData


def describe_job(job: Job) -> dict[str, Any]:
    """Return the first entries of every record: the job, its items, the choice of its search, and the hashes of its inputs."""
    return {
        "format_version": FORMAT_VERSION,
        "status": "failed",
        "instance": job.instance,
        "fold": job.fold.number,
        "repeat": job.repeat,
        "settings_hash": job.settings_hash,
        "code_hash": job.code_hash,
        "own_code": None if job.own_code is None else dict(job.own_code),
        "folds_hash": job.folds_hash,
        "store": Path(job.store_folder).name,
        "seed": job.seed,
        "items": {side: list(getattr(job.fold, side)) for side in SIDES},
        **({"search": dict(job.chosen)} if job.chosen else {}),
        **({"embedder_hash": _embedder_hash(job)} if job.settings.features == "embedding" else {}),
        **_count_enrolment(job),
        **_judge_embedder(job),
        **_count_near_duplicates(job),
    }


def _count_enrolment(job: Job) -> dict[str, dict[str, int]]:
    """Return the number of clips on each side that scale items and are not evaluated; empty without enrolment_s."""
    enrolment = read_enrolment_of(job.settings, _corpus_folder(job)) if job.settings.enrolment_s is not None else {}
    if not enrolment:
        return {}
    clips = open_store(Path(job.store_folder)).examples.drop_duplicates("clip")
    side_clips = {side: clips["clip"][clips["item"].isin(getattr(job.fold, side))] for side in enrolment}
    return {"n_enrolment_clips": {side: int(side_clips[side].isin(first).sum()) for side, first in enrolment.items()}}


def _judge_embedder(job: Job) -> dict[str, Any]:
    """Return the leakage verdict on an embedder of xval or a preset, from its training data; empty for others."""
    features = job.settings.feature_settings()
    path, foreign = own_embedder(features), foreign_embedder(features)
    leakage: Leakage | None = None
    try:
        if path is not None:
            counted = read_clips_of(job.settings, _corpus_folder(job))
            leakage = Provenance(path).verdict(job.fold, job.settings.dataset, _corpus_folder(job), counted)
        elif foreign is not None:
            leakage = judge_preset(foreign, _corpus_folder(job))
    except XvalError as error:  # damage of a file next to it must not cost the work of the job
        leakage = Leakage("unknown", str(error))
    return {} if leakage is None else {"embedder_leakage": asdict(leakage)}


def _count_near_duplicates(job: Job) -> dict[str, int]:
    """Return the number of test clips that are near-duplicates of training or validation clips; empty if not searched for."""
    try:
        index_hash = open_store(Path(job.store_folder)).description.index_hash
        pairs = read_across_items(_corpus_folder(job), index_hash)
        clips = read_clips_of(job.settings, _corpus_folder(job))
    except XvalError:
        return {}
    return {} if pairs is None else {"near_duplicates": len(find_tested(pairs, job.fold, clips))}


def _corpus_folder(job: Job) -> Path:
    return Path(job.store_folder).parents[1]


def _embedder_hash(job: Job) -> str | None:
    """Return the hash of the embedder of a job's features; None: a script made its features, or the store is gone."""
    try:
        made_by = open_store(Path(job.store_folder)).description.embedder
    except CorpusError:
        return None
    return made_by.hash if made_by else None


def describe_untested(job: Job, data: "FoldData") -> dict[str, Any]:
    """Return the entries of the record of a model of all items that replace scores."""
    training_table = data.sides["training"].table
    return {
        "status": "untested",
        "class_names": list(data.class_names) if job.settings.task.has_classes else [],
        "n_examples": {"training": len(training_table)},
        "n_training_examples": len(data.training),
        "n_training_clips": int(training_table["clip"].nunique()),
        **(job.refit.facts if job.refit else {}),
        "parameters": job.parameters,
    }


def versions(*, with_keras: bool = True) -> dict[str, str]:
    """Return the versions of xval, Python, NumPy, Keras and its backend; for TensorFlow, also whether oneDNN is on."""
    version_of = {"xval": __version__, "python": platform.python_version()}
    if with_keras:
        import keras

        backend = keras.backend.backend()
        version_of |= {"keras": keras.__version__, "backend": f"{backend} {sys.modules[backend].__version__}"}
        if backend == "tensorflow":
            version_of["onednn"] = "on" if onednn_is_on() else "off"
    return version_of | {"numpy": np.__version__}


def write_history(path: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Write a row per epoch with the monitored values as columns."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(epochs[0]))
        writer.writeheader()
        writer.writerows(epochs)
