"""Fit a scikit-learn estimator to the features of examples. Keras is only loaded for the networks of a combination."""

import csv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore, open_store
from xval.base.errors import SettingsError
from xval.data.class_weights import for_estimator
from xval.data.fold import FoldData, load_fold
from xval.data.target_scaling import target_scaling
from xval.engine.learners import Fitted
from xval.folds.plan import Fold
from xval.jobs.fold_part import Clips, read_clips_of, read_enrolment_of
from xval.jobs.job import Job, job_seed
from xval.jobs.model_files import seen_by_embedder
from xval.jobs.observers import Observers
from xval.jobs.record import versions
from xval.models.saved.provenance import Provenance
from xval.results.folder import ESTIMATOR_NAME
from xval.settings.classical import fits_validation
from xval.settings.schema import Settings
from xval.training.classical.check_estimator import check_skops
from xval.training.classical.estimators import EstimatorSpec
from xval.training.classical.pipeline_file import import_skops
from xval.training.classical.pooling import Pooling
from xval.training.classical.saved import describe_estimator, library_versions
from xval.training.classical.search import FittedEstimator, Part, fit_estimator
from xval.training.evaluation.fold import Evaluation, evaluate_predictions

if TYPE_CHECKING:
    from xval.engine.learners.combination import CombinedFeatures
    from xval.training.evaluation.novelty import Embed

_EPSILON = np.float32(1e-7)  # of keras.config.epsilon


class PooledFeatures:
    """The features of a baseline: those of the store, pooled over time."""

    def __init__(self, job: Job, store: FeatureStore) -> None:
        options: Any = job.options
        settings = None if store.description.feature_settings is None else job.settings.feature_settings()
        if store.is_waveform:
            raise SettingsError(f"architecture '{job.settings.architecture}' reads stored features, not samples")
        # The first seconds of a speaker are too few clips to scale vectors by; they scale only its frames.
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
        """Return the examples for fitting the estimator."""
        return data.training

    def write(self, folder: Path) -> None:
        """Write nothing, because the settings of the features are in model.json."""


@contextmanager
def fit(job: Job, *_: object) -> "Iterator[FoldEstimator]":
    """Fit an estimator to the features of a job, pooled over time."""
    store = open_store(Path(job.store_folder))
    yield fit_features(job, store, PooledFeatures(job, store))


def fit_features(job: Job, store: FeatureStore, source: "PooledFeatures | CombinedFeatures") -> "FoldEstimator":
    """Fit an estimator to the training items of a fold, with features from a source."""
    settings, fold = job.settings, job.fold
    check_skops(settings.architecture)
    clips = read_clips_of(settings, store.folder.parents[1])
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
    features = {side: source.of(examples) for side, examples in data.sides.items()}
    earlier = [*source.earlier, *seen_by_embedder(job)]
    return FoldEstimator(job, data, earlier, source, features, _fit(job, source, data, features))


