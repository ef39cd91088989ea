"""One fold of an instance that fits an estimator of scikit-learn, from the feature store to its record.

Comes in: a job. Goes out: the files of its fold folder but the record, and the record's content. Keras is loaded for the
networks of a combination alone.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore, open_store
from xval.base.errors import SettingsError
from xval.data.class_weights import for_estimator
from xval.data.fold import FoldData, load_fold
from xval.data.target_scaling import target_scaling
from xval.engine.worker.combination import CombinedFeatures
from xval.folds.plan import Fold
from xval.jobs.fold_part import Clips, read_clips_of, read_enrolment_of
from xval.jobs.job import Job, job_seed
from xval.jobs.record import describe_untested, versions
from xval.models.saved.novelty import Novelty, choose_kept, describe_novelty, measure_novelty
from xval.models.saved.provenance import Provenance
from xval.settings.architectures import COMBINATION
from xval.settings.classical import fits_validation
from xval.settings.schema import Settings
from xval.training.classical.check_estimator import check_skops
from xval.training.classical.estimators import EstimatorSpec
from xval.training.classical.pooling import Pooling
from xval.training.classical.saved import describe_estimator, library_versions, save
from xval.training.classical.search import FittedEstimator, Part, fit_estimator
from xval.training.evaluation.fold import evaluate_predictions

_EPSILON = np.float32(1e-7)  # of keras.config.epsilon


class PooledFeatures:
    """The features that a baseline reads: those of the store, pooled over time."""

    def __init__(self, job: Job, store: FeatureStore) -> None:
        options: Any = job.options
        settings = None if store.description.feature_settings is None else job.settings.feature_settings()
        if store.is_waveform:
            raise SettingsError(f"architecture '{job.settings.architecture}' reads stored features, not samples")
        # The first seconds of a speaker are too few clips to scale vectors by; they scale its frames alone.
        has_frames, is_enrolled = len(store.example_shape) > 1, job.settings.enrolment_s is not None
        scales_pooled = job.settings.scales_items and has_frames and not is_enrolled
        self._pooling = Pooling(options["pooling"], options["time_parts"], settings, scales_pooled)
        self.spec = EstimatorSpec.of(job.settings.architecture, options)
        self.search_on_validation = False
        self.earlier: list[Provenance] = []
        self.facts: dict[str, Any] = {"models": []}
        self.about = {
            "pooling": self._pooling.statistics,
            "time_parts": self._pooling.time_parts,
            "scales_pooled": scales_pooled,
        }

    def of(self, examples: Any) -> NDArray[np.float32]:
        """Return the features of examples, float32 (n_examples, n_features)."""
        return self._pooling.pool_examples(examples)

    def training(self, data: FoldData) -> Any:
        """Return what the estimator is fitted to."""
        return data.training

    def write(self, folder: Path) -> None:
        """Write nothing: features are made by settings alone, which are in model.json."""


def train_and_test(
    job: Job,
    folder: Path,
    *,
    store: FeatureStore | None = None,
    source_of: Callable[[Job, FeatureStore], PooledFeatures] | None = None,
    is_kept: bool = True,
) -> dict[str, Any]:
    """Fit an estimator to one fold's training items, calibrate and test it, and write what it leaves.

    That is model.skops, model.json, the cut networks, grid.csv and predictions.parquet.

    Args:
        job: What to fit.
        folder: Where to.
        store: Where examples are read; None: the store of the job.
        source_of: Makes the features of them; None: as the architecture says.
        is_kept: Save the model, too.

    Returns:
        The part of the record that a trained network has too, and the models of a combination with what is known of their
        leakage.
    """
    settings = job.settings
    check_skops(settings.architecture)
    store = store or open_store(Path(job.store_folder))
    source = (source_of or (CombinedFeatures if settings.architecture == COMBINATION else PooledFeatures))(job, store)
    clips = read_clips_of(settings, store.folder.parents[1])
    fold = job.fold
    if fits_validation(job.options):
        fold, clips = replace(fold, training=(*fold.training, *fold.validation)), _with_validation(clips, fold, store)
    data = load_fold(
        store,
        fold,
        settings.feature_settings(),
        in_memory=False,
        clips=clips,
        scaled_by_item=settings.scales_items,
        enrolment=read_enrolment_of(settings, store.folder.parents[1]),
    )
    data = replace(data, training=source.training(data))
    sides = {side: source.of(examples) for side, examples in data.sides.items()}
    fitted = _fit(job, source, data, sides)
    about = describe_estimator(fitted, str(job.options.get("classifier", settings.architecture)), **source.about)
    novelty = _novelty(fitted, sides, data, job)
    if is_kept:
        save(folder, fitted, about, replace(job, fold=fold), store, earlier=source.earlier, novelty=novelty)
        source.write(folder)
    if job.refit:
        tested = describe_untested(job, data, data.class_names) | {"epochs": job.refit.epochs}
    else:
        threads = settings.threads_per_job
        predictions = {side: fitted.answers(values, threads=threads) for side, values in sides.items()}
        if fitted.out_of_fold is not None:
            predictions["validation"] = _of_validation(fitted.out_of_fold, data)
        evaluation = evaluate_predictions(predictions, data, settings, loss=loss_without_keras(settings, data))
        evaluation.write(folder)
        tested = {"status": "done", **evaluation.facts}
    metric = "macro_f1" if fitted.has_classes else "mean_squared_error"
    _write_grid(folder / "grid.csv", fitted, metric)
    best = next((point.score for point in fitted.grid if point.settings == fitted.settings), None)
    return {
        **tested,
        "n_parameters": None,
        "n_features": int(sides["training"].shape[1]),
        "classifier_settings": fitted.settings,
        **({} if fold is job.fold else {"fitted_to": ["training", "validation"]}),
        "searched_on": fitted.searched_on if fitted.grid else None,
        "search_score": None if best is None else {metric: best},
        "temperature": fitted.temperature,
        **describe_novelty(novelty),
        **source.facts,
        "versions": versions(with_keras=bool(source.facts["models"])) | library_versions(),
    }


def _with_validation(clips: Clips, fold: Fold, store: FeatureStore) -> Clips:
    """Return the clips that count where the validation items train too, by theirs: without those that only scale them."""
    if not clips:
        return clips
    known = store.examples.groupby("item")["clip"].agg(set)
    counted = {
        clip
        for side in ("training", "validation")
        for item in getattr(fold, side)
        for clip in known.get(item, set()) & set(clips.get(side, known.get(item, set())))
    }
    return {**clips, "training": frozenset(counted)}


def _of_validation(out_of_fold: NDArray[np.float32], data: FoldData) -> NDArray[np.float32]:
    """Return the answers out of fold on the validation examples, in their order, of those on all that trains."""
    known, wanted = (
        zip(examples.table["item"], examples.table["row"], strict=True)
        for examples in (data.training, data.sides["validation"])
    )
    places = {row: place for place, row in enumerate(known)}
    return out_of_fold[[places[row] for row in wanted]]


def _novelty(fitted: FittedEstimator, sides: Mapping[str, NDArray[np.float32]], data: FoldData, job: Job) -> Novelty | None:
    """Return from which distance on an input is unlike what an estimator was fitted to: its training items, without others."""
    is_training = data.sides["training"].table["item"].isin(job.fold.training).to_numpy()
    training = fitted.scaled(sides["training"][is_training])
    kept = training[choose_kept(*training.shape)]
    if "validation" not in sides:
        limit_ratio = job.refit.facts.get("novelty_limit_ratio") if job.refit else None
        return measure_novelty(kept, None, None, is_network=False, limit_ratio=limit_ratio)
    measured = choose_kept(len(sides["validation"]), 1)
    clips = data.sides["validation"].table["clip"].to_numpy()[measured]
    return measure_novelty(kept, fitted.scaled(sides["validation"][measured]), clips, is_network=False)


def _fit(
    job: Job, source: PooledFeatures | CombinedFeatures, data: FoldData, sides: dict[str, NDArray[np.float32]]
) -> FittedEstimator:
    """Fit the estimator of a job; a model of all items has the temperature, and behind networks the settings, of its folds."""
    settings, training = job.settings, data.training
    scaling = None
    if settings.scales_targets:
        target_statistics = target_scaling(data.store, data.training_items, data.clips.get("training"))
        scaling = target_statistics.mean, target_statistics.deviation
    is_held_out = "validation" in sides and not fits_validation(job.options)
    validation = Part(sides["validation"], np.asarray(data.sides["validation"].targets)) if is_held_out else None
    spec, chosen = source.spec, job.refit.facts.get("classifier_settings") if job.refit else None
    if chosen:
        spec = replace(spec, grid={name: (value,) for name, value in chosen.items()})
    fitted = fit_estimator(
        Part(source.of(training), np.asarray(training.targets)),
        training.table["item"].to_numpy(),
        spec,
        n_outputs=len(data.class_names) if settings.task.has_classes else training.targets.shape[1],
        has_classes=settings.task.has_classes,
        validation=validation,
        search_on_validation=source.search_on_validation,
        inner_seed=job_seed(settings.seed, job.fold.number) if fits_validation(job.options) else None,
        scaling=scaling,
        class_weight=for_estimator(settings.class_weights, data.class_names),
        scored=~training.table["augmented"].to_numpy(bool),
        seed=job.seed,
        threads=settings.threads_per_job,
    )
    return replace(fitted, temperature=job.refit.facts.get("temperature")) if job.refit else fitted


def _write_grid(path: Path, fitted: FittedEstimator, metric: str) -> None:
    """Write a row per setting of the grid, with its score and what it was scored on."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=[*fitted.settings, metric, "scored_on"])
        writer.writeheader()
        writer.writerows(point.settings | {metric: point.score, "scored_on": fitted.searched_on} for point in fitted.grid)


def loss_without_keras(settings: Settings, data: FoldData) -> Callable[[NDArray[Any], NDArray[np.float32]], float] | None:
    """Return the function from targets and predictions to the mean of the usual loss, as Keras computes it; None: of others."""
    name = settings.task.loss_name(settings.loss)

    def cross_entropy(targets: NDArray[Any], predictions: NDArray[np.float32]) -> float:
        of_target = predictions[np.arange(len(targets)), targets]
        return float(-np.log(np.clip(of_target, _EPSILON, 1 - _EPSILON)).mean(dtype=np.float64))

    def squared_error(targets: NDArray[Any], predictions: NDArray[np.float32]) -> float:
        deviation = data.target_deviation if settings.scales_loss else 1
        return float(np.mean(((targets - predictions) / deviation) ** 2, dtype=np.float64))

    return {"sparse_categorical_crossentropy": cross_entropy, "mean_squared_error": squared_error}.get(
        "" if name == "mean_squared_error" and settings.task.has_classes else name
    )
