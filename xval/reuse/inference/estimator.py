"""A saved scikit-learn estimator with the networks and settings that make its features.

Untrusted files are checked first: model.skops by pipeline_file.py, the networks by xval/models/saved.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import ResultsError, SettingsError
from xval.models.saved.description import EstimatorSettings, ModelDescription, read_description
from xval.models.saved.novelty import read_novelty
from xval.results.folder import ESTIMATOR_NAME
from xval.reuse.inference.batches import Answer, Answered
from xval.reuse.inference.inputs import Inputs
from xval.training.classical.check_estimator import check_skops
from xval.training.classical.pipeline_file import load_pipeline
from xval.training.classical.pooling import Pooling
from xval.training.classical.saved import network_path
from xval.training.classical.search import FittedEstimator

if TYPE_CHECKING:
    import keras

_VECTORS = 2  # axes of several vectors


@dataclass(frozen=True)
class SavedEstimator:
    """A loaded estimator; no code in its files is executed.

    Attributes:
        fitted: Scaler, components and estimator, without its grid.
        networks: The cut networks of a combination, in their order.
        pooling: How stored features become one vector; None for a combination.
    """

    path: Path
    description: ModelDescription
    fitted: FittedEstimator
    networks: tuple["keras.Model", ...]
    pooling: Pooling | None

    @property
    def needs_basic(self) -> bool:
        """Whether it also reads basic features."""
        return bool(self.description.combination and self.description.combination.basic_features)

    def features(
        self, predictors: NDArray[np.float32], basic: NDArray[np.float32] | None, durations_s: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Return the inputs of the estimator for a batch: float32 (n_examples, n_features).

        Args:
            predictors: float32 (n_examples, ...), made with the settings in its model.json.
            basic: float32 (n_examples, 136), their basic features; required if `needs_basic`.
            durations_s: float64 (n_examples,), length of each example without padding.
        """
        parts = [np.asarray(network.predict_on_batch(predictors), np.float32) for network in self.networks]
        if self.pooling is not None:
            parts.append(self.pooling.pool(predictors, durations_s))
        if self.needs_basic:
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

    @property
    def pooled(self) -> Callable[[Inputs], Inputs] | None:
        """The function that makes the vectors to scale by item; None: only frames are scaled."""
        pooling = self.pooling
        if pooling is None or not pooling.scales_pooled:
            return None
        return lambda inputs: replace(inputs, predictors=pooling.pool(inputs.predictors, inputs.end_s - inputs.start_s))

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """Shape of one example, with None for any length; None without networks, where the number of features is checked."""
        return tuple(self.networks[0].input.shape[1:]) if self.networks else None

    def reads_rows(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array of ready features is several examples, and not one."""
        if self.input_shape is not None:
            return len(shape) == len(self.input_shape) + 1
        n_read, about = self.fitted.pipeline.n_features_in_, self.description.combination
        n_pooled = len(about.pooling) * about.time_parts if about and len(shape) > _VECTORS else 1
        return len(shape) >= _VECTORS and math.prod(shape[2:] or shape[1:]) * n_pooled == n_read

    @property
    def n_layers(self) -> int:
        """The number of layers with a kernel: 0."""
        return 0

    def predictor(self) -> Answer:
        """Return the function that gives probabilities or numbers."""
        novelty = read_novelty(self.path, self.description.novelty)

        def answer(
            predictors: NDArray[np.float32], basic: NDArray[np.float32] | None, durations_s: NDArray[np.float64]
        ) -> Answered:
            features = self.features(predictors, basic, durations_s)
            return self.fitted.answers(features), None if novelty is None else novelty.of(self.fitted.scaled(features))

        return answer

    def embedder(self, layers_dropped: int | None, layer: str | None) -> Answer:  # noqa: ARG002 - as of any member
        """Raise an error: an estimator has no layers."""
        if not self.networks:
            raise SettingsError(f"{self.path}: a scikit-learn estimator has no layers. Use a network for embeddings.")
        raise SettingsError(
            f"{self.path}: a combination of features has no layers. Use the networks that it was made from; record.json next "
            "to it lists their files (models)."
        )


def load_estimator(folder: str | Path) -> SavedEstimator:
    """Load an estimator from a fold folder; no code in it is executed.

    Args:
        folder: The folder with model.skops, model.json and network_<n>/, which may have been moved together.

    Raises:
        SettingsError: skops is not installed.
        ResultsError: A file is missing or damaged, is not such an estimator, or has classes other than those in model.json.
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
    return SavedEstimator(path, description, fitted, _load_networks(path.parent, about.n_networks), _pooling(description))


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
    """Return the number of outputs of an estimator; raise an error if model.json scales a different number."""
    n_outputs = int(np.size(pipeline.predict(np.zeros((1, pipeline.n_features_in_)))))
    if any(scaling and len(scaling) != n_outputs for scaling in (about.target_mean, about.target_deviation)):
        raise ResultsError(
            f"{path}: predicts {n_outputs} numbers, but model.json scales others. One of the two files belongs to another "
            "model."
        )
    return n_outputs


def _check_classes(pipeline: Any, n_classes: int, path: Path) -> None:
    """Raise an error if a classifier predicts classes that model.json does not name."""
    classes = np.asarray(getattr(pipeline, "classes_", None))
    is_sound = classes.ndim == 1 and classes.dtype.kind in "iu" and len(classes)
    if not is_sound or not ((np.diff(classes) > 0).all() and classes[0] >= 0 and classes[-1] < n_classes):
        raise ResultsError(
            f"{path}: its classifier has the classes {classes!r:.80}; expected numbers from 0 to {n_classes - 1}, as "
            "model.json names them. One of the two files belongs to another model."
        )
