"""Find the folder of a dataset, its index, and the command that makes it."""

import re
from pathlib import Path

from preprocessing import corpora
from preprocessing.clips.index_file import INDEX_NAME, move_audio
from xval.base.errors import CorpusError, ResultsError, suggestion
from xval.base.json_files import read_json, write_if_changed

_FORMER_NAME = "former_names.json"  # in the folder of a corpus that was renamed


def corpus_folder(dataset: str, data_folder: Path) -> Path:
    """Return data/<dataset>, where a corpus of this name is made."""
    if not re.fullmatch(r"(?!\.)[^/\\:*?\"<>|\x00-\x1f]{1,100}", dataset):
        raise CorpusError(
            f"Dataset name {dataset!r}: a folder below {data_folder} gets this name; expected 1 to 100 letters, digits, '_', "
            "'-', '.' or spaces, and no dot at the beginning. Give another name with --dataset."
        )
    return Path(data_folder) / dataset


def find_corpus_folder(dataset: str, data_folder: Path) -> Path:
    """Return the folder of the corpus that has a name or, where none has it, had it before; else data/<dataset>."""
    folder = corpus_folder(dataset, data_folder)
    if (folder / INDEX_NAME).exists():
        return folder
    notes = sorted(Path(data_folder).glob(f"*/{_FORMER_NAME}"))
    return next((note.parent for note in notes if dataset in names_of(note.parent)), folder)


def names_of(folder: Path) -> tuple[str, ...]:
    """Return the name of the corpus in a folder, and those that it had before."""
    try:
        former = (read_json(folder / _FORMER_NAME) or {}).get("names", [])
    except ResultsError as error:
        raise CorpusError(f"{error} It stores the former names of this dataset.") from error
    return (folder.name, *map(str, former))


def rename_corpus(old: str, new: str, data_folder: Path) -> Path:
    """Give a corpus another name, under which it is found from now on as well as under the old one; return its folder."""
    path = index_path(old, data_folder)
    target = corpus_folder(new, data_folder)
    if target.exists():
        raise CorpusError(f"{target}: already exists. Choose another name.")
    write_if_changed(path.parent / _FORMER_NAME, {"names": sorted({*names_of(path.parent), old})})
    path.parent.rename(target)
    move_audio(target / INDEX_NAME, path.parent.resolve(), target.resolve())
    return target


def index_path(dataset: str, data_folder: Path) -> Path:
    """Return the path of an index that exists."""
    path = find_corpus_folder(dataset, data_folder) / INDEX_NAME
    if path.is_file():
        return path
    if path.exists():
        raise CorpusError(f"{path}: not a regular file. Move it away and prepare the dataset again: {command_to_make(dataset)}")
    if path.parent.is_dir():
        raise CorpusError(
            f"{path} is missing: preprocessing did not finish, or the file was removed. Prepare it again: "
            f"{command_to_make(dataset)}"
        )
    available = [index.parent.name for index in Path(data_folder).glob(f"*/{INDEX_NAME}")]
    known = suggestion(dataset, available) if available else "There are no datasets yet."
    raise CorpusError(
        f"There is no dataset '{dataset}' in data_folder={path.parents[1].resolve()}. {known} Prepare it: "
        f"{command_to_make(dataset)}"
    )


def command_to_make(dataset: str) -> str:
    """Return the command that makes a corpus, as far as its name tells."""
    names = corpora.corpus_names()
    if dataset not in names:
        return f"xval prepare CORPUS ... --dataset {dataset}  (CORPUS --help; one of {', '.join(names)})"
    reader = corpora.find_corpus(dataset)
    options = {option.name: option.default for option in reader.options}
    is_default = not any(option.is_required for option in reader.options) and reader.default_dataset(**options) == dataset
    return reader.usage + ("" if is_default else f" --dataset {dataset}")
