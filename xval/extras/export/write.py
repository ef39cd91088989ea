"""Write a saved model in a format that runs without Keras, and check that its outputs are the same.

The runtime of the format runs the export on random inputs of several batch sizes and lengths. The export gets its name only if
the outputs agree with those of the Keras model. The description of the model is stored next to it.
"""

import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.parallel import count_cores
from xval.backend.devices import Slot, bind, load_keras
from xval.base.errors import ExportError, ResultsError, SettingsError, first_of
from xval.base.json_files import json_text, only_writer, refuse_appeared, write_atomically
from xval.base.operating_system import quote, read_regular, refusal
from xval.extras.export.agreement import ExportAgreement, compare, precisions, random_batches
from xval.extras.export.formats import Format, find_format
from xval.extras.export.samples import check_samples
from xval.jobs.model_files import refuse_replaced
from xval.models.saved.description import ModelDescription, check_description, read_description
from xval.models.saved.load import read_keras_model
from xval.models.saved.padding import padding_of, samples_padding
from xval.results.folder import ENSEMBLE_NAME, ESTIMATOR_NAME, KERAS_NAME, ExperimentFolder, neighbour_folder
from xval.results.job_key import JobKey
from xval.results.named import model_path
from xval.reuse.inference.locate import find_selected
from xval.reuse.named_modules import import_named

if TYPE_CHECKING:
    import keras

_BACKEND = "tensorflow"


@dataclass(frozen=True)
class Export:
    """An export whose outputs agree with those of its model.

    Attributes:
        path: The exported file or folder.
        description: The copy of model.json, next to the export, or inside it if it is a folder.
        input_shape: Shape of the input with the batch axis; None: any size.
        n_outputs: The number of output columns.
        agreement: The agreement with the outputs of the Keras model.
    """

    path: Path
    description: Path
    input_shape: tuple[int | None, ...]
    n_outputs: int
    agreement: ExportAgreement


def export_model(
    model: Path, format_name: str, output: Path | None = None, *, overwrite: bool = False, from_samples: bool = False
) -> Export:
    """Export a model; a file gets the name of the output only if its outputs agree with those of the model.

    Args:
        model: A .keras file, or a fold folder.
        format_name: A key of `formats.FORMATS`.
        output: Path of the export; None: <dataset>_instance_<i>_fold_<k> with the ending of the format, in the folder of
            the experiment, or next to a model outside an experiment.
        overwrite: Replace an existing export after the new one is checked.
        from_samples: Include the feature extraction, so that the export reads audio samples.

    Raises:
        ExportError: The format or the settings of the model do not allow the export, or its outputs differ.
        ResultsError: There is no such model, or the export cannot be written.
        SettingsError: A package is missing, or the name of the format or output is wrong.
    """
    kind, path = find_format(format_name), find_model(model)
    described = read_description(path)
    if described.scaled_by_item:
        raise ExportError(
            f"{path}: trained with normalization=per_item, which scales a speaker's features by all of its clips before the "
            "model, which an export cannot do. Train with normalization=per_bin, or use xval predict."
        )
    target = output or neighbour_folder(path) / f"{export_name(described)}{kind.ending}"
    description = target / "model.json" if kind.is_folder else target.with_name(f"{target.name}.json")
    content = _describe(read_regular(path.with_suffix(".json")), described, from_samples=from_samples)
    _check_target(target, description, content, kind, overwrite=overwrite)
    kind.check_packages()
    if from_samples:
        check_samples(described, path)
    try:
        with only_writer(target, "--output") as temporary:
            _bind_backend()
            import_named([path])
            loaded = read_keras_model(path)
            check_description(loaded, described, path)
            refuse_replaced(path)
            unchecked = temporary / f"export{kind.ending}"
            if from_samples:
                from xval.extras.export.end_to_end import build_end_to_end

                loaded = build_end_to_end(loaded, described, path)
            input_shape, agreement = _write_and_check(loaded, unchecked, kind, described, from_samples=from_samples)
            export = Export(target, description, input_shape, loaded.output_shape[-1], agreement)
            refuse_appeared(target, "--output", overwrite=overwrite)
            _publish(unchecked, export, content, kind)
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from error
    except OSError as error:
        raise ResultsError(f"{target}: cannot be written ({refusal(error)}). Choose another place with --output.") from error
    return export


def export_name(described: ModelDescription) -> str:
    """Return <dataset>_instance_<i>_fold_<k>, or ..._refit for a final model, as a valid file name."""
    key = JobKey(described.instance, described.fold, described.repeat)
    part = "refit" if described.is_untested else key.folder_name
    return re.sub(r"[/\\\0]", "_", f"{described.dataset}_instance_{described.instance}_{part}")


