"""From Python: from class folders, a table, a DataFrame, arrays or a corpus with a reader to data/<dataset>/ and its store."""

import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, TypeGuard, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from preprocessing import corpora
from preprocessing.clips.label_sets import MULTI_LABEL, cell_of, refuse_missing_names
from preprocessing.clips.listing import ASK, KEEP, ONE, OVERLAPS, SEVERAL, SHARED_FILES, SIMILAR_NAMES
from preprocessing.commands.command_line import CorpusChoice, read_corpus_choice
from preprocessing.commands.corpus_features import make_features
from preprocessing.console import make_console
from preprocessing.corpora._layout import split_names
from preprocessing.corpora._reading import RowOptions, read_missing
from preprocessing.corpora._tables import MISSING, MISSING_OPTION
from preprocessing.corpus_folder import corpus_folder
from preprocessing.parallel import reading_processes
from preprocessing.store import FeatureStore, write
from preprocessing.store.arrays import refuse_missing
from xval.base.config_file import default_folder
from xval.base.csv_text import guarded
from xval.base.errors import CorpusError, SettingsError, suggestion

_ARRAY_FILES = (".npy", ".npz")


def prepare(
    source: str | Path | Sequence[str | Path] | pd.DataFrame | Mapping[str, ArrayLike] | ArrayLike | None = None,
    targets: "Mapping[str, ArrayLike] | ArrayLike | None" = None,
    items: ArrayLike | None = None,
    *,
    corpus: str | None = None,
    dataset: str | None = None,
    audio_folder: str | Path | None = None,
    data_folder: str | Path | None = None,
    task_type: str | None = None,
    settings: Mapping[str, object] | None = None,
    speech_table: str | Path | None = None,
    download: bool = False,
    workers: int | None = None,
    quiet: bool = False,
    **options: object,
) -> FeatureStore:
    """Make the index and the feature store of a corpus; a corpus of this name is replaced.

    Args:
        source: A folder, whose folders are the classes unless `corpus` says otherwise; a list of folders, each of which is a
            class; a table of clips (csv, xlsx, parquet, json) or a DataFrame with the columns of one: path, item, label; or
            predictors, numbers (n_examples, ...), as one array or for each item.
        targets: Of predictors: (n_examples,) or, for regression, also (n_examples, n_outputs); for each item if they are; None
            for representation. Of frames, and of several labels, see `preprocessing.store.write`.
        items: Of predictors in one array: what each example belongs to (speaker, session), (n_examples,). No item is on two
            sides of a split.
        corpus: Name of a reader, as ``xval prepare NAME``; None: ``folders`` or ``table``.
        dataset: Its name in experiments; None: as the reader names it. A DataFrame and arrays need one.
        audio_folder: What the paths of a table are relative to; None: the folder of the table, for a DataFrame the current one.
        data_folder: Folder of all corpora; None: that of config.ini.
        task_type: What the labels are for; None: classification, or as the reader's options say.
        settings: Feature settings over config.ini, such as ``{"n_mels": 40}``.
        speech_table: A table with a line per word or phoneme (path, start_s, end_s), to which clips are cut; None: they stay
            whole.
        download: Fetch the corpus into its audio folder first.
        workers: Processes that read audio; None: one for each core.
        quiet: Print nothing.
        **options: Of the reader, such as ``item_pattern`` of folders; and ``classes``, the only ones whose clips are kept. A
            list stands for names with commas: ``labels=["low", "high"]``; a dict for pairs: ``map_labels={"happy": "joy"}``.
            ``similar_names``: whether items, or classes, that differ only in notation are ``"one"`` or ``"several"`` (default:
            an error); ``overlaps="keep"``: clips of one file may overlap.

    Returns:
        The feature store, at data_folder/dataset/features/<key>.

    Raises:
        SettingsError: An argument is unknown, missing or wrong.
        CorpusError: The corpus or the arrays cannot be used; see the reader, and `preprocessing.store.write`.
    """
    _refuse_wrong_types(source, targets, items, corpus=corpus, dataset=dataset, settings=settings, workers=workers)
    place = default_folder("data_folder") if data_folder is None else Path(data_folder)
    if isinstance(source, Mapping) or targets is not None or items is not None:
        names = ("settings", "corpus", "speech_table", "audio_folder", "download")
        given = zip(names, (settings, corpus, speech_table, audio_folder, download), strict=True)
        if without_meaning := [*options, *(name for name, value in given if value)]:
            raise SettingsError(f"{without_meaning[0]}: has no effect on arrays, which are already features. Remove it.")
        return _write_arrays(source, targets, items, _named(dataset, "arrays"), place, task_type or "classification")

    overrides = [f"{name}={'none' if value is None else value}" for name, value in (settings or {}).items()]
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(source, pd.DataFrame):
            dataset = _named(dataset, "a DataFrame")
            audio_folder = Path.cwd() if audio_folder is None else audio_folder
            corpus_folder(dataset, place)  # which refuses a name that is none of a file
            table = Path(folder) / f"{dataset}.csv"
            _refuse_missing_cells(source, task_type, options)
            if task_type == MULTI_LABEL:
                labels = set(split_names(str(options.get("label", "label")))).intersection(source.columns)
                source = source.assign(**{name: source[name].map(cell_of) for name in labels})
            guarded(source).to_csv(table, index=False)
            if corpus in (None, "table"):
                options["quoting"] = "minimal"  # as pandas writes it
            source = table
        if not isinstance(source, str | Path | None) and not is_several_folders(source):
            raise SettingsError(
                "targets: received predictors without targets. Give targets too."
                if not isinstance(source, list | tuple) or (source and not any(isinstance(part, str | Path) for part in source))
                else f"Folders: received {list(source)!r:.200}; expected a list of paths, the folder of each class."
            )
        table_of_words = None if speech_table is None else Path(speech_table)
        chosen = choose_corpus(source, corpus, dataset, audio_folder, place, task_type, table_of_words, options)
        console = make_console()
        console.quiet = quiet
        n_processes = reading_processes(workers)
        return make_features(chosen, overrides, console, download_first=download, n_processes=n_processes, says_next=False)


