"""Permutation importance of the feature groups of a scikit-learn estimator, on the test examples of its fold.

The groups of a combination are the outputs of each network and the families of basic features. The groups of a baseline are its
pooled statistics.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from preprocessing.corpus_folder import find_corpus_folder
from preprocessing.embeddings.families import opensmile
from preprocessing.encoders import family_of, resolve_encoder
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import open_store
from xval.base.errors import ResultsError
from xval.data.examples import StoredExamples
from xval.data.fold import load_fold
from xval.extras.explanations.importance import permutation_importance
from xval.folds.plan import Fold
from xval.jobs.fold_part import read_clips_of, read_enrolment_of
from xval.measures import metrics
from xval.models.predict import predict
from xval.results.folder import find_experiment
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.reuse.inference.estimator import load_estimator
from xval.training.classical.pooling import Pooling
from xval.training.combination.basic_features import read_basic_features
from xval.training.combination.short_term import FEATURE_NAMES

_STATISTICS = ("_mean", "_std")


def feature_groups(sizes: dict[str, int], *, basic: bool) -> dict[str, list[int]]:
    """Return the column indices of each feature group of a combination.

    Args:
        sizes: The number of columns of each network, by its name, in their order.
        basic: Whether the basic features follow. A family is a short-term feature with its deltas, means and standard
            deviations; all MFCCs are one family, and all chroma features are another.
    """
    groups, first = {}, 0
    for name, size in sizes.items():
        groups[name] = list(range(first, first + size))
        first += size
    for column, name in enumerate(FEATURE_NAMES if basic else (), start=first):
        short = next(name.removesuffix(suffix) for suffix in _STATISTICS if name.endswith(suffix)).removeprefix("delta_")
        family = short.partition("_")[0] if short.startswith(("mfcc", "chroma")) else short
        groups.setdefault(family, []).append(column)
    return groups


def pooled_groups(pooling: Pooling, size: int) -> dict[str, list[int]]:
    """Return the column indices of each statistic, and part of the time, of a pooled vector with ``size`` values."""
    names = [
        name if pooling.time_parts == 1 else f"{name}, part {part}"
        for part in range(1, pooling.time_parts + 1)
        for name in pooling.statistics
    ]
    return {name: list(map(int, columns)) for name, columns in zip(names, np.split(np.arange(size), len(names)), strict=True)}


def vector_groups(features: FeatureSettings | None, size: int) -> dict[str, list[int]]:
    """Return the column indices of each feature group of a store that has one vector per example.

    The groups are the families of openSMILE functionals; mean and standard deviation of frame embeddings; a whole embedding,
    whose single values have no meaning; or each value of a vector that a script has computed.

    Args:
        features: The feature settings of the vectors; None: a script has computed them.
        size: The number of values of a vector.
    """
    model = (features and features.embedding_model) or ""
    if features is None:
        names = [f"feature {number}" for number in range(1, size + 1)]
    elif family_of(model) == "opensmile":
        names = opensmile.functional_families(resolve_encoder(model).partition(":")[2].strip())
    elif features.embedding_pooling == "mean_deviation":
        names = ["mean"] * (size // 2) + ["deviation"] * (size - size // 2)
    else:
        names = ["embedding"] * size
    groups: dict[str, list[int]] = {}
    for column, group in enumerate(names):
        groups.setdefault(group, []).append(column)
    return groups


def measure_importance(folder: Path, *, data_folder: Path | None = None) -> pd.DataFrame:
    """Return the permutation importance of each feature group for the main metric of the test examples of a fold.

    Args:
        folder: The folder of a finished fold, of an instance whose architecture is an estimator or feature_combination.
        data_folder: The folder of all datasets; None: that of the settings.

    Returns:
        The table of `permutation_importance`.

    Raises:
        ResultsError: The folder is not a finished fold of an experiment.
    """
    no_fold = ResultsError(
        f"{folder}: no finished fold of an experiment, so there are no test items to measure feature importance on. Give "
        "results/<dataset>/experiment_<n>/instance_<i>/fold_<k>, or clips to explain with --method occlusion."
    )
    try:
        experiment = find_experiment(folder)
    except ResultsError:  # the model is outside its experiment
        raise no_fold from None
    name = folder.resolve().parent.name.removeprefix("instance_")
    key = JobKey.from_folder(int(name), folder.resolve().name) if name.isdecimal() else None
    results = open_results(experiment)
    record = results.record(key) if key else None
    if key is None or record is None or record["status"] != "done":
        raise no_fold
    settings = results.settings(key.instance).settings
    estimator, features = load_estimator(folder), settings.feature_settings()
    corpus = find_corpus_folder(settings.dataset, data_folder or Path(settings.data_folder))
    store = open_store(corpus / "features" / Path(record["store"]).name)
    fold = Fold(key.fold, *(tuple(record["items"][side]) for side in ("training", "validation", "test")))
    data = load_fold(
        store,
        fold,
        features,
        in_memory=False,
        clips=read_clips_of(settings, corpus),
        scaled_by_item=settings.scales_items,
        enrolment=read_enrolment_of(settings, corpus),
    )
    test = data.sides["test"]
    parts = [predict(network, test, settings.batch_size) for network in estimator.networks]
    if estimator.pooling is not None and isinstance(test, StoredExamples):
        parts.append(estimator.pooling.pool_examples(test))
    sizes = {f"network {number}": part.shape[1] for number, part in enumerate(parts, start=1)}
    if estimator.needs_basic:
        parts.append(read_basic_features(store, features, test.table))
    metric = metrics.find(settings.task.name, settings.task.main_metrics[0])
    sign = 1 if metric.higher_is_better else -1
    values = np.concatenate(parts, axis=1)
    groups = feature_groups(sizes, basic=estimator.needs_basic)
    if estimator.pooling is not None and len(store.example_shape) == 1:
        groups = vector_groups(estimator.pooling.settings, values.shape[1])
    elif estimator.pooling is not None:
        groups = pooled_groups(estimator.pooling, values.shape[1])
    return permutation_importance(
        estimator.fitted.answers,
        values,
        test.targets,
        groups,
        lambda targets, predictions: sign * float(metric.function(targets, predictions)),
        seed=record["seed"],
    )
