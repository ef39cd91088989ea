"""Load a dataset of Hugging Face so that no files outside of its folder are read.

A dataset may name files in its own folder, and archives that the library has unpacked; a dataset in the cache may name files
that the library has downloaded and made for it. Links are resolved before this is checked. A loading script never runs: the
library supports none since its version 4.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from preprocessing.clips.boundary import Boundary
from preprocessing.corpora._plain_yaml import parse_plain
from xval.base.errors import CorpusError, how_to_install
from xval.base.json_files import read_json
from xval.base.operating_system import read_regular

KINDS = ("arrow", "audiofolder", "cache", "csv", "json", "parquet", "webdataset")
"""The readers of the library whose files contain their data and no code; cache: files that one of these has written."""
_SPLIT = re.compile(r"\w[\w.-]*")
_OTHER_PLACE = re.compile(r"://|::")
"""Part of an address, or of the name of a file in an archive."""


def load_splits(source: str, config: str) -> tuple[dict[str, Any], Boundary]:
    """Return the splits of a dataset by their names, without network access, and the folders in which their audio may be.

    Args:
        source: A folder that ``save_to_disk`` has written, a folder of files, or the name of a dataset in the cache.
        config: Name of the configuration; ``none``: the only one.

    Raises:
        CorpusError: The package datasets is not installed, there is no such dataset, or it names files elsewhere.
    """
    try:
        import datasets
    except ImportError as error:
        raise CorpusError(f"Datasets of Hugging Face need the package datasets: {how_to_install('huggingface')}.") from error
    folder = Path(source)
    was_saved = any((folder / name).is_file() for name in ("dataset_dict.json", "dataset_info.json"))
    try:
        with offline():
            if was_saved:
                _check_saved(folder)
                loaded = datasets.load_from_disk(source)
            else:
                loaded = _build(source, None if config == "none" else config)
    except CorpusError:
        raise
    except Exception as error:  # the library raises errors of many kinds, depending on the format
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorpusError(
            f"{source}: not the folder of a dataset, and not in the cache ({first}). Nothing is downloaded here. To download "
            f"it: python -c \"import datasets; datasets.load_dataset('{source}')\""
        ) from error
    parts = dict(loaded) if isinstance(loaded, dict) else {str(loaded.split or "train"): loaded}
    for name in parts:
        _check_split(name, source)
    return parts, _boundary(source)


def _boundary(source: str) -> Boundary:
    """Return the folders whose files a dataset may name."""
    from datasets import config
    from datasets.naming import camelcase_to_snakecase
    from huggingface_hub import constants

    fetched = (Path(config.DOWNLOADED_DATASETS_PATH), Path(config.EXTRACTED_DATASETS_PATH))
    if Path(source).is_dir():
        return Boundary(Path(source), fetched[1])
    *owner, name = source.split("/")
    made = Path(config.HF_DATASETS_CACHE) / "___".join([*owner, camelcase_to_snakecase(name)])
    return Boundary(made, Path(constants.HF_HUB_CACHE) / f"datasets--{source.replace('/', '--')}", *fetched)


def _check_split(name: str, where: object) -> None:
    """Raise CorpusError for the name of a split that could lead to another folder."""
    if not _SPLIT.fullmatch(name):
        raise CorpusError(f"{where} names a split {name!a}; expected letters, digits, '_', '-' and '.'.")


def _check_saved(folder: Path) -> None:
    """Raise CorpusError if splits or tables of a folder that ``save_to_disk`` has written are elsewhere."""
    boundary, parts = Boundary(folder), [folder]
    if not (folder / "state.json").is_file():
        names = (read_json(folder / "dataset_dict.json") or {})["splits"]
        for name in names:
            _check_split(name, folder / "dataset_dict.json")
        parts = [folder / name for name in names]
    for part in parts:
        for table in (read_json(part / "state.json") or {})["_data_files"]:
            _check_inside(
                boundary,
                str(part.absolute() / table["filename"]),
                f"{part / 'state.json'} names '{table['filename']}', which",
                folder,
            )


def _check_inside(boundary: Boundary, name: str, what: str, folder: Path) -> None:
    if boundary.find(name) is None:
        raise CorpusError(
            f"{what} is outside {folder} once links are followed. A dataset may only name files in its own folder."
        )


def _build(source: str, config: str | None) -> Any:
    """Return the splits of a folder of files, or of a dataset in the cache."""
    import datasets

    folder = Path(source)
    boundary = Boundary(folder)
    if folder.is_dir():
        for pattern in _patterns_of_card(folder):
            name = "/.." if _OTHER_PLACE.search(pattern) else pattern
            _check_inside(boundary, name, f"{folder}: its card names {pattern!r}, which", folder)
    builder = datasets.load_dataset_builder(source, config)
    modules = [kind.__module__.split(".") for kind in type(builder).__mro__]
    kind = next((parts[2] for parts in modules if parts[:2] == ["datasets", "packaged_modules"]), "unknown")
    if folder.is_dir():
        for files in (builder.config.data_files or {}).values():
            for file in files:
                _check_inside(boundary, str(file), f"{folder}: {file}", folder)
    if kind not in KINDS:
        raise CorpusError(f"{source}: files of the kind {kind} are not supported; expected {', '.join(KINDS)}.")
    builder.download_and_prepare()
    return builder.as_dataset()


def _patterns_of_card(folder: Path) -> Iterator[str]:
    """Yield the names and patterns of files in the card of a folder, which the library would follow to any place."""
    from datasets import config
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    if (card := folder / config.REPOCARD_FILENAME).is_file():
        text = read_regular(card).decode()
        if block := REGEX_YAML_BLOCK.search(text):
            lines_before = "\n" * text[: block.start(2)].count("\n")  # so that errors name the line in the file
            yield from _patterns(parse_plain(lines_before + block[2], card))
    if (settings := folder / config.REPOYAML_FILENAME).is_file():
        yield from _patterns(parse_plain(read_regular(settings).decode(), settings))


def _patterns(card: object) -> Iterator[str]:
    """Yield the values of data_files and data_dir of all configurations in a card."""
    for entry in (card.get("configs") or ()) if isinstance(card, Mapping) else ():
        for name in ("data_files", "data_dir") if isinstance(entry, Mapping) else ():
            yield from _texts(entry.get(name))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name != "split":
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


@contextmanager
def offline() -> Iterator[None]:
    """Prevent network access of the library within this block; its environment variables work only before its import."""
    import datasets
    from huggingface_hub import constants

    switches: tuple[Any, ...] = (constants, datasets.config)
    before = [switch.HF_HUB_OFFLINE for switch in switches]
    for switch in switches:
        switch.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for switch, was_offline in zip(switches, before, strict=True):
            switch.HF_HUB_OFFLINE = was_offline
