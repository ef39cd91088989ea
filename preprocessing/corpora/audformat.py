"""Any dataset in audformat, the format of the databases that audb publishes: emodb, crema-d, iemocap, msp-podcast and others.

Layout: ``db.yaml`` next to its tables ``db.{table}.csv`` (or parquet) and the audio, as ``audb.load(..., full_path=False)``
or ``db.save`` stores it. Label and item can be columns of tables, or fields that a scheme has for their values (of a speaker:
gender, age). Tables of the splits train, dev and test give the phases training, validation and test. Each segment becomes a
clip. Pickled tables (``db.{table}.pkl``) are never opened. Tags in db.yaml and files outside the folder raise an error.
Source and licence: those of the database, in db.yaml; of the format https://audeering.github.io/audformat/.
Needs the package audformat: pip install -e '.[audformat]'
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from preprocessing.clips.boundary import Boundary
from preprocessing.clips.listing import KEEP, OVERLAPS, AudioFiles
from preprocessing.corpora._audformat_files import load_database
from preprocessing.corpora._layout import clip_table, refuse_unknown, split_names
from preprocessing.corpora._tables import refuse_measurements
from xval.base.errors import CorpusError, verb_of
from xval.base.operating_system import quote

if TYPE_CHECKING:
    import pandas as pd

_PHASES = {"train": "training", "dev": "validation", "test": "test"}


class _Source(NamedTuple):
    """The source of a fact: a column of a table, or a field that the scheme of the column has for its values."""

    table: str
    column: str
    field: str | None


def list_clips(
    audio_folder: Path,
    *,
    label: str = "auto",
    item: str = "speaker",
    table: str = "all",
    task_type: Literal["auto", "classification", "regression"] = "auto",
) -> "pd.DataFrame":
    """List the files or segments that have a label.

    Args:
        audio_folder: The folder of db.yaml.
        label: A column, or a field of a scheme's labels (gender of speaker), or several with commas: names are joined, numbers
            become several targets; auto: the only column other than the item.
        item: The column or field that folds keep together, such as the speaker; file: each file is an item, a random split.
        table: The table with the label, or several with commas; all: every table that has it.
        task_type: classification or regression; auto: classification, but xval asks about numbers.

    Returns:
        path, item, label (or several), start_s, end_s, phase, sorted by path. ``attrs["note"]`` says how many files or segments
        have no label.
    """
    database, not_opened = load_database(audio_folder)
    _refuse_other_folders(database, audio_folder)
    known = _find_sources(database)
    names = _choose_labels(known, label, item)
    tables = list(database.tables) if table == "all" else split_names(table)
    refuse_unknown("table", tables, database.tables, f"{audio_folder}: there is no such table.")
    if table == "all":
        _refuse_files_and_segments(database, known, names)
    values = {name: _values(database, known, name, tables) for name in names}
    by_clip, by_file = _item_values(database, known, item)
    keys = sorted(
        set.union(*(set(label_values) for label_values in values.values())), key=lambda key: (key[0], key[1], str(key[2]))
    )
    phases = _phases(database, tables, known, names)
    find = AudioFiles(audio_folder).find
    rows: list[dict[str, Any]] = []
    n_unlabelled = 0
    for key in keys:
        row = {name: label_values.get(key) for name, label_values in values.items()}
        if any(value is None for value in row.values()):
            n_unlabelled += 1
            continue
        file, start_s, end_s = key
        item_value = file if item == "file" else by_clip.get(key, by_file.get(file))
        rows.append({"path": find(file), item: item_value, **row, "start_s": start_s, "end_s": end_s, "phase": phases.get(key)})
    clips = _finish(rows, audio_folder, names, item, task_type, n_unlabelled)
    clips.attrs["note"] = "; ".join(filter(None, [clips.attrs["note"], *not_opened]))
    return clips


def _refuse_other_folders(database: Any, folder: Path) -> None:
    """Raise CorpusError for audio outside of the folder of the database, whose tables may come from somebody else."""
    boundary = Boundary(folder)
    for name, table in database.tables.items():
        for file in table.files:
            if boundary.find(str(file)) is None:
                raise CorpusError(
                    f"{folder}, table {name}: {str(file)!r} is outside {folder} once links are followed. A database may only "
                    "name files in its own folder: put the audio there. For clips anywhere: xval prepare table"
                )


def _find_sources(database: Any) -> dict[str, list[_Source]]:
    """Return the sources of each fact by its name; a column has priority over a field of the same name."""
    columns: dict[str, list[_Source]] = {}
    fields: dict[str, list[_Source]] = {}
    for table_name, table in database.tables.items():
        for name, column in table.columns.items():
            columns.setdefault(name, []).append(_Source(table_name, name, None))
            labels = None if column.scheme_id is None else database.schemes[column.scheme_id].labels
            if isinstance(labels, str):
                named = set(database.misc_tables[labels].columns)
            else:
                described = labels.values() if isinstance(labels, dict) else ()
                named = {field for entry in described if isinstance(entry, dict) for field in entry}
            for field in named:
                fields.setdefault(field, []).append(_Source(table_name, name, field))
    return fields | columns


def _refuse_files_and_segments(database: Any, known: dict[str, list[_Source]], names: list[str]) -> None:
    """Raise CorpusError if a table has labels of files and another one has labels of segments of the same files."""
    labelled: dict[str, set[str]] = {}
    for source in (source for name in names for source in known[name]):
        table_files = {key[0] for key, value in _read(database, source) if value is not None}
        labelled.setdefault(source.table, set()).update(table_files)
    segmented = [name for name in labelled if not database.tables[name].is_filewise]
    for whole in (name for name in labelled if name not in segmented):
        for part in segmented:
            if shared := labelled[whole] & labelled[part]:
                both = quote(f"{whole},{part}")
                raise CorpusError(
                    f"{','.join(names)} is in the table {whole}, of files, and in {part}, of segments: {min(shared)} would "
                    f"count twice ({len(shared)} such files). Give --table {quote(whole)} or --table {quote(part)}; for "
                    f"both, give --table {both} --{OVERLAPS} {KEEP}."
                )


def _choose_labels(known: dict[str, list[_Source]], label: str, item: str) -> list[str]:
    """Return the names of the labels; raise CorpusError for unknown ones."""
    refuse_unknown("item", [item], [*known, "file"], "the database has no such column.")
    names = split_names(label)
    if label == "auto":
        names = [name for name, sources in known.items() if name != item and any(source.field is None for source in sources)]
        if len(names) != 1:
            raise CorpusError(
                f"The database has {len(names)} columns in addition to the item. Choose the one to predict with --label. "
                f"Available: {', '.join(sorted(known))}."
            )
    refuse_unknown("label", names, known, "the database has no such column.")
    return names


_Key = tuple[str, float, float | None]
"""File, start and end in seconds; None: the end of the file."""


def _read(database: Any, source: _Source) -> Iterator[tuple[_Key, Any]]:
    """Yield the clips of a table and their values; None: a missing value."""
    import pandas as pd

    column = database.tables[source.table].columns[source.column].get(map=source.field, as_segmented=True)
    for (file, start, end), value in zip(column.index, column.tolist(), strict=True):
        key = (str(file), start.total_seconds(), None if pd.isna(end) else end.total_seconds())
        yield key, (None if pd.isna(value) else value)


def _values(database: Any, known: dict[str, list[_Source]], name: str, tables: list[str]) -> dict[_Key, Any]:
    """Return the value of a label by clip (None: missing); raise CorpusError if tables contradict each other."""
    labels: dict[_Key, Any] = {}
    sources = [source for source in known[name] if source.table in tables]
    if not sources:
        having = sorted({source.table for source in known[name]})
        raise CorpusError(f"--table {','.join(tables)}: there is no {name} in it. It is in {', '.join(having)}.")
    for source in sources:
        for key, value in _read(database, source):
            before = labels.get(key)
            if before is not None and value is not None and before != value:
                raise CorpusError(
                    f"{key[0]}: {name} is {before!r} in one table, but {value!r} in {source.table}. Choose with --table "
                    f"among {', '.join(source.table for source in sources)}."
                )
            labels[key] = before if value is None else value
    return labels


def _item_values(database: Any, known: dict[str, list[_Source]], item: str) -> tuple[dict[_Key, Any], dict[str, Any]]:
    """Return the item by clip, and, for files of which all clips have one item, by file."""
    by_clip: dict[_Key, Any] = {}
    items_by_file: dict[str, set[Any]] = {}
    for source in known.get(item, []) if item != "file" else []:
        for key, value in _read(database, source):
            if value is not None:
                by_clip[key] = value
                items_by_file.setdefault(key[0], set()).add(value)
    return by_clip, {file: next(iter(items)) for file, items in items_by_file.items() if len(items) == 1}


def _phases(database: Any, tables: list[str], known: dict[str, list[_Source]], names: list[str]) -> dict[_Key, str]:
    """Return the phases of the clips in tables of a split; raise CorpusError if a clip has two."""
    phases: dict[_Key, str] = {}
    for source in (source for name in names for source in known[name] if source.table in tables):
        split = database.tables[source.table].split_id
        phase = None if split is None else _PHASES.get(str(database.splits[split].type))
        for key, _ in _read(database, source) if phase else ():
            if phases.setdefault(key, phase or "") != phase:
                raise CorpusError(
                    f"{key[0]} is in the splits {phases[key]} and {phase} of several tables. Choose tables with --table."
                )
    return phases


def _finish(
    rows: list[dict[str, Any]], folder: Path, names: list[str], item: str, task: str, n_unlabelled: int
) -> "pd.DataFrame":
    """Return the table of clips with a note; raise CorpusError for numbers if the user has not chosen a task."""
    import pandas as pd

    if not rows:
        raise CorpusError(f"{folder}: none of its {n_unlabelled} files or segments has a value for {', '.join(names)}.")
    facts = pd.DataFrame(rows, dtype=object)
    if item in names:
        raise CorpusError(
            f"--item {item} --label {item}: every fold would test a label that was never trained on. Choose another item."
        )
    if facts[item].isna().any():
        lacking = facts.loc[facts[item].isna(), "path"]
        raise CorpusError(
            f"--item {item}: {len(lacking)} of {len(facts)} labelled files or segments {verb_of(len(lacking), 'have')} none, "
            f"such as {lacking.iloc[0]}. Choose another item. --item file makes every file an item, which is a random split."
        )
    numbers = [name for name in names if facts[name].map(lambda value: isinstance(value, float)).all()]
    if numbers and task == "auto":
        raise CorpusError(f"--label {','.join(names)}: the labels are numbers. To predict them, give --task-type regression.")
    targets = names if task == "regression" else ()
    clips = clip_table(facts, item=item, label=",".join(names), numbers=targets, keeps_others=False)
    if task == "auto":
        refuse_measurements(clips["label"].astype(str).tolist(), f"--label {','.join(names)}")
    clips.attrs["note"] = (
        f"{n_unlabelled} of {len(rows) + n_unlabelled} files or segments {verb_of(n_unlabelled, 'have')} no label"
        if n_unlabelled
        else ""
    )
    return clips