def find_model(path: Path, *, or_estimator: bool = False) -> Path:
    """Return the .keras file of a model that may be named by a file, a fold folder, an instance or an experiment.

    An instance, also named ``EXPERIMENT:N``, has its final model of `refit`, or else the model of its only fold. For an
    experiment it is the model of the instance with the best validation score.

    Args:
        path: The name of the model.
        or_estimator: Also return model.skops, a scikit-learn estimator.

    Raises:
        ResultsError: There is no such model, or several.
    """
    path = model_path(path)
    if (path / "folds.json").is_file():
        path, _ = find_selected(ExperimentFolder(path))
    if path.is_file() and (path.suffix == ".keras" or (or_estimator and path.name == ESTIMATOR_NAME)):
        return path
    names = (KERAS_NAME, ESTIMATOR_NAME) if or_estimator else (KERAS_NAME,)
    for name in names:
        if (path / name).is_file():
            return path / name
    expected = f"a .keras file{' or model.skops' if or_estimator else ''}"
    if not path.exists():
        raise ResultsError(f"{path}: there is no such file or folder. Expected EXPERIMENT:N, {expected}, or a fold folder.")
    if path.name == ESTIMATOR_NAME or (path / ESTIMATOR_NAME).is_file():
        raise ResultsError(
            f"{path}: a scikit-learn estimator, not a Keras model. xval bundle writes it with all files that "
            "predict needs. The networks of a combination can be exported; record.json next to it lists their files (models)."
        )
    if (path / ENSEMBLE_NAME).is_file():
        raise ResultsError(
            f"{path}: an ensemble has several models. Export its members, which are listed in model.ensemble there."
        )
    places = ("refit", "instance_*/refit", "fold_*", "instance_*/fold_*")
    below = [model for place in places for name in names for model in sorted(path.glob(f"{place}/{name}"))]
    if below and (below[0].parent == path / "refit" or len(below) == 1):
        return below[0]
    if below:
        number = path.name.removeprefix("instance_")
        name = quote(f"{path.parent}:{number}") if number.isdecimal() else "EXPERIMENT:N"
        raise ResultsError(
            f"{path}: only one model can be exported at a time. Give one of {first_of(below, 4)}, or train one on all items: "
            f"xval refit {name}"
        )
    kind = "saved model" if or_estimator else "Keras model"
    raise ResultsError(f"{path}: not a {kind}. Expected {expected}, or its fold folder.")


def _check_target(target: Path, description: Path, content: bytes, kind: Format, *, overwrite: bool) -> None:
    """Raise SettingsError for a name with another ending, ResultsError for a path that must not be overwritten."""
    if not kind.is_folder and not target.name.endswith(kind.ending):
        raise SettingsError(f"--output {target}: expected a name that ends in {kind.ending}.")
    if target.exists():
        if target.is_dir() != kind.is_folder or (kind.is_folder and not (target / "saved_model.pb").is_file()):
            raise ResultsError(f"{target}: exists and is not an export of this format. Give another --output.")
        if not overwrite:
            raise ResultsError(f"{target}: already exists. Give another --output, or replace it with --overwrite.")
    elif not kind.is_folder and not overwrite and description.exists() and description.read_bytes() != content:
        raise ResultsError(
            f"{description}: describes another model and would be overwritten. Give another --output, or replace it with "
            "--overwrite."
        )


def _describe(content: bytes, described: ModelDescription, *, from_samples: bool) -> bytes:
    """Return the content of an export's model.json, which also describes the padding of clips to one length."""
    padding = samples_padding(described.feature_settings) if from_samples else padding_of(described)
    about = json.loads(content)
    return content if about.get("padding") == padding else json_text(about | {"padding": padding}).encode()


def _bind_backend() -> None:
    """Load Keras on TensorFlow, the backend that writes all formats; saved models of every backend load on it."""
    loaded = bind(Slot("cpu", count_cores()), _BACKEND)
    load_keras()
    if loaded != _BACKEND:
        raise SettingsError(
            f"exports need the backend {_BACKEND}, but this process has loaded {loaded}. Export in another process."
        )


def _write_and_check(
    model: "keras.Model", path: Path, kind: Format, described: ModelDescription, *, from_samples: bool
) -> tuple[tuple[int | None, ...], ExportAgreement]:
    """Write an export; return the shape of its input, and its agreement with the model.

    Raises:
        ExportError: The format cannot express the model, or the output differs.
    """
    input_shape = (kind.batch_size(model), *model.inputs[0].shape[1:])
    batches = random_batches(model, input_shape, described, are_samples=from_samples or _reads_samples(described))
    expected = [model(batch, training=False) for batch in batches]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converters warn about their own code
            kind.write(model, path, input_shape[0])
            predict = kind.read(path, model)
            exported_outputs = [predict(batch) for batch in batches]
    except OSError:
        raise
    except Exception as error:  # each converter and runtime has its own errors
        raise _inexpressible(error, model, kind) from error
    agreement = compare(expected, exported_outputs, precisions(model))
    if not agreement.is_close:
        raise ExportError(
            f"the export is wrong and was removed: its output differs by {agreement.difference:.2g} from that of the model; "
            f"at most {agreement.tolerance:.2g} is allowed. Try --format {kind.alternative}."
        )
    return input_shape, agreement


def _reads_samples(described: ModelDescription) -> bool:
    return described.feature_settings.features == "waveform" and not described.is_custom


def _inexpressible(error: Exception, model: "keras.Model", kind: Format) -> ExportError:
    """Return an error with the operations that a format lacks, and the formats to try instead."""
    text = str(error)
    lacking = sorted({*re.findall(r"'tf\.(\w+)' op", text), *re.findall(r"No Op registered for (\w+)", text)})
    places = sorted({place.rpartition("/")[0] for place in re.findall(r'"([\w./-]+)@__inference', text)} - {""})
    reason = f"it lacks {', '.join(lacking)}" if lacking else f"{type(error).__name__}: {' '.join(text.split())[:300]}"
    where = f" (in {first_of(places, 3)})" if lacking and places else ""
    halves = sorted(precisions(model) - {"float32"})
    hint = f" The model computes in {', '.join(halves)}: precision=float32 fits more formats." if halves else ""
    return ExportError(
        f"--format {kind.name} cannot express this model: {reason}{where}. Try --format {kind.alternative}.{hint}"
    )


def _publish(checked: Path, export: Export, content: bytes, kind: Format) -> None:
    """Rename a checked export to its final name, and write the description of the model next to it."""
    if kind.is_folder:
        (checked / export.description.name).write_bytes(content)
        if export.path.exists():
            export.path.rename(checked.with_name("replaced"))
    elif not export.description.exists() or export.description.read_bytes() != content:
        write_atomically(export.description, content)
    checked.replace(export.path)
