"""Prepare a dataset, write its experiment script, and run the steps of the script until the time is up."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console

from preprocessing import corpora, prepare
from preprocessing.audio.read import read_header
from preprocessing.clips.index_file import INDEX_NAME
from preprocessing.clips.listing import SIMILAR_NAMES, first_names
from preprocessing.clips.table import check_clips, class_names_of
from preprocessing.commands.command_line import CorpusChoice
from preprocessing.commands.prepare import choose_corpus
from preprocessing.corpus import Corpus, open_corpus
from xval.base.config_file import default_folder, experiments_folder
from xval.base.errors import AudioError, CorpusError, SettingsError, UsageError, suggestion
from xval.experiment.cross_validate import name_of, open_prepared
from xval.experiment.run import EndedRun, RunRequest, run_jobs
from xval.extras.quickstart.baseline_steps import MFCC, read_steps, window_settings, write_steps
from xval.extras.quickstart.time_limit import TimeLimit, time_limit
from xval.jobs.other_script import free_number
from xval.report.terminal import print_close
from xval.settings.resolve import Declaration

_N_RATES = 20
"""The sample rate of at least this many files is read before the dataset is prepared."""


@dataclass(frozen=True)
class StartRequest:
    """The options of `xval quickstart`.

    Attributes:
        sources: A folder of recordings, the folder of each class, a table of clips, or the name of a prepared dataset.
        minutes: The time limit in minutes; preparing the dataset counts, and is never interrupted.
        reader: The reader of the folder; None: the reader that recognises it, or else ``folders``.
        label_pattern: A regular expression that finds the class in the path of a file; None: the class is the folder's name.
        item_pattern: A regular expression that finds the speaker in the path of a file; None: the rule of the reader.
        labels: The class of each folder, separated by commas, if there are several folders; None: the names of the folders.
        classes: The classes to use, separated by commas; None: all.
        similar_names: Whether names that differ only in notation are ``one`` or ``several``; None: the user is asked.
        dataset: The name of the dataset; None: the name of the source.
        gpu: The number of a GPU, or ``cpu``; None: the value in config.ini.
    """

    sources: Sequence[str]
    minutes: float
    reader: str | None = None
    label_pattern: str | None = None
    item_pattern: str | None = None
    labels: str | None = None
    classes: str | None = None
    similar_names: str | None = None
    dataset: str | None = None
    gpu: str | None = None

    @property
    def source(self) -> str:
        """The first source; further sources are folders of classes."""
        return self.sources[0]

    @property
    def places(self) -> str | list[str]:
        """The source, or the list of the folders of the classes, as an argument of `preprocessing.prepare`."""
        return self.source if len(self.sources) == 1 else list(self.sources)

    @property
    def reading(self) -> dict[str, Any]:
        """The options for reading clips that the user has set, by their names."""
        names = ("label_pattern", "item_pattern", "labels", "classes", SIMILAR_NAMES)
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def start(request: StartRequest, console: Console) -> int:
    """Prepare the dataset and write the script, if they do not exist yet, and run the steps of the script.

    Returns:
        The exit code: 0; 1 if a step failed, or no step was finished in a time limit of more than 0 minutes.

    Raises:
        UsageError: The source cannot be used. This is raised before anything is trained.
    """
    began = time.monotonic()
    corpus = _prepare(request, console)
    script = _script(corpus.dataset)
    if script.exists():
        console.print(f"Script     {script}, unchanged")
    else:
        results = Path(default_folder("experiment_folder"), corpus.dataset, "experiment_1")
        write_steps(script, corpus, free_number(results))
        console.print(f"Script     {script}")
    declaration = read_steps(script)
    overrides: dict[str, object] = {} if request.gpu is None else {"gpu_ID": request.gpu}
    with time_limit(60 * request.minutes - (time.monotonic() - began)) as limit:
        left, runs = _run_steps(declaration, overrides, console, limit)
    if left:
        names = _name_steps(declaration, left)
        console.print(f"\nThe time is up. Not finished: {names}. The same command continues.", soft_wrap=True, markup=False)
    if not runs:
        return int(request.minutes > 0)
    folders, numbers, outcomes, _ = zip(*runs, strict=True)
    is_any_skipped = len(runs) + len(left) < len(declaration.instances)
    return print_close(folders[0], [*chain(*numbers)], [*chain(*outcomes)], console) or int(is_any_skipped)


def _run_steps(
    declaration: Declaration, overrides: Mapping[str, object], console: Console, limit: TimeLimit
) -> tuple[list[int], list[EndedRun]]:
    """Run the steps until the time is up; return the unfinished instances, and the runs of the others, without skipped ones."""
    left, runs, n_steps, fault = sorted(declaration.instances), list[EndedRun](), len(declaration.instances), ""
    try:
        while left and not limit.is_over:
            step = f"\nStep {n_steps - len(left) + 1} of {n_steps}: {_name_steps(declaration, left[:1])}"
            console.print(f"{step}; {limit.left_s / 60:.0f} min left", soft_wrap=True, markup=False)
            try:
                runs += filter(None, [run_jobs(declaration, RunRequest(left[:1], overrides), console)])
            except UsageError as error:
                if not runs and str(error) == fault:  # all steps have this error, for example in the folds
                    raise
                fault = str(error)
                console.print(f"Left out: {error}", style="red", soft_wrap=True, markup=False)
            left.pop(0)
    except KeyboardInterrupt:
        if not limit.is_over:
            raise
    return left, runs


def _name_steps(declaration: Declaration, numbers: Iterable[int]) -> str:
    """Return the comments of instances with their numbers, separated by commas; the architecture if there is no comment."""
    steps = {number: declaration.instances[number] for number in numbers}
    return ", ".join(f"{own.get('comment_1') or own.get('architecture')} (instance {number})" for number, own in steps.items())


def _prepare(request: StartRequest, console: Console) -> Corpus:
    """Return the dataset of a source, which is prepared if it does not exist yet.

    Raises:
        UsageError: The source cannot be used, or an existing dataset of this name was made from another source.
    """
    path = Path(request.source)
    if not path.exists() and len(request.sources) == 1:
        if (corpus := open_prepared(request.source)) is not None:
            return corpus
        data_folder = default_folder("data_folder")
        names = [index.parent.name for index in data_folder.glob(f"*/{INDEX_NAME}")]
        prepared = suggestion(request.source, names) if names else "None is prepared yet."
        raise CorpusError(f"{path}: there is no such folder or table, nor a dataset of this name in {data_folder}. {prepared}")
    name = re.sub(r"[^\w-]+", "_", request.dataset or name_of(request.sources))
    if (corpus := open_prepared(name)) is not None:
        _check_same_source(corpus, path, request)
        again = "To prepare it again, remove that folder, or give another name with --dataset."
        console.print(f"Dataset    {corpus.folder}, unchanged. {again}", soft_wrap=True)
        return corpus
    reader = request.reader or _recognise(path, request, console)
    try:
        rate_hz = _rate_hz(_choose(reader, request))
        settings = {**MFCC, **(window_settings(rate_hz) if rate_hz else {})}
        store = prepare(request.places, corpus=reader, dataset=name, settings=settings, **request.reading)
    except UsageError as error:
        raise type(error)(f"{error}{_advise_options(str(error), path, reader, name)}") from error
    return open_corpus(name, store.folder.parents[2])


def _advise_options(text: str, path: Path, reader: str | None, name: str) -> str:
    """Return the command that has the options which an error of preprocessing names; empty if `quickstart` has them."""
    own = {f"--{field.name.replace('_', '-')}" for field in fields(StartRequest)} | {"--task-type"}  # no task of `quickstart`
    others = sorted(set(re.findall(r"--[a-z][a-z-]+", text)) - own)
    if not others:
        return ""
    by_hand = f"xval prepare {reader or ('folders' if path.is_dir() else 'table')} {path} ... --dataset {name}"
    return f" `quickstart` has no {', '.join(others)}: {by_hand}, and then: xval quickstart {name}"


def _script(dataset: str) -> Path:
    return experiments_folder() / f"start_{dataset}.py"


def _choose(reader: str | None, request: StartRequest) -> CorpusChoice:
    """Return the choice of clips that the options make, before any audio is read."""
    return choose_corpus(request.places, reader, None, None, default_folder("data_folder"), None, None, request.reading)


def _rate_hz(chosen: CorpusChoice) -> int | None:
    """Return the highest sample rate (Hz) of a few clips, evenly over the list; None if none of their files can be read."""
    paths = sorted({str(path) for path in chosen.list_clips()["path"]})
    rates = []
    for path in paths[:: max(1, len(paths) // _N_RATES)]:
        try:
            rates.append(read_header(chosen.audio_folder / path).sample_rate_hz)
        except AudioError:  # xval prepare excludes this file and prints the reason
            continue
    return max(rates, default=None)


def _check_same_source(corpus: Corpus, path: Path, request: StartRequest) -> None:
    """Raise CorpusError if an existing dataset was made from other audio, or has other classes or speakers than requested.

    Patterns that are not passed again are those of the existing dataset.
    """
    is_folder = path.is_dir()
    chosen = _choose(corpus.corpus, request) if len(request.sources) > 1 or (is_folder and request.labels) else None
    place = chosen.audio_folder if chosen else path if is_folder else path.parent
    how = f"Give another name with --dataset. To start again instead, remove {corpus.folder} and {_script(corpus.dataset)}."
    if corpus.is_custom or corpus.audio_folder.resolve() != place.resolve():
        source = "arrays" if corpus.is_custom else corpus.audio_folder
        raise CorpusError(f"{corpus.folder} was made from {source}, not from {place.resolve()}. {how}")
    if request.reader not in (None, corpus.corpus):
        raise CorpusError(f"{corpus.folder} was read by '{corpus.corpus}', not by '{request.reader}'. {how}")
    if chosen is None and not request.reading and is_folder:
        return
    listed = check_clips((chosen or _choose(corpus.corpus, request)).list_clips(), place, task_type=corpus.task_type)
    if chosen or request.classes:
        classes = class_names_of(listed["label"], corpus.task_type)
        if classes != corpus.class_names:
            raise CorpusError(
                f"{corpus.folder} has the classes {first_names(corpus.class_names)}, not {first_names(classes)}. {how}"
            )
    both = corpus.index.merge(listed, on="clip", suffixes=("", "_now"))
    for column in (*(["path"] if chosen else []), "item", *corpus.target_columns.values()):
        changed = both[both[column] != both[f"{column}_now"]]
        if len(changed):
            clip, before, now = changed.iloc[0][["clip", column, f"{column}_now"]]
            raise CorpusError(
                f"{corpus.folder} has another {column} for {len(changed)} of {len(both)} clips than requested now: for "
                f"{clip} '{before}', now '{now}'. {how}"
            )


def _recognise(path: Path, request: StartRequest, console: Console) -> str | None:
    """Return the reader of a known dataset if it recognises the folder; None for folders of classes and for tables."""
    if len(request.sources) > 1 or not path.is_dir() or request.reading.keys() - {SIMILAR_NAMES}:
        return None
    readers = corpora.recognise(path)
    if len(readers) > 1:
        raise SettingsError(f"{path}: can be read as {' or '.join(readers)}. Choose one with --reader.")
    if readers:
        console.print(
            f"Reader     {readers[0]} is used for this folder; --reader folders would use each of its subfolders as a class."
        )
    return readers[0] if readers else None