@dataclass(frozen=True)
class FoldEstimator(Fitted):
    """The estimator of a fold, and the features of each side, float32 (n_examples, n_features)."""

    source: "PooledFeatures | CombinedFeatures"
    features: Mapping[str, NDArray[np.float32]]
    fitted: FittedEstimator

    def embedder(self) -> "Embed":
        """Return the function that computes the inputs of the estimator: scaled features, or principal components."""
        return lambda side, rows: self.fitted.scaled(self.features[side][rows])

    def evaluate(self, observers: Observers) -> Evaluation:  # noqa: ARG002 - as of any model
        """Predict all sides (validation items by estimators that were fitted without them), and compute all metrics."""
        settings, threads = self.job.settings, self.job.settings.threads_per_job
        predictions = {side: self.fitted.answers(values, threads=threads) for side, values in self.features.items()}
        if self.fitted.out_of_fold is not None:
            predictions["validation"] = _validation_predictions(self.fitted.out_of_fold, self.data)
        return evaluate_predictions(predictions, self.data, settings, loss=loss_without_keras(settings, self.data))

    def save(self, folder: Path, tested: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - as of any model
        """Write model.skops, the networks of a combination, and grid.csv."""
        import_skops().dump(self.fitted.pipeline, folder / ESTIMATOR_NAME)
        self.source.write(folder)
        _write_grid(folder / "grid.csv", self.fitted)
        name = str(self.job.options.get("classifier", self.job.settings.architecture))
        return {"combination": describe_estimator(self.fitted, name, **self.source.about).model_dump(mode="json")}

    def facts(self) -> Mapping[str, Any]:
        """Return the entries of its record other than scores."""
        fitted = self.fitted
        best = next((point.score for point in fitted.grid if point.settings == fitted.settings), None)
        return {
            "n_parameters": None,
            "n_features": int(self.features["training"].shape[1]),
            "classifier_settings": fitted.settings,
            **({"epochs": self.job.refit.epochs} if self.job.refit else {}),
            **({} if self.data.fold is self.job.fold else {"fitted_to": ["training", "validation"]}),
            "searched_on": fitted.searched_on if fitted.grid else None,
            "search_score": None if best is None else {_metric_of(fitted): best},
            "temperature": fitted.temperature,
            **self.source.facts,
            "versions": versions(with_keras=bool(self.source.facts["models"])) | library_versions(),
        }


def _with_validation(clips: Clips, fold: Fold, store: FeatureStore) -> Clips:
    """Return the clips that count if validation items are also used for training, without clips that only scale items."""
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


def _validation_predictions(out_of_fold: NDArray[np.float32], data: FoldData) -> NDArray[np.float32]:
    """Return the out-of-fold predictions for the validation examples, in their order, from those for all training examples."""
    known, wanted = (
        zip(examples.table["item"], examples.table["row"], strict=True)
        for examples in (data.training, data.sides["validation"])
    )
    places = {row: place for place, row in enumerate(known)}
    return out_of_fold[[places[row] for row in wanted]]


def _fit(
    job: Job, source: "PooledFeatures | CombinedFeatures", data: FoldData, sides: Mapping[str, NDArray[np.float32]]
) -> FittedEstimator:
    """Fit the estimator of a job; a model of all items has the temperature, and after networks the settings, of its folds."""
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
        inner_seed=job_seed(settings.fold_seed, job.fold.number) if fits_validation(job.options) else None,
        scaling=scaling,
        class_weight=for_estimator(settings.class_weights, data.class_names),
        scored=~training.table["augmented"].to_numpy(bool),
        seed=job.seed,
        threads=settings.threads_per_job,
    )
    return replace(fitted, temperature=job.refit.facts.get("temperature")) if job.refit else fitted


def _metric_of(fitted: FittedEstimator) -> str:
    return "macro_f1" if fitted.has_classes else "mean_squared_error"


def _write_grid(path: Path, fitted: FittedEstimator) -> None:
    """Write a row per setting of the grid, with its score and the items that scored it."""
    metric = _metric_of(fitted)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=[*fitted.settings, metric, "scored_on"])
        writer.writeheader()
        writer.writerows(point.settings | {metric: point.score, "scored_on": fitted.searched_on} for point in fitted.grid)


def loss_without_keras(settings: Settings, data: FoldData) -> Callable[[NDArray[Any], NDArray[np.float32]], float] | None:
    """Return a function that computes the mean of the default loss like Keras; None for other losses."""
    name = settings.task.loss_name(settings.loss)

    def cross_entropy(targets: NDArray[Any], predictions: NDArray[np.float32]) -> float:
        target_probabilities = predictions[np.arange(len(targets)), targets]
        return float(-np.log(np.clip(target_probabilities, _EPSILON, 1 - _EPSILON)).mean(dtype=np.float64))

    def squared_error(targets: NDArray[Any], predictions: NDArray[np.float32]) -> float:
        deviation = data.target_deviation if settings.scales_loss else 1
        return float(np.mean(((targets - predictions) / deviation) ** 2, dtype=np.float64))

    return {"sparse_categorical_crossentropy": cross_entropy, "mean_squared_error": squared_error}.get(
        "" if name == "mean_squared_error" and settings.task.has_classes else name
    )
