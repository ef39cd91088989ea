"""``python -m preprocessing CORPUS ...``: read a corpus, write its index, and make its feature store.

Comes in: argv. Goes out: data/<dataset>/ and an exit code: 0 done, 1 failed, 2 wrong usage or corpus, 130 interrupted.
Next: an experiment with this dataset.
"""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from preprocessing.command_line import Command, parse_command
from xval.config_file import CONFIG_PATH
from xval.errors import UsageError, XvalError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from preprocessing.corpus import Corpus
    from preprocessing.store import FeatureStore

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_N_LINES = 5
_N_SHOWN = 10


def main(arguments: Sequence[str]) -> int:
    """Carry out a command line.

    Args:
        arguments: What follows ``python -m preprocessing``.

    Returns:
        The exit code.

    Raises:
        SystemExit: After ``--help``.
    """
    try:
        make_features(parse_command(arguments))
    except XvalError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. Run the same command again; nothing half made is kept.\n")
        return EXIT_INTERRUPTED
    return 0


def make_features(command: Command) -> None:
    """Make the index and the feature store of a corpus, and say what became of its clips.

    Raises:
        XvalError: As the corpus's `list_clips`, `make_corpus` and `make_store`.
    """
    from rich.console import Console

    from preprocessing.corpus import corpus_folder, make_corpus
    from preprocessing.extraction import make_store
    from preprocessing.features import check_settings

    console = Console(highlight=False, emoji=False, markup=False, soft_wrap=True)
    corpus_folder(command.dataset, command.data_folder)
    check_settings(command.settings)
    console.print(f"Listing the clips of {command.reader.name} in {command.audio_folder}")
    clips = command.reader.list_clips(command.audio_folder, **command.options)
    with _progress(console, "Reading audio") as progress:
        corpus, left_out = make_corpus(
            clips,
            command.audio_folder,
            dataset=command.dataset,
            data_folder=command.data_folder,
            corpus=command.reader.name,
            task_type=command.options.get("task_type", "classification"),
            n_processes=command.n_processes,
            progress=progress,
        )
    with _progress(console, "Extracting features") as progress:
        store, left_out_later = make_store(corpus, command.settings, n_processes=command.n_processes, progress=progress)
    _report(console, corpus, store, left_out, left_out_later)


def _report(
    console: "Console", corpus: "Corpus", store: "FeatureStore", left_out: "pd.DataFrame", left_out_later: "pd.DataFrame"
) -> None:
    """Say what is there now, what is missing, and what to do next."""
    labels = corpus.index["label"]
    if corpus.class_names:
        targets = f"{len(corpus.class_names)} classes ({_shorten(corpus.class_names)})"
    else:
        targets = f"targets from {labels.min():g} to {labels.max():g}"
    items = sorted(set(corpus.index["item"]))
    amount = f"{_count(len(labels), 'clip')} of {_count(len(items), 'item')}"
    console.print(f"Corpus     {corpus.dataset}: {amount} ({_shorten(items)}), {targets}")
    console.print(f"Audio      {corpus.index['duration_s'].sum():.1f} s in {corpus.audio_folder}")
    for clips, folder in ((left_out, corpus.folder), (left_out_later, store.folder)):
        if len(clips):
            console.print(f"Left out   {_count(len(clips), 'clip')} without usable audio; why: {folder / 'left_out.csv'}")
    shape = " x ".join(map(str, store.example_shape))
    console.print(f"Features   {sum(store.counts.values())} examples of {shape} in {store.folder}")
    console.print(f"Next       {_next_command(corpus.dataset)}")


def _count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _shorten(names: Sequence[str]) -> str:
    """Return the first few of many names."""
    return ", ".join(names[:_N_SHOWN]) + (", ..." if len(names) > _N_SHOWN else "")


def _next_command(dataset: str) -> str:
    """Return the command that trains on a dataset: its own experiment where there is one."""
    if (CONFIG_PATH.parent / "experiments" / f"{dataset}.py").is_file():
        return f"python experiments/{dataset}.py"
    return f"python experiments/exp1.py --set dataset={shlex.quote(dataset)}"


@contextmanager
def _progress(console: "Console", title: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress: a bar in a terminal, a few lines elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not console.is_terminal:
        yield lambda done, total: _print_fifths(console, title, done, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task(title, visible=False)
        yield lambda done, total: bars.update(bar, completed=done, total=total, visible=True)


def _print_fifths(console: "Console", title: str, done: int, total: int) -> None:
    """Print a line for every fifth of the clips."""
    if done * _N_LINES // total > (done - 1) * _N_LINES // total:
        console.print(f"{title}: {done} of {total} clips")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
