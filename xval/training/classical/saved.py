"""Save an estimator without pickle: its networks in network_<n>/, and its entries in model.json."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import sklearn

from xval.base.json_files import read_json, write_json
from xval.models.saved.description import EstimatorSettings
from xval.results.folder import KERAS_NAME
from xval.training.classical.search import FittedEstimator

if TYPE_CHECKING:
    import keras


def save_network(folder: Path, number: int, network: "keras.Model", source: Path) -> None:
    """Write a cut network of a combination, with the description of the model that it was cut from."""
    path = network_path(folder, number)
    path.parent.mkdir()
    network.save(path)
    write_json(path.with_name("model.json"), read_json(source.with_name("model.json")) or {})


def describe_estimator(fitted: FittedEstimator, name: str, **further: Any) -> EstimatorSettings:
    """Return the entries of model.json on an estimator and, in ``further``, on its features."""
    scaling = {} if fitted.target_mean is None else {"target_mean": fitted.target_mean.tolist()}
    scaling |= {} if fitted.target_deviation is None else {"target_deviation": fitted.target_deviation.tolist()}
    return EstimatorSettings(
        classifier=name, classifier_settings=fitted.settings, temperature=fitted.temperature, **scaling, **further
    )


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that fit and save an estimator."""
    import skops

    return {"scikit-learn": sklearn.__version__, "skops": skops.__version__}


def network_path(folder: Path, number: int) -> Path:
    """Return the path of a network; `read_keras_model` also reads the files next to it."""
    return folder / f"network_{number}" / KERAS_NAME
