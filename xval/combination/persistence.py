"""Save a combination of features and a classifier without pickle, load it, and use it on features.

Comes in: a fitted classifier and its networks; later the folder that they were saved in. Goes out: model.skops (scaler,
components, classifier), network_<n>/ (the networks, cut), model.json (all else), and from these a `Combination`.

What is read of it from elsewhere is checked first: model.skops by pipeline_file.py, the networks by xval/saved_models.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from preprocessing.features.settings import FeatureSettings
from preprocessing.store import FeatureStore
from preprocessing.store.waveforms import example_lengths
from xval.combination.checks import check_skops
from xval.combination.classifier import FittedClassifier
from xval.combination.pipeline_file import load_pipeline
from xval.errors import ResultsError, SettingsError
from xval.jobs.job import Job
from xval.jobs.model_files import describe_model, write_heard_audio
from xval.json_files import read_json, write_json
from xval.saved_models.description import read_description
from xval.saved_models.load import read_keras_model
from xval.saved_models.seen import read_seen
from xval.settings.combination import CombinationOptions


@dataclass(frozen=True)
class Combination:
    """A loaded combination.

    Attributes:
        fitted: Scaler, components and classifier; its grid is not kept.
        networks: The cut networks, in their order.
        has_basic_features: Whether the basic features follow theirs.
        class_names: What the columns of its answers mean.
    """

    fitted: FittedClassifier
    networks: tuple[keras.Model, ...]
    has_basic_features: bool
    class_names: tuple[str, ...]

    def classify(self, predictors: NDArray[np.float32], basic: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Return how probable each class is for one batch, float32 (n_examples, n_classes).

        Args:
            predictors: float32 (n_examples, ...), made as its model.json says.
            basic: float32 (n_examples, 136), their basic features; needed where `has_basic_features`.

        Raises:
            SettingsError: Basic features are missing.
        """
        parts = [np.asarray(network.predict_on_batch(predictors), np.float32) for network in self.networks]
        if self.has_basic_features:
            if basic is None:
                raise SettingsError("this combination reads basic features; give them with the examples")
            parts.append(basic)
        return self.fitted.probabilities(np.concatenate(parts, axis=1))


def save(folder: Path, fitted: FittedClassifier, networks: Sequence[keras.Model], job: Job, store: FeatureStore) -> None:
    """Write a combination into a fold folder.

    Raises:
        OSError: The disk is full or not writable.
    """
    from skops import io

    io.dump(fitted.pipeline, folder / "model.skops")
    options = CombinationOptions.of(job.options)
    paths = [Path(path) for path in options.model_paths(job.fold.number)]
    earlier = [read_seen(path) for path in paths]
    for number, (network, path) in enumerate(zip(networks, paths, strict=True), start=1):
        network_path = _network_path(folder, number)
        network_path.parent.mkdir()
        network.save(network_path)
        write_json(network_path.with_name("model.json"), read_json(path.with_name("model.json")) or {})
    combination = {
        "classifier": options.classifier,
        "classifier_settings": fitted.settings,
        "temperature": fitted.temperature,
        "n_networks": len(networks),
        "layers_dropped": options.layers_dropped,
        "basic_features": options.basic_features,
    }
    described = describe_model(job, store, store.class_names, earlier)
    write_json(folder / "model.json", described | {"combination": combination})
    write_heard_audio(folder, job, store, earlier)


def load(folder: str | Path) -> Combination:
    """Load a combination from a fold folder; nothing in it is executed.

    Args:
        folder: With model.skops, model.json and network_<n>/; they may have been moved together.

    Raises:
        SettingsError: skops is not installed.
        ResultsError: A file is missing or damaged, or holds something else than such a classifier, or one of other classes than
            model.json names.
    """
    check_skops()
    path = Path(folder) / "model.skops"
    description = read_description(path) if path.is_file() else None
    if description is None or description.combination is None:
        raise ResultsError(f"{folder}: holds no combination of features; the fold folder of such an instance is wanted.")
    about, class_names = description.combination, description.class_names
    pipeline = load_pipeline(path)
    _check_classes(pipeline, len(class_names), path)
    return Combination(
        fitted=FittedClassifier(
            pipeline=pipeline,
            n_classes=len(class_names),
            temperature=about.temperature,
            grid=(),
            settings=about.classifier_settings,
        ),
        networks=tuple(read_keras_model(_network_path(path.parent, number)) for number in range(1, 1 + about.n_networks)),
        has_basic_features=about.basic_features,
        class_names=class_names,
    )


def check_shape(model: keras.Model, store: FeatureStore, settings: FeatureSettings, *, where: str) -> None:
    """Refuse a network that reads other shapes than a store holds.

    Raises:
        SettingsError: The shapes differ.
    """
    held = (example_lengths(store, settings).of_model,) if store.is_waveform else store.example_shape
    read = tuple(model.input.shape[1:])
    fits = len(held) == len(read) and all(None in pair or pair[0] == pair[1] for pair in zip(held, read, strict=True))
    if not fits:
        raise SettingsError(
            f"models: {where} reads examples of shape {read}, the feature store {store.folder} holds {held}. Clips are padded "
            "to the longest of their corpus: set clip_length_s in both instances, or take a model of this corpus"
        )


def library_versions() -> dict[str, str]:
    """Return the versions of what fits and saves the classifier."""
    import sklearn
    import skops

    return {"scikit-learn": sklearn.__version__, "skops": skops.__version__}


def _check_classes(pipeline: "Pipeline", n_classes: int, path: Path) -> None:
    """Refuse a classifier whose answers have no place among the classes that model.json names."""
    classes = np.asarray(getattr(pipeline, "classes_", None))
    is_sound = classes.ndim == 1 and classes.dtype.kind in "iu" and len(classes)
    if not is_sound or not ((np.diff(classes) > 0).all() and classes[0] >= 0 and classes[-1] < n_classes):
        raise ResultsError(
            f"{path}: its classifier tells apart {classes!r:.80}; numbers from 0 to {n_classes - 1} are wanted, of the classes "
            "that model.json names. One of the two files is of another model."
        )


def _network_path(folder: Path, number: int) -> Path:
    """Return where a network is kept, with what `read_keras_model` reads beside it."""
    return folder / f"network_{number}" / "model.keras"
