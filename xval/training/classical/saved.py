"""Save an estimator and what makes its features without pickle, load it, and use it on features.

Comes in: a fitted estimator and, of a combination, its networks; later the folder that they were saved in. Goes out:
model.skops (scaler, components, estimator), network_<n>/ (the networks, cut), model.json (all else), and from these a
`SavedEstimator`.

What is read of it from elsewhere is checked first: model.skops by pipeline_file.py, the networks by xval/models/saved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore
from xval.base.errors import ResultsError, SettingsError
from xval.base.json_files import read_json, write_json
from xval.jobs.job import Job
from xval.jobs.model_files import describe_model
from xval.models.saved.description import EstimatorSettings, ModelDescription, read_description
from xval.models.saved.novelty import Novelty
from xval.models.saved.provenance import Provenance, write_seen_audio
from xval.results.folder import ESTIMATOR_NAME, KERAS_NAME
from xval.training.classical.check_estimator import check_skops
from xval.training.classical.pipeline_file import import_skops, load_pipeline
from xval.training.classical.pooling import Pooling
from xval.training.classical.search import FittedEstimator

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class SavedEstimator:
    """A loaded estimator.

    Attributes:
        fitted: Scaler, components and estimator; its grid is not kept.
        networks: The cut networks of a combination, in their order.
        has_basic_features: Whether the basic features follow theirs.
        pooling: How stored features become one vector; None of a combination.
        class_names: What the columns of its answers mean; empty of numbers.
    """

    fitted: FittedEstimator
    networks: tuple["keras.Model", ...]
    has_basic_features: bool
    pooling: Pooling | None
    class_names: tuple[str, ...]

    def features(
        self, predictors: NDArray[np.float32], basic: NDArray[np.float32] | None, durations_s: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Return what the estimator reads of one batch, float32 (n_examples, n_features).

        Args:
            predictors: float32 (n_examples, ...), made as its model.json says.
            basic: float32 (n_examples, 136), their basic features; needed where `has_basic_features`.
            durations_s: float64 (n_examples,), length of each example without padding.
        """
        parts = [np.asarray(network.predict_on_batch(predictors), np.float32) for network in self.networks]
        if self.pooling is not None:
            parts.append(self.pooling.pool(predictors, durations_s))
        if self.has_basic_features:
            if basic is None:
                raise SettingsError("this combination reads basic features. Pass them with the examples")
            parts.append(basic)
        features = np.concatenate(parts, axis=1)
        wanted = self.fitted.pipeline.n_features_in_
        if features.shape[1] != wanted:
            raise SettingsError(
                f"examples of shape {predictors.shape[1:]} give {features.shape[1]} features, but the estimator reads {wanted}"
            )
        return features


def save(
    folder: Path,
    fitted: FittedEstimator,
    about: EstimatorSettings,
    job: Job,
    store: FeatureStore,
    *,
    earlier: Sequence[Provenance] = (),
    novelty: Novelty | None = None,
) -> None:
    """Write an estimator into a fold folder, and ``about`` into its model.json.

    ``earlier`` is what trained the networks of a combination, ``novelty`` how far an input lies from what it was fitted to.
    """
    import_skops().dump(fitted.pipeline, folder / ESTIMATOR_NAME)
    described = describe_model(job, store, store.class_names, earlier)
    described |= novelty.write(folder) if novelty else {}
    write_json(folder / "model.json", described | {"combination": about.model_dump(mode="json")})
    write_seen_audio(folder, job.fold, store.folder.parents[1], earlier)


def save_network(folder: Path, number: int, network: "keras.Model", source: Path) -> None:
    """Write a cut network of a combination, with the description of the model that it was cut from."""
    path = network_path(folder, number)
    path.parent.mkdir()
    network.save(path)
    write_json(path.with_name("model.json"), read_json(source.with_name("model.json")) or {})


