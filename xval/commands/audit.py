"""Audit an experiment for data leakage: was anything that was tested also used for training?

Each rule gets a verdict: ok; FAILED, with names; not checkable, with the reason (everything that could be checked is ok); or
warning. The command reads the results, the dataset and its feature stores, and changes no file. Unfinished folds are skipped.

--format json prints one object: experiment; verdicts, each with rule, statement, state, n_checked (number of folds or other
things that were checked), faults, not_checkable, warnings and notes (texts); and not_checked, what no rule checks (texts).

exit code: 0 if no rule FAILED; otherwise 1
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from preprocessing.console import EXIT_FAILED, make_console
from xval.commands._output import add_output, output_of
from xval.results.folder import ExperimentFolder, find_experiment

if TYPE_CHECKING:
    from xval.answers.audit.verdict import AuditVerdict

SUMMARY = "audit an experiment for data leakage, with a verdict per rule"
GROUP = "Results"

_STYLES = {"ok": "green", "warning": "yellow", "not checkable": "yellow", "FAILED": "bold red"}
_MOST_LINES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="EXPERIMENT", help="results/<dataset>/experiment_<n>")
    parser.add_argument(
        "--data-folder",
        type=Path,
        metavar="DIR",
        help="folder of all datasets (default: that of the settings, relative to the current folder)",
    )
    add_output(parser, "a row for each rule (JSON: also what no rule checks)")


def run(options: argparse.Namespace) -> int:
    """Print the verdicts, and return 1 if a rule has failed."""
    from xval.answers.audit import NOT_CHECKED, audit  # here, because it loads pandas

    output = output_of(options)
    folder = find_experiment(options.folder)
    verdicts = audit(folder, options.data_folder)
    if not output.is_printed:
        _print(folder, verdicts)
    if output.is_printed or output.path is not None:
        import pandas as pd

        from xval.report.text_tables import write_table

        listed = [verdict.to_dict() for verdict in verdicts]
        report = {"experiment": str(folder.path), "verdicts": listed, "not_checked": NOT_CHECKED}
        write_table(pd.DataFrame(listed), output, make_console(), report)
    return EXIT_FAILED if any(verdict.state == "FAILED" for verdict in verdicts) else 0


def _print(folder: ExperimentFolder, verdicts: "Sequence[AuditVerdict]") -> None:
    from xval.answers.audit import NOT_CHECKED

    console = make_console()
    console.print(Text(f"{folder.path}\n"))
    for verdict in verdicts:
        line = Text(f"{verdict.state:14}", style=_STYLES[verdict.state])
        console.print(line + Text(f"{verdict.rule}: {verdict.statement} ({verdict.n_checked} checked)", style="default"))
        lines = [*verdict.faults, *verdict.not_checkable, *verdict.warnings, *verdict.notes]
        for text in lines[:_MOST_LINES]:
            console.print(Text(f"{'':16}{text}"))
        if len(lines) > _MOST_LINES:
            console.print(f"{'':16}... and {len(lines) - _MOST_LINES} more; --format json has them all")
    states = [verdict.state for verdict in verdicts]
    counted = [f"{states.count(state)} {state}" for state in _STYLES if state in states]
    console.print(f"\n{len(verdicts)} rules: {', '.join(counted)}")
    for text in NOT_CHECKED:
        console.print(f"not checked   {text}")
