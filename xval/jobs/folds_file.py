"""folds.json and phases.csv: the folds of an experiment, written before training and read as long as they are valid."""

import csv
from collections.abc import Mapping
from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path
from typing import Any

from preprocessing import corpus
from preprocessing.clips.columns import COLUMNS_NAME, with_columns
from preprocessing.corpus_folder import find_corpus_folder
from xval.base.code_hash import hash_code
from xval.base.csv_text import guard
from xval.base.errors import FoldsError
from xval.base.json_files import FORMAT_VERSION, read_json, write_atomically, write_if_changed
from xval.base.user_code.definitions import is_dotted
from xval.folds.own_splitter import hash_source
from xval.folds.plan import FoldPlan
from xval.folds.predefined import SIDES
from xval.folds.split import make_folds
from xval.results.folder import ExperimentFolder
from xval.results.read import read_folds
from xval.settings.schema import Settings

SPLITTER_CHANGES = {
    "splitter_source": "the code of the splitter has changed",
    "splitter_columns": "the extra columns of the dataset have changed",
}
"""The entries of folds.json on a user's splitter, which are hashes, and the meaning of a difference."""


def load_folds(folder: ExperimentFolder, settings: Settings) -> FoldPlan:
    """Return the folds of an experiment: those in its folder if they are still valid, or new ones; no file is written.

    Folds that were written for another task are assigned again; folds of a user's strategy also if its source code or the
    further columns of the corpus, which it may read, have changed.
    """
    dataset, data_folder = settings.dataset, Path(settings.data_folder)
    wanted = settings.fold_settings()
    fingerprint = corpus.fingerprint(dataset, data_folder)
    written = read_json(folder.folds_file)
    made_by = wanted.as_written(settings.task_type)
    is_own = is_dotted(wanted.fold_strategy)
    if is_own:
        made_by |= _identity(wanted.fold_strategy, find_corpus_folder(dataset, data_folder))
    known = (made_by, fingerprint)
    if written and (written.get("settings"), written.get("corpus_fingerprint")) == known:
        return read_folds(folder).plan
    opened = corpus.open_corpus(dataset, data_folder)
    if settings.task.corpus_type != opened.task_type and settings.task.needs_labels:
        raise FoldsError(
            f"dataset '{dataset}' was prepared for {opened.task_type}, but the experiment has task_type "
            f"{settings.task_type}. Set Experiment(task_type='{opened.task_type}'), give --set task_type={opened.task_type}, "
            f"or prepare the dataset with --task-type {settings.task_type}."
        )
    # Results stay those of their folds, also where this version would draw others.
    stays = written and (written.get("index_hash"), _decisive_parts(written)) == (
        opened.index_hash,
        _decisive_parts({"settings": made_by}),
    )
    folds = make_folds(
        with_columns(opened.index, opened.folder) if is_own else opened.index,
        opened.index_hash,
        task_type=settings.task_type,
        has_classes=settings.task.stratifies_classes,
        settings=wanted,
        earlier=read_folds(folder).plan.folds_by_repeat if stays else (),
    )
    return replace(folds, settings=made_by)


def write_folds(folder: ExperimentFolder, folds: FoldPlan, dataset: str, data_folder: Path) -> None:
    """Write folds.json before training, and phases.csv, which has the same content for people and other programs.

    phases.csv has a row per item and a column per fold: training, validation, test, or empty if the item is on no side.
    """
    fingerprint, written = corpus.fingerprint(dataset, data_folder), read_json(folder.folds_file) or {}
    is_known = written.get("corpus_fingerprint") == fingerprint  # a run with nothing to do opens no corpus
    corrections = written.get("corrections", {}) if is_known else corpus.open_corpus(dataset, data_folder).corrections
    content = {
        "format_version": FORMAT_VERSION,
        "hash": folds.hash,
        "index_hash": folds.index_hash,
        "corpus_fingerprint": fingerprint,
        **({"corrections": dict(corrections)} if corrections else {}),
        **({"deal_hashes": folds.repeat_hashes} if folds.n_fold_repeats > 1 else {}),
        "settings": dict(folds.settings),
        "folds": [asdict(fold) for fold in folds.folds],
    }
    write_if_changed(folder.folds_file, content)
    path, table = folder.path / "phases.csv", _phases(folds).encode()
    if not path.is_file() or path.stat().st_size != len(table) or path.read_bytes() != table:
        write_atomically(path, table)


def _decisive_parts(written: Mapping[str, Any]) -> dict[str, object]:
    """Return the settings of folds.json that each repeat depends on: all except the number of repeats."""
    return {name: value for name, value in written.get("settings", {}).items() if name != "fold_repeats"}


def _identity(strategy: str, folder: Path) -> dict[str, object]:
    """Return the hashes that the folds of a user's splitter depend on in addition to the settings and the index."""
    columns = {path.name: path for path in [folder / COLUMNS_NAME] if path.is_file()}
    return {"splitter_source": hash_source(strategy), "splitter_columns": hash_code(columns)}


def _phases(folds: FoldPlan) -> str:
    """Return the side of each item in each fold, as csv."""
    sides = [{item: side for side in SIDES for item in getattr(fold, side)} for fold in folds.folds]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["item", *(f"fold_{fold.number}" for fold in folds.folds)])
    writer.writerows([guard(item), *(fold_sides.get(item, "") for fold_sides in sides)] for item in sorted(set().union(*sides)))
    return text.getvalue()
