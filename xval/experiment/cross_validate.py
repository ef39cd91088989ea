"""`xval.cross_validate`: from class folders, a table or a prepared dataset to scores and a final model in one call.

The final model is trained on all items, if it is requested.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, overload

import pandas as pd

from preprocessing import prepare
from preprocessing.clips.index_file import INDEX_NAME
from preprocessing.clips.listing import SIMILAR_NAMES
from preprocessing.commands.prepare import is_several_folders
from preprocessing.corpus import Corpus, open_corpus
from preprocessing.corpus_folder import find_corpus_folder
from preprocessing.features.feature_settings import FeatureSettings
from xval.base.config_file import default_folder
from xval.base.errors import SettingsError
from xval.base.keras_backends import installed_backends
from xval.experiment.declare import Experiment
from xval.experiment.refit_plan import refuse_what_needs_folds
from xval.experiment.results import Results
from xval.experiment.run import results_folder
from xval.jobs.other_script import OF_ANY_SCRIPT
from xval.results.identity import JobIdentity
from xval.results.open import open_results
from xval.settings.resolve import Declaration, resolve
from xval.settings.schema import EXPERIMENT_KEYS

_MOST_NAMED = 4
_LONGEST_NAME = 80

_ARGUMENTS = ("item_pattern", "labels", "classes", "path", "item", "label", "similar_names", "dataset", "gpu", "refit", "quiet")


@overload
def cross_validate(
    source: str | Path | Sequence[str | Path] | pd.DataFrame,
    *,
    item_pattern: str | None = None,
    labels: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    path: str | None = None,
    item: str | None = None,
    label: str | None = None,
    similar_names: Literal["one", "several"] | None = None,
    dataset: str | None = None,
    gpu: int | str | None = None,
    refit: Literal[True] = True,
    quiet: bool = False,
    **parameters: object,
) -> tuple[Results, Path]: ...


@overload
def cross_validate(
    source: str | Path | Sequence[str | Path] | pd.DataFrame,
    *,
    item_pattern: str | None = None,
    labels: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    path: str | None = None,
    item: str | None = None,
    label: str | None = None,
    similar_names: Literal["one", "several"] | None = None,
    dataset: str | None = None,
    gpu: int | str | None = None,
    refit: bool,
    quiet: bool = False,
    **parameters: object,
) -> tuple[Results, Path | None]: ...


def cross_validate(
    source: str | Path | Sequence[str | Path] | pd.DataFrame,
    *,
    item_pattern: str | None = None,
    labels: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    path: str | None = None,
    item: str | None = None,
    label: str | None = None,
    similar_names: Literal["one", "several"] | None = None,
    dataset: str | None = None,
    gpu: int | str | None = None,
    refit: bool = True,
    quiet: bool = False,
    **parameters: object,
) -> tuple[Results, Path | None]:
    """Prepare a corpus, cross-validate a network on it, and train a final model on all items.

    A further call with other parameters adds an instance, which `Results.compare` compares with the earlier ones; a call with
    the same parameters does not train again. The instances share their folds: other fold parameters (`num_folds`,
    `fold_strategy`) need another `num_experiment`.

    Args:
        source: A folder with a folder for each class; a list of such class folders; a table of clips, or a DataFrame; see
            `preprocessing.prepare`. Or the name of a prepared corpus.
        item_pattern: For folders, a regular expression that finds the speaker (or another item that must not be on two sides of
            a split) in the path of a file. None: folds are a random split over files.
        labels: For a list of folders, the class of each; None: their names.
        classes: Keep only the clips of these classes; None: all.
        path: For tables, the column of the audio files; None: path.
        item: For tables, the column of the speaker, or of another item that must not be on two sides of a split; None: item.
        label: For tables, the column of the class, or of the number; None: label.
        similar_names: Whether speakers, or classes, that differ only in notation (1 and 01, spk_1 and spk-1) are one or
            several; None: an error.
        dataset: Name of the corpus; None: made from the names of the folders (or their labels) and of the chosen classes, or
            the name of the table. Required for a DataFrame.
        gpu: A GPU, or ``cpu``; None: the device in config.ini.
        refit: Train the final model. False: only the folds; `Results.refit` trains it later.
        quiet: Print nothing.
        **parameters: Any key of config.ini, features included, such as `architecture`, `num_folds`, `num_epochs`, `n_mels`; and
            any option of the architecture.

    Returns:
        The results, including those of earlier calls; and the path of the final model, a .keras file, None without `refit`. No
        data are left to test it: the scores of the folds estimate its performance.

    Raises:
        UsageError: Anything that you can fix; nothing has been trained.
        JobError: The training failed.

    Example:
        >>> results, model = xval.cross_validate("recordings", item_pattern="([^/_]+)_[0-9]+[.]wav", architecture="cnn_small")
        >>> results.scores
        >>> xval.load_model(model).predict("new.wav")
    """
    labels, classes = (names.split(",") if isinstance(names, str) else names for names in (labels, classes))
    name = dataset
    if is_several_folders(source) or (isinstance(source, str | Path) and Path(source).is_dir()):
        folders = [source] if isinstance(source, str | Path) else source
        name = dataset or "_".join([name_of(labels or folders), *([name_of(classes)] if classes else [])])
        name += "" if dataset or item_pattern else "_random_split"
    shared = {key: value for key, value in parameters.items() if key in EXPERIMENT_KEYS}
    own = {key: value for key, value in parameters.items() if key not in EXPERIMENT_KEYS}
    if gpu is not None:
        shared["gpu_ID"] = str(gpu)
    # Before the audio is read: what is wrong with the parameters is said at once.
    try:
        resolve(_declare(name or "corpus", shared, {1: own}))
    except SettingsError as error:
        for key in own:
            if f"unknown parameter '{key}'" in str(error) and (near := get_close_matches(key, _ARGUMENTS, 1, 0.8)):
                raise SettingsError(f"cross_validate(): unknown argument '{key}'. Did you mean '{near[0]}'?") from error
        raise
    data_folder = _text(shared.get("data_folder"))
    options = {"item_pattern": item_pattern, "labels": labels, "classes": classes, SIMILAR_NAMES: similar_names}
    options |= {"path": path, "item": item, "label": label}
    reader_options: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    corpus = open_prepared(str(source), data_folder) if isinstance(source, str | Path) and not Path(source).exists() else None
    if corpus is not None:
        if given := sorted([*reader_options, *(["dataset"] if dataset else [])]):
            raise SettingsError(f"{given[0]}: has no effect on '{source}', which is already prepared. Remove it.")
        shared = {"task_type": corpus.task_type, **shared, "dataset": corpus.dataset}
    else:
        store = prepare(
            source,
            dataset=name,
            data_folder=data_folder,
            task_type=_text(shared.get("task_type")),
            settings={key: value for key, value in parameters.items() if key in FeatureSettings.model_fields},
            quiet=quiet,
            **reader_options,
        )
        shared |= {"dataset": store.folder.parent.parent.name, "task_type": store.task_type}
    number = choose_number(shared, own, refit=refit)
    experiment = Experiment(OF_ANY_SCRIPT, **shared)
    experiment[number] = own
    results = experiment.run(quiet=quiet)
    return results, results.refit(number, quiet=quiet) if refit else None


def name_of(sources: Sequence[str | Path]) -> str:
    """Return the default name of a dataset of folders or of a table."""
    names = [path.stem if path.is_file() else path.resolve().name for path in map(Path, sources)]
    more = len(names) - _MOST_NAMED
    joined = "_".join([*names[:_MOST_NAMED], *([f"{more}_more"] if more > 0 else [])])
    return re.sub(r"[^\w-]+", "_", joined)[: _LONGEST_NAME if len(names) > 1 else None]


def open_prepared(name: str, data_folder: str | None = None) -> Corpus | None:
    """Return the prepared corpus with this name; None: there is none."""
    folder = default_folder("data_folder") if data_folder is None else Path(data_folder)
    is_prepared = len(Path(name).parts) == 1 and (find_corpus_folder(name, folder) / INDEX_NAME).is_file()
    return open_corpus(name, folder) if is_prepared else None


def _declare(dataset: str, shared: Mapping[str, object], instances: dict[int, dict[str, object]]) -> Declaration:
    parameters = {"dataset": dataset, **shared}
    return Declaration("cross_validate", "", OF_ANY_SCRIPT, parameters, instances)


def choose_number(shared: Mapping[str, object], own: dict[str, object], *, refit: bool) -> int:
    """Return the number of the instance that has these parameters already, or the next one.

    With `refit`, raises an error if no final model can be trained.
    """
    declaration = _declare(str(shared["dataset"]), shared, {1: own})
    (instance,) = resolve(declaration)
    if refit:
        refuse_what_needs_folds(instance)
    folder = results_folder(instance.settings)
    numbers = folder.instances()
    hashes = {number: (folder.settings(number) or {}).get("settings_hash") for number in numbers}
    on_backends = (resolve(replace(declaration, backends={1: name}))[0] for name in installed_backends())  # where it is auto
    wanted = {resolved.settings_hash for resolved in (instance, *on_backends)}
    matching_numbers = [number for number, settings_hash in hashes.items() if settings_hash in wanted]
    records = {number: open_results(folder).done(folder.jobs(number)).values() for number in matching_numbers}
    matching_numbers = [
        number
        for number, done in records.items()
        if not any(JobIdentity(user_code=instance.own_code).changes(record) for record in done)
    ]
    return matching_numbers[0] if matching_numbers else max(numbers, default=0) + 1


def _text(value: object) -> str | None:
    return None if value is None else str(value)
