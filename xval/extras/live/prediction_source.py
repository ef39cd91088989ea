"""Sources of live audio for ``xval predict``: new files in a folder, or windows of a microphone, as csv rows until Ctrl-C."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from preprocessing.console import EXIT_FAILED, make_console
from preprocessing.options.argument_parser import number_reader
from xval.base.errors import SettingsError, UndefinedAnswerError, XvalError, counted, first_of
from xval.commands import _model_arguments as arguments
from xval.extras.live.growing_csv import GrowingCsv
from xval.report.text_tables import Output

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from xval.extras.live.arrivals import Arrivals
    from xval.extras.live.microphone import Microphone
    from xval.reuse.inference import SavedModel

INSTEAD = ", --follow FOLDER or --microphone"
"""End of a message that asks for audio files: the options that replace them."""

Top = Callable[["pd.DataFrame", "SavedModel", int | None], "pd.DataFrame"]
"""From a table of predictions, its model and a number (None: all) to the table with only that many most probable classes."""

_BATCH = 32  # files that are predicted together, if several are ready
_POLL_S = 0.5
_TRIAL_HZ = 16000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that replace AUDIO."""
    parser.add_argument(
        "--follow",
        type=Path,
        metavar="FOLDER",
        help="predict each audio file that is in FOLDER or is added to it, as a csv row, until Ctrl-C; for files give AUDIO",
    )
    parser.add_argument(
        "--microphone", action="store_true", help="write a csv row for each window of microphone input, until Ctrl-C"
    )
    parser.add_argument(
        "--seconds", type=number_reader("--seconds"), metavar="S", help="how long --microphone records (default: until Ctrl-C)"
    )


def is_chosen(options: argparse.Namespace, output: Output) -> bool:
    """Return whether an option for live audio is set; raises SettingsError for options that cannot be combined with it."""
    name = "--follow" if options.follow else "--microphone"
    if options.seconds is not None and not options.microphone:
        raise SettingsError("--seconds: needs --microphone.")
    if not options.follow and not options.microphone:
        return False
    if options.follow and options.microphone:
        raise SettingsError("--follow and --microphone cannot be combined. Give one of them.")
    if options.audio:
        raise SettingsError(f"{name}: cannot be combined with AUDIO; received {options.audio[0]}.")
    if output.path is not None and output.path.suffix.lower() != ".csv":
        raise SettingsError(f"{name}: writes csv rows as they come; received --output {output.path}.")
    if output.format == "json":
        raise SettingsError(f"{name}: prints csv rows as they come; received --format json.")
    if options.item_pattern != "none":
        raise SettingsError(f"{name}: predicts file by file, so --item-pattern has no effect. Remove it.")
    if options.microphone and (options.segments or options.examples):
        raise SettingsError("--microphone: a row is a window. Use --every S for the time between windows.")
    return True


def run(options: argparse.Namespace, output: Output, keep_top: Top) -> int:
    """Predict live audio until Ctrl-C; return 1 if a file was skipped or a window has no prediction, otherwise 0."""
    with GrowingCsv(output.path) as rows:
        return _run(options, output, rows, keep_top)


def _run(options: argparse.Namespace, output: Output, rows: GrowingCsv, keep_top: Top) -> int:
    from xval.extras.live.arrivals import Arrivals
    from xval.extras.live.microphone import Microphone

    messages = make_console(is_error=True)
    source = Arrivals(options.follow, rows.predicted) if options.follow else Microphone()
    model = arguments.load(options, messages)
    described = model.description
    if described.scaled_by_item or described.is_custom:
        why = (
            "scales each speaker by all its clips (normalization = per_item)" if described.scaled_by_item else "reads no audio"
        )
        raise SettingsError(f"{options.model}: this model {why}, so it cannot predict files one by one.")

    def shown(table: "pd.DataFrame") -> "pd.DataFrame":
        return table if options.top is None else keep_top(table, model, options.top)

    def write(table: "pd.DataFrame") -> None:
        rows.append(shown(table))

    # Silence is predicted first, to check the options and to prepare the model before any audio arrives.
    trial = model.predict(
        [np.zeros(_TRIAL_HZ, np.float32)],
        sample_rate_hz=_TRIAL_HZ,
        per="file" if options.microphone else arguments.pieces_of(options),
        every_s=None if options.microphone else options.every,
        skip_unreadable=True,  # a model may have no prediction for silence
        coverage=options.coverage,
    )
    rows.check(shown(trial))
    for line in arguments.describe_unknown(trial, model):
        messages.print(line, markup=False)
    if options.coverage is not None:
        n_speakers, n_needed = trial.attrs["speakers"]
        if n_speakers < n_needed:
            messages.print(arguments.describe_too_few(n_speakers, n_needed, options.coverage), markup=False)
    if isinstance(source, Arrivals):
        return follow(source, options, model, write, messages, is_written=output.path is not None)
    return _record(source, options, model, write, messages)


