"""Fit an estimator to a combination of features: embeddings of networks and basic features."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore, open_store
from preprocessing.store.waveforms import example_lengths
from xval.base.errors import SettingsError, UnsafeModelError
from xval.data.fold import Examples, FoldData
from xval.engine.learners.estimator import FoldEstimator, fit_features
from xval.jobs.fold_part import read_clips_of
from xval.jobs.job import Job
from xval.models.saved.check_layers import IMPORT
from xval.models.saved.fetch import find_model
from xval.models.saved.initial import hash_model
from xval.models.saved.provenance import Provenance
from xval.settings.combination import CombinationOptions
from xval.settings.model_address import is_address
from xval.training.classical.estimators import EstimatorSpec
from xval.training.classical.saved import save_network
from xval.training.combination.basic_features import all_examples, read_basic_features
from xval.training.combination.check_combined import check_files, judge_model, takes_lengths

ARCHITECTURES = {
    "feature_combination": {
        "task_types": ("classification",),
        "options": {
            "models": ("tuple[str, ...]", ()),
            "layers_dropped": ("int", 1),
            "basic_features": ("bool", True),
            "classifier": ("Literal['svm', 'random_forest', 'logistic_regression']", "svm"),
            "pca_components": ("int", 100),
        },
    }
}


@contextmanager
def fit(job: Job, *_: object) -> Iterator[FoldEstimator]:
    """Fit an estimator to the combined features of a job."""
    store = open_store(Path(job.store_folder))
    yield fit_features(job, store, CombinedFeatures(job, store))


class CombinedFeatures:
    """The features of a combination; its grid is searched on validation items, on which its networks were not fitted."""

    def __init__(self, job: Job, store: FeatureStore) -> None:
        self._job, self._store, self._features = job, store, job.settings.feature_settings()
        self._options = CombinationOptions.of(job.options)
        self._paths = [find_model(path, "models") for path in self._options.model_paths(job.fold.number)]
        self.spec = EstimatorSpec.for_combination(self._options.classifier, self._options.pca_components)
        fetched = [is_address(path) for path in self._options.model_paths(job.fold.number)]
        described = zip(self._paths, fetched, strict=True)
        self.facts = {"models": [self._describe_model(path, is_fetched=is_fetched) for path, is_fetched in described]}
        self.earlier = [Provenance(path) for path in self._paths]
        self.search_on_validation = bool(self._paths)
        self._networks: list[Any] = []
        if self._paths:
            from xval.backend.devices import load_keras

            load_keras()
            from xval.jobs.prepare_backend_for_job import prepare_for

            prepare_for(job)
            self._networks = cut_models(job, store)
        self.about = {
            "n_networks": len(self._networks),
            "layers_dropped": self._options.layers_dropped,
            "basic_features": self._options.basic_features,
        }

    def of(self, examples: Examples) -> NDArray[np.float32]:
        """Return the features of examples, those of each network, then the basic ones: float32 (n_examples, n_features)."""
        parts = []
        if self._networks:
            from xval.models.predict import predict

            parts = [predict(network, examples, self._job.settings.batch_size) for network in self._networks]
        if self._options.basic_features:
            parts.append(read_basic_features(self._store, self._features, examples.table))
        return np.concatenate(parts, axis=1)

    def training(self, data: FoldData) -> Examples:
        """Return the examples for fitting the classifier: whole clips, including augmented ones."""
        return all_examples(self._store, self._features, data.training_items, data.clips.get("training"))

    def write(self, folder: Path) -> None:
        """Write the cut networks into a fold folder."""
        for number, (network, path) in enumerate(zip(self._networks, self._paths, strict=True), start=1):
            save_network(folder, number, network, path)

    def _describe_model(self, path: Path, *, is_fetched: bool) -> dict[str, str]:
        """Return the entry of a model in the record: its path and hash, and whether it may have seen test items."""
        fold, store = self._job.fold, self._store
        corpus_folder = store.folder.parents[1]
        check_files(path, self._features, is_custom=store.description.feature_settings is None, is_fetched=is_fetched)
        verdict = judge_model(
            path, fold, self._job.settings.dataset, corpus_folder, read_clips_of(self._job.settings, corpus_folder)
        )
        return {"path": str(path), "hash": hash_model(path), "leakage": verdict.state, "leakage_reason": verdict.reason}


def cut_models(job: Job, store: FeatureStore) -> list[Any]:
    """Return the cut networks of a job, after checking that they can read the features of the store."""
    from xval.models.cut import cut_model
    from xval.models.saved.load import read_keras_model

    options, networks = CombinationOptions.of(job.options), []
    settings = job.settings.feature_settings()
    stored = (example_lengths(store, settings).model_length,) if store.is_waveform else store.example_shape
    for name in options.model_paths(job.fold.number):
        path = find_model(name, "models")
        try:
            model = read_keras_model(path)
        except UnsafeModelError as error:
            problem, advice, _ = str(error).partition(IMPORT)
            if not advice:
                raise
            raise UnsafeModelError(
                f"{problem} Combine a network of Keras's own layers, or start from this one by initial_model, because a "
                "combination does not import your own modules"
            ) from error
        wanted = tuple(model.input.shape[1:])
        may_differ = store.is_waveform and not is_address(name) and takes_lengths(settings)
        n_held, n_read = stored[0], wanted[0] if len(wanted) == 1 else None
        if may_differ and n_held is not None and n_read is not None and n_read != n_held:
            networks.append(_with_length(cut_model(model, options.layers_dropped, where=str(path)), n_held, n_read))
            continue
        fits = len(stored) == len(wanted) and all(
            None in pair or pair[0] == pair[1] for pair in zip(stored, wanted, strict=True)
        )
        if not fits:
            raise SettingsError(
                f"models: {path} reads examples of shape {wanted}, but the feature store {store.folder} has {stored}. Clips "
                "are padded to the longest of their dataset. Set clip_length_s in both instances, or use a model of this "
                "dataset"
            )
        networks.append(cut_model(model, options.layers_dropped, where=str(path)))
    return networks


def _with_length(network: Any, n_samples: int, n_read: int) -> Any:
    """Return a network for clips of another length, which it cuts or pads with silence to its own length."""
    import keras

    from xval.models.cut import compile_for_prediction

    samples = keras.Input((n_samples,))
    column = keras.layers.Reshape((n_samples, 1))(samples)
    if n_read < n_samples:
        column = keras.layers.Cropping1D((0, n_samples - n_read))(column)
    else:
        column = keras.layers.ZeroPadding1D((0, n_read - n_samples))(column)
    fitted = keras.Model(samples, network(keras.layers.Reshape((n_read,))(column)), name="network_of_length")
    compile_for_prediction(fitted)
    return fitted
