"""Run a ladder step by step, within a time, and end with one answer on all steps that are finished.

Comes in: a folder of recordings, a table of clips or the name of a prepared corpus. Goes out: the corpus, a script, results.
"""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from preprocessing import corpora, prepare
from preprocessing.clips.index_file import INDEX_NAME
from preprocessing.corpus import Corpus, open_corpus
from preprocessing.corpus_folder import find_corpus_folder
from xval.base.config_file import experiments_folder, read_default
from xval.base.errors import CorpusError, SettingsError, UsageError, suggestion
from xval.experiment.ladder import MFCC, read_ladder, write_ladder
from xval.experiment.run import RunRequest, run_experiment
from xval.experiment.time_limit import TimeLimit, time_limit
from xval.jobs.other_script import free_number
from xval.settings.resolve import Declaration


@dataclass(frozen=True)
class StartRequest:
    """What the command line asked for.

    Attributes:
        source: A folder of recordings, a table of clips, or the name of a prepared corpus.
        minutes: How long all of it may take; preparing the corpus counts, and is never cut short.
        reader: Of the folder; None: the one that knows it, or else ``folders``.
        item_pattern: Finds the speaker in the path of a file, of ``folders``.
        dataset: What the corpus is to be called; None: after the source.
        gpu: A GPU, or ``cpu``; None: as config.ini says.
    """

    source: str
    minutes: float
    reader: str | None = None
    item_pattern: str | None = None
    dataset: str | None = None
    gpu: str | None = None


def start(request: StartRequest, console: Console) -> int:
    """Prepare the corpus and write the script where they are not there yet, and run the steps of the script.

    Returns:
        0; 1 where a step failed, or none was finished.

    Raises:
        UsageError: The source cannot be used; nothing has been trained.
    """
    began = time.monotonic()
    corpus = _prepared(request, console)
    script = experiments_folder() / f"start_{corpus.dataset}.py"
    if script.exists():
        console.print(f"Script     {script}, as it is")
    else:
        results = Path(read_default("experiment", "experiment_folder"), corpus.dataset, "experiment_1")
        write_ladder(script, corpus, free_number(results))
        console.print(f"Script     {script}")
    declaration = read_ladder(script)
    overrides: dict[str, object] = {} if request.gpu is None else {"gpu_ID": request.gpu}
    with time_limit(60 * request.minutes - (time.monotonic() - began)) as limit:
        finished, n_wrong = _climb(declaration, overrides, console, limit)
    if limit.is_over:
        left = [number for number in sorted(declaration.instances) if number not in finished]
        console.print(
            f"\nThe time is up. Not finished: {_named(declaration, left)}. The same command continues.", soft_wrap=True
        )
    if not finished:
        return 1
    return run_experiment(declaration, RunRequest(finished, overrides, quiet=True), console) or int(n_wrong > 0)


def _climb(
    declaration: Declaration, overrides: Mapping[str, object], console: Console, limit: TimeLimit
) -> tuple[list[int], int]:
    """Run the steps until the time is up; return the instances that were run to their end, and how many steps went wrong."""
    finished, n_wrong, numbers = list[int](), 0, sorted(declaration.instances)
    try:
        for position, number in enumerate(numbers, start=1):
            left = f"{limit.left_s / 60:.0f} min left"
            console.print(f"\nStep {position} of {len(numbers)}: {_named(declaration, [number])}; {left}", soft_wrap=True)
            try:
                n_wrong += run_experiment(declaration, RunRequest([number], overrides, closes=False), console)
                finished.append(number)
            except UsageError as error:
                console.print(f"Left out: {error}", style="red", soft_wrap=True, markup=False)
                n_wrong += 1
    except KeyboardInterrupt:
        if not limit.is_over:
            raise
    return finished, n_wrong


def _named(declaration: Declaration, numbers: Iterable[int]) -> str:
    named = {number: declaration.instances[number] for number in numbers}
    return ", ".join(f"{own.get('comment_1') or own.get('architecture')} (instance {number})" for number, own in named.items())


def _prepared(request: StartRequest, console: Console) -> Corpus:
    """Return the corpus of a source; one that is there is used as it is."""
    data_folder, path = Path(read_default("experiment", "data_folder")), Path(request.source)
    name = request.dataset or (path.resolve().stem if path.exists() else request.source)
    if not path.exists() and find_corpus_folder(name, data_folder).joinpath(INDEX_NAME).is_file():
        return open_corpus(name, data_folder)
    if not path.exists():
        known = [index.parent.name for index in data_folder.glob(f"*/{INDEX_NAME}")]
        prepared = suggestion(request.source, known) if known else "None is prepared yet."
        raise CorpusError(f"{path}: no such folder or table, nor a corpus of this name in {data_folder}. {prepared}")
    name = re.sub(r"[^\w-]+", "_", name)
    if find_corpus_folder(name, data_folder).joinpath(INDEX_NAME).is_file():
        again = "To prepare it anew, remove that folder, or give another name with --dataset."
        console.print(f"Corpus     {data_folder / name}, as it is. {again}", soft_wrap=True)
        return open_corpus(name, data_folder)
    reader = request.reader or _recognised(path, request, console)
    pattern: dict[str, Any] = {} if request.item_pattern is None else {"item_pattern": request.item_pattern}
    prepare(path, corpus=reader, dataset=name, settings=MFCC, **pattern)
    return open_corpus(name, data_folder)


def _recognised(path: Path, request: StartRequest, console: Console) -> str | None:
    """Return the reader of a known corpus, if a folder is one; None: that of class folders, or of tables."""
    if not path.is_dir() or request.item_pattern is not None:
        return None
    known = corpora.recognise(path)
    if len(known) > 1:
        raise SettingsError(f"{path}: may be {' or '.join(known)}. Say which with --reader.")
    if known:
        console.print(f"Reader     {known[0]} knows this folder; --reader folders would read a class from each of its folders.")
    return known[0] if known else None