def _refuse_wrong_types(source: object, targets: object, items: object, **options: object) -> None:
    """Refuse the path of an array, which is not loaded here, and options of another type than they have."""
    for name, value in {"source": source, "targets": targets, "items": items}.items():
        if isinstance(value, str | Path) and Path(value).suffix.lower() in _ARRAY_FILES:
            raise SettingsError(
                f"prepare(): {name}: received the path {str(value)!r}; arrays are not read from files. Load it first, as with "
                f"numpy.load({str(value)!r}), and give predictors, targets and items as arrays."
            )
        if name != "source" and isinstance(value, str | Path):
            raise SettingsError(
                f"prepare(): {name}: received {str(value)!r}; expected an array, with a value for each example."
            )
    if isinstance(source, bytes | int | float):
        raise SettingsError(f"prepare(): source: received {source!r}; expected a folder, a table, a DataFrame or arrays.")
    for name in ("corpus", "dataset"):
        if not isinstance(options[name], str | None):
            raise SettingsError(f"prepare(): {name}: received {options[name]!r:.80}; expected a name, such as 'my_{name}'.")
    if not isinstance(options["settings"], Mapping | None):
        raise SettingsError(
            f"prepare(): settings: received {options['settings']!r:.80}; expected a dict, such as {{'n_mels': 40}}."
        )
    workers = options["workers"]
    if workers is not None and (not isinstance(workers, Integral) or isinstance(workers, bool) or workers < 1):
        raise SettingsError(f"prepare(): workers: received {workers!r:.80}; expected a whole number from 1.")


def rows_from_python(**values: object) -> RowOptions:
    """Return what a user says of the rows of a table; None: as without the option."""
    given = {name: _as_text(name, value) for name, value in values.items() if value is not None}
    return corpora.rows_of(
        {option.name: option.parse(given[option.name]) for option in corpora.row_options() if option.name in given}
    )


def is_several_folders(source: object) -> TypeGuard[Sequence[str | Path]]:
    """Return whether these are folders, not arrays."""
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(part, str | Path) for part in source)


def choose_corpus(
    source: str | Path | Sequence[str | Path] | None,
    corpus: str | None,
    dataset: str | None,
    audio_folder: str | Path | None,
    data_folder: Path,
    task_type: str | None,
    speech_table: Path | None,
    options: Mapping[str, object],
) -> CorpusChoice:
    """Return which corpus is meant, as a command line would name it; arguments and errors are those of `prepare`."""
    places_given = [] if source is None else [source] if isinstance(source, str | Path) else list(source)
    folders = [Path(folder) for folder in places_given] if len(places_given) > 1 else []
    path = Path(places_given[0]) if len(places_given) == 1 else None
    if path is not None and not path.exists():
        raise CorpusError(f"{path}: there is no such folder or table.{_advise(str(path))}")
    if corpus is None and path is None and not folders:
        raise SettingsError("source: expected a folder, a table, a DataFrame or arrays, or the name of a corpus.")
    reader = corpora.find_corpus(corpus or ("folders" if folders or (path is not None and path.is_dir()) else "table"))
    if folders and not reader.takes_several_folders:
        raise SettingsError(f"corpus '{reader.name}': reads one folder or table; received {len(folders)}.")
    known = {option.name: option for option in reader.options}
    given = dict(options)
    if path is not None and path.is_file() and "table" in known:
        given.setdefault("table", path)
    elif path is not None:
        audio_folder = path
    if task_type is not None and "task_type" in known:
        given["task_type"] = task_type
    classes = given.pop("classes", ()) if "classes" not in known else ()
    questions: dict[str, tuple[str, ...]] = {SIMILAR_NAMES: (ASK, ONE, SEVERAL)}
    if not reader.has_recordings:
        questions |= {OVERLAPS: (ASK, KEEP), SHARED_FILES: (ASK, KEEP)}
    answers = {
        f"answer_{name.removeprefix('similar_')}": _answer(name, given.pop(name), allowed)
        for name, allowed in questions.items()
        if name in given and name not in known
    }
    for name in given:
        if name not in known:
            raise SettingsError(f"corpus '{reader.name}': unknown option '{name}'. {suggestion(name, known)}")
    for name, option in known.items():
        if option.is_required and name not in given:
            raise SettingsError(f"corpus '{reader.name}': option '{name}' is missing: {option.help}")
        given[name] = option.parse(_as_text(name, given[name])) if name in given else option.default
    if audio_folder is None and not folders and not reader.has_default_audio_folder:
        raise SettingsError(f"corpus '{reader.name}': source is missing. Give the folder of its audio.")
    is_framewise = task_type == "frame_classification" and reader.has_recordings
    found_type = "frame_classification" if is_framewise else reader.task_type(**given)
    if task_type not in (None, found_type):
        raise SettingsError(
            f"task_type: received '{task_type}', but with these options the task of corpus '{reader.name}' is {found_type}."
        )
    kept = tuple(split_names(classes) if isinstance(classes, str) else map(str, cast("Sequence[object]", classes)))
    place = folders or (None if audio_folder is None else Path(audio_folder))
    places = {"audio_folder": place, "data_folder": data_folder, "kept_classes": kept, **answers}
    values = Namespace(**{"task_type": found_type, **given}, dataset=dataset, speech_table=speech_table, **places)
    return read_corpus_choice(values, reader)


