"""One fold of an instance that combines features, from the feature store to its record.

Comes in: a job. Goes out: the files of its fold folder but the record, and the record's content.
"""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.features.settings import FeatureSettings
from preprocessing.store import FeatureStore, open_store
from xval.combination import persistence
from xval.combination.basic_features import all_examples, read_basic_features
from xval.combination.checks import check_files, check_skops
from xval.combination.classifier import FittedClassifier, fit_classifier
from xval.data.fold import Examples, load_fold
from xval.errors import FoldsError
from xval.evaluation.clips import evaluate_predictions
from xval.jobs.fold_part import read_clips_of
from xval.jobs.job import Job
from xval.jobs.prepare import prepare_for
from xval.jobs.record import versions
from xval.models.cut import cut_model, embed
from xval.saved_models.initial import hash_model
from xval.saved_models.leakage import judge
from xval.saved_models.load import read_keras_model
from xval.saved_models.seen import read_seen
from xval.settings.combination import CombinationOptions


def train_and_test(job: Job, folder: Path) -> dict[str, Any]:
    """Fit a classifier to the combined features of one fold's training items, test it, and write what it leaves.

    The validation items take no part in the fit: their figures choose between instances, as those of networks do.

    Args:
        job: The job.
        folder: Where model.skops, model.json, the cut networks, grid.csv and predictions.parquet go.

    Returns:
        The part of the record that a trained network has too, and the models with what is known of their leakage.

    Raises:
        SettingsError: As `check_instance` and `cut_model`.
        FoldsError: A model has heard what is tested or was trained on what validates; a side has no examples.
        JobError: As `fit_classifier`.
    """
    settings = job.settings
    check_skops()
    store = open_store(Path(job.store_folder))
    features = settings.feature_settings()
    options = CombinationOptions.of(job.options)
    models = [_describe_model(Path(path), job, features, store) for path in options.model_paths(job.fold.number)]
    prepare_for(job)
    clips = read_clips_of(settings, store.folder.parents[1])
    data = load_fold(store, job.fold, features, in_memory=False, clips=clips)
    networks = cut_models(job, store)
    training = all_examples(store, features, data.training_items, clips.get("training"))
    sides = {side: _combine(examples, networks, job, store) for side, examples in data.sides.items()}
    fitted = fit_classifier(
        _combine(training, networks, job, store),
        np.asarray(training.targets),
        training.table["item"].to_numpy(),
        name=options.classifier,
        n_classes=len(store.class_names),
        pca_components=options.pca_components,
        balanced=settings.class_weights == "balanced",
        scored=~training.table["augmented"].to_numpy(bool),
        seed=job.seed,
        threads=settings.threads_per_job,
    )
    threads = settings.threads_per_job
    predictions = {side: fitted.probabilities(values, threads=threads) for side, values in sides.items()}
    evaluation = evaluate_predictions(predictions, replace(data, training=training), settings)
    persistence.save(folder, fitted, networks, job, store)
    _write_grid(folder / "grid.csv", fitted)
    evaluation.write(folder)
    return {
        "status": "done",
        **evaluation.figures,
        "n_parameters": None,
        "n_features": int(sides["training"].shape[1]),
        "classifier_settings": fitted.settings,
        "training_macro_f1_of_left_out_items": max(score.macro_f1 for score in fitted.grid),
        "models": models,
        "versions": versions() | persistence.library_versions(),
    }


def cut_models(job: Job, store: FeatureStore) -> list[Any]:
    """Return the networks of a job, cut and checked to read what the store holds.

    Raises:
        SettingsError: A network reads other shapes, or has not so many layers.
        ResultsError: A model cannot be loaded.
    """
    options, found = CombinationOptions.of(job.options), []
    for path in options.model_paths(job.fold.number):
        model = read_keras_model(Path(path))
        persistence.check_shape(model, store, job.settings.feature_settings(), where=path)
        found.append(cut_model(model, options.layers_dropped, where=path))
    return found


def _combine(examples: Examples, networks: list[Any], job: Job, store: FeatureStore) -> NDArray[np.float32]:
    """Return the features of examples, float32 (n_examples, n_features): of each network, then the basic ones."""
    parts = [embed(network, examples, job.settings.batch_size) for network in networks]
    if CombinationOptions.of(job.options).basic_features:
        parts.append(read_basic_features(store, job.settings.feature_settings(), examples.table))
    return np.concatenate(parts, axis=1)


def _describe_model(path: Path, job: Job, features: FeatureSettings, store: FeatureStore) -> dict[str, str]:
    """Return what the record says of a model: its path and hash, and whether it may have heard what is tested."""
    check_files(path, features, is_custom=store.description.feature_settings is None)
    verdict = judge(read_seen(path), job.fold, job.settings.dataset, store.folder.parents[1])
    if verdict.state == "leaked":
        raise FoldsError(f"fold {job.fold.number}: models: {path} {verdict.reason}")
    return {"path": str(path), "hash": hash_model(path), "leakage": verdict.state, "leakage_reason": verdict.reason}


def _write_grid(path: Path, fitted: FittedClassifier) -> None:
    """Write a row per setting of the grid, with its macro F1 on training items that were left out."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=[*fitted.settings, "macro_f1"])
        writer.writeheader()
        writer.writerows(score.settings | {"macro_f1": score.macro_f1} for score in fitted.grid)