def follow(
    arrivals: "Arrivals",
    options: argparse.Namespace,
    model: "SavedModel",
    write: Callable[["pd.DataFrame"], None],
    messages: "Console",
    *,
    is_written: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Predict the new files of a folder until Ctrl-C, and return the exit code: 1 if a file was skipped, otherwise 0.

    Args:
        arrivals: The watched folder.
        options: The parsed options of ``xval predict``.
        model: The model that predicts.
        write: Writes the rows of a batch of files.
        messages: The console for messages.
        is_written: Whether the rows go to a file; then their number is printed.
        clock: Returns the time (s).
        sleep: Waits for a time (s).

    Raises:
        SettingsError: The folder cannot be read any more, or rows cannot be appended to the file.
    """
    from xval.extras.live.arrivals import SETTLE_S

    per, n_predicted, n_skipped = arguments.pieces_of(options), 0, 0
    unread: list[Path] = []
    is_checked = True
    messages.print(
        f"Following {options.follow}: a file is read when it has not changed for {SETTLE_S:g} s. Ctrl-C ends.", markup=False
    )
    try:
        while True:
            unread = arrivals.ready(clock())
            while unread:
                batch = unread[:_BATCH]
                table = model.predict(batch, per=per, every_s=options.every, skip_unreadable=True, coverage=options.coverage)
                skipped = table.attrs["left_out"]
                before = n_predicted, n_skipped, unread
                # Counted before writing, so that Ctrl-C in between never reports a written file as not read.
                n_predicted, n_skipped = n_predicted + len(batch) - len(skipped), n_skipped + len(skipped)
                unread = unread[_BATCH:]
                try:
                    write(table)
                except (OSError, XvalError):
                    n_predicted, n_skipped, unread = before
                    raise
                seen_lines = arguments.describe_seen(table, model) if is_checked else []
                is_checked = is_checked and table.attrs["seen"] is not None  # where it is not known of one batch, it is of none
                for line in [*seen_lines, *arguments.describe_doubts(table), *(file.line for file in skipped)]:
                    messages.print(line, markup=False)
                if is_written and len(table):
                    messages.print(f"{counted(n_predicted, 'file')} predicted, the last {table['path'].iloc[-1]}", markup=False)
            sleep(_POLL_S)
    except KeyboardInterrupt:
        return EXIT_FAILED if n_skipped else 0
    finally:
        skipped_text = f", {n_skipped} skipped" if n_skipped else ""
        names = [*map(str, unread), *arrivals.waiting]
        waiting = f", {counted(len(names), 'file')} not read yet: {first_of(names, arguments.N_NAMED)}" if names else ""
        messages.print(f"Stopped: {counted(n_predicted, 'file')} answered{skipped_text}{waiting}.", markup=False)


def _record(
    microphone: "Microphone",
    options: argparse.Namespace,
    model: "SavedModel",
    write: Callable[["pd.DataFrame"], None],
    messages: "Console",
) -> int:
    """Predict windows of microphone input, each as long as a training example of the model; return the exit code."""
    length_s = model.description.example_s or 0.0
    if options.seconds is not None and options.seconds < length_s:
        raise SettingsError(
            f"--seconds {options.seconds:g}: shorter than a window, which the model trained on, of {length_s:.3g} s."
        )
    step_s = length_s if options.every is None else options.every
    if not step_s > 0:
        raise SettingsError(f"--every {step_s:g}: expected a time above 0 s.")
    messages.print(f"Listening, in windows of {length_s:.3g} s. Ctrl-C ends.")
    n_predicted, n_undefined, n_silent, n_novel, has_novelty = 0, 0, 0, 0, False
    try:
        for start_s, samples in microphone.windows(length_s, step_s, options.seconds):
            try:
                table = model.predict([samples], sample_rate_hz=microphone.rate_hz, coverage=options.coverage)
            except UndefinedAnswerError:
                n_undefined += 1
                messages.print(f"no prediction at {start_s:.3g} s: the model outputs NaN or infinite values")
                continue
            table["path"] = "microphone"
            table[["start_s", "end_s"]] += start_s
            write(table)
            n_predicted += 1
            n_silent += len(table.attrs["silent"])
            has_novelty = "novelty" in table
            n_novel += has_novelty and bool((table["novelty"] > 1).any())
    except KeyboardInterrupt:
        pass
    undefined = f", {n_undefined} without a prediction" if n_undefined else ""
    lost = f" Samples were lost {counted(microphone.n_lost, 'time')}: the model is too slow for this computer." * bool(
        microphone.n_lost
    )
    novel = f", unlike what the model was trained on (novelty above 1): {n_novel}" if has_novelty else ""
    doubts = f" Silent: {n_silent}{novel}." if n_predicted else ""
    messages.print(f"Stopped: {counted(n_predicted, 'window')} answered{undefined}.{doubts}{lost}")
    return EXIT_FAILED if n_undefined else 0