def _answer(option: str, value: object, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise SettingsError(f"{option}: received {value!r}. {suggestion(str(value), allowed)}")
    return str(value)


def _as_text(option: str, value: object) -> str:
    """Return a value of Python as a command line has it; names in a list are joined by commas."""
    if isinstance(value, Mapping):
        value = [f"{old}={new}" for old, new in value.items()]
    if not isinstance(value, list | tuple):
        return str(value)
    if with_comma := [name for name in map(str, value) if "," in name]:
        raise SettingsError(f"{option}: received {with_comma[0]!r}; expected a name without commas.")
    return ",".join(map(str, value))


def _advise(name: str) -> str:
    """Return what to do where the name of a known corpus was given in place of its folder; empty: it is none."""
    if name not in corpora.corpus_names():
        return ""
    return f" '{name}' is a known corpus that has not been prepared. Prepare it first: {corpora.find_corpus(name).usage}"


def _named(dataset: str | None, what: str) -> str:
    if dataset is None:
        raise SettingsError(f"dataset is missing. Give {what} a name for experiments: dataset='my_dataset'.")
    return dataset


def _refuse_missing_cells(frame: pd.DataFrame, task_type: str | None, options: Mapping[str, object]) -> None:
    """Refuse a row of a DataFrame without item or label by its number, which its table would call a line."""
    columns = ["item"] if task_type in (MULTI_LABEL, "representation", "frame_classification") else ["item", "label"]
    texts = read_missing(_as_text("missing", options.get("missing", MISSING_OPTION)))
    if any(options.get(name) for name in ("map_labels", "where", "drop_bad_rows")):
        return  # with which the reader of the table decides
    for column in columns:
        if column in frame and column not in options:
            refuse_missing(frame[column], "DataFrame: row", column, texts=texts, keep='give missing="none"')
    if task_type == MULTI_LABEL and "label" in frame and "label" not in options:
        refuse_missing_names(frame["label"], lambda row: f"DataFrame: row {row}")


def _write_arrays(
    predictors: Any, targets: Any, items: ArrayLike | None, dataset: str, data_folder: Path, task_type: str
) -> FeatureStore:
    """Write predictors and targets, by item or as arrays with an item for each example."""
    is_by_item = isinstance(predictors, Mapping)
    if is_by_item != (items is None) or (targets is not None and is_by_item != isinstance(targets, Mapping)):
        raise SettingsError(
            "Arrays: predictors, targets and items do not match in form. Give two dicts (predictors and targets of each "
            "item), or two arrays and items (the item of each example)."
        )
    if items is not None:
        refuse_missing(items, "Arrays: example", "item", texts=MISSING, keep="change its spelling")
        refuse_missing(targets, "Arrays: example", "label", task_type)
        names = np.asarray(items).astype(str)
        x, y = np.asarray(predictors), None if targets is None else np.asarray(targets)
        n_targets = len(x) if y is None else len(y)
        if names.ndim != 1 or not len(x) == n_targets == len(names):
            raise CorpusError(
                f"Arrays: received {len(x)} predictors, {n_targets} targets and items of shape {names.shape}; expected one "
                "target and one item for each."
            )
        chosen = {str(name): names == name for name in np.unique(names)}
        predictors = {name: x[rows] for name, rows in chosen.items()}
        targets = None if y is None else {name: y[rows] for name, rows in chosen.items()}
    return write(
        dataset,
        cast("Mapping[str, ArrayLike]", predictors),
        cast("Mapping[str, ArrayLike] | None", targets),
        data_folder=data_folder,
        task_type=task_type,
    )