def describe_estimator(fitted: FittedEstimator, name: str, **further: Any) -> EstimatorSettings:
    """Return what model.json says of an estimator and, ``further``, of what makes its features."""
    scaling = {} if fitted.target_mean is None else {"target_mean": fitted.target_mean.tolist()}
    scaling |= {} if fitted.target_deviation is None else {"target_deviation": fitted.target_deviation.tolist()}
    return EstimatorSettings(
        classifier=name, classifier_settings=fitted.settings, temperature=fitted.temperature, **scaling, **further
    )


def load(folder: str | Path) -> SavedEstimator:
    """Load an estimator from a fold folder; nothing in it is executed.

    Args:
        folder: With model.skops, model.json and network_<n>/; they may have been moved together.

    Raises:
        SettingsError: skops is not installed.
        ResultsError: A file is missing or damaged, or holds something else than such an estimator, or one of other classes than
            model.json names.
    """
    path = Path(folder) / ESTIMATOR_NAME
    description = read_description(path) if path.is_file() else None
    if description is None or description.combination is None:
        raise ResultsError(f"{folder}: has no scikit-learn estimator; expected the fold folder of such an instance.")
    check_skops(description.architecture)
    about, has_classes = description.combination, description.task.has_classes
    pipeline = load_pipeline(path)
    if has_classes:
        _check_classes(pipeline, len(description.class_names), path)
    fitted = FittedEstimator(
        pipeline,
        len(description.class_names) if has_classes else _count_outputs(pipeline, about, path),
        has_classes,
        about.temperature,
        about.classifier_settings,
        target_mean=np.array(about.target_mean, np.float32) if about.target_mean else None,
        target_deviation=np.array(about.target_deviation, np.float32) if about.target_deviation else None,
    )
    return SavedEstimator(
        fitted,
        _load_networks(path.parent, about.n_networks),
        about.basic_features,
        _pooling(description),
        description.class_names,
    )


def _load_networks(folder: Path, n_networks: int) -> tuple["keras.Model", ...]:
    if not n_networks:
        return ()
    from xval.models.saved.load import read_keras_model

    return tuple(read_keras_model(network_path(folder, number)) for number in range(1, 1 + n_networks))


def _pooling(description: ModelDescription) -> Pooling | None:
    about = description.combination
    if about is None or not about.pooling:
        return None
    settings = None if description.is_custom else description.feature_settings
    return Pooling(about.pooling, about.time_parts, settings, about.scales_pooled)


def _count_outputs(pipeline: Any, about: EstimatorSettings, path: Path) -> int:
    """Return how many numbers an estimator predicts; refuse it where model.json scales others."""
    n_outputs = int(np.size(pipeline.predict(np.zeros((1, pipeline.n_features_in_)))))
    if any(scaling and len(scaling) != n_outputs for scaling in (about.target_mean, about.target_deviation)):
        raise ResultsError(
            f"{path}: predicts {n_outputs} numbers, but model.json scales others. One of the two files belongs to another "
            "model."
        )
    return n_outputs


def library_versions() -> dict[str, str]:
    """Return the versions of what fits and saves an estimator."""
    import sklearn
    import skops

    return {"scikit-learn": sklearn.__version__, "skops": skops.__version__}


def _check_classes(pipeline: Any, n_classes: int, path: Path) -> None:
    """Refuse a classifier whose answers have no place among the classes that model.json names."""
    classes = np.asarray(getattr(pipeline, "classes_", None))
    is_sound = classes.ndim == 1 and classes.dtype.kind in "iu" and len(classes)
    if not is_sound or not ((np.diff(classes) > 0).all() and classes[0] >= 0 and classes[-1] < n_classes):
        raise ResultsError(
            f"{path}: its classifier has the classes {classes!r:.80}; expected numbers from 0 to {n_classes - 1}, as "
            "model.json names them. One of the two files belongs to another model."
        )


def network_path(folder: Path, number: int) -> Path:
    """Return the path of a network; `read_keras_model` reads the files beside it, too."""
    return folder / f"network_{number}" / KERAS_NAME
