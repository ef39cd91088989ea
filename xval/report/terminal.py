"""The tables that a user sees on the terminal: instances, jobs, and how a run ended.

Comes in: plans, outcomes and instances. Goes out: rich tables and lines, which are printed here or by run.py.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from xval.answers import ranking
from xval.answers.deals import describe_deals
from xval.answers.figure_text import interval_clause
from xval.answers.findings import find_findings
from xval.answers.headline import find_headline
from xval.answers.names import names_of
from xval.answers.read import read_instances
from xval.answers.repeats import describe_components
from xval.answers.summary import parameter_value, side_name, test_side
from xval.answers.trials import describe_search
from xval.base.errors import counted
from xval.base.garbage_collection import without_collector
from xval.folds.plan import Fold
from xval.jobs.outcome import FAILED, JobOutcome
from xval.jobs.plan import Plan
from xval.results.folder import ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.summaries import is_current, read_summary
from xval.settings.resolve import Instance, describe_numbers

_LISTED_JOBS = 5
_LISTED_ITEMS = 5
_MOST_ROWS = 100
# What stays on one line: an interval, a mean with its deviation, and what stands between spaces and underscores.
_PIECES = re.compile(r"(?:\[[-+.\d]+, [-+.\d]+\]|[-+.\d]+ ± [.\d]+|[^\s_])*_*\s*")
_WORDS = re.compile(r"(?<=_)|\s+")
_LEGEND = "*: selected by validation. ±: standard deviation over folds."

_OF_WINDOWS = " test clip: whole clips, with the predictions for their windows combined; test: windows."


def print_figures(
    folder: ExperimentFolder, numbers: list[int], console: Console, *, details: bool = False
) -> list[InstanceResults]:
    """Print the table of some instances, the three lines on them, and with details what else has to be said; return them."""
    instances = read_instances(folder, numbers)
    if instances:
        header, rows = ranking.summary_table(instances, most=_MOST_ROWS)
        console.print(make_table(*merge_equal(header, rows)))
        of_windows = any(name.startswith("test clip ") for name in header)
        clause = interval_clause(instances)
        uar = " balanced_accuracy: UAR." if any("balanced_accuracy" in name for name in header) else ""
        intervals = f" [ ]: 95 % interval {clause}." if clause else ""
        console.print(f"{_LEGEND}{intervals}{uar}{_OF_WINDOWS if of_windows else ''}\n", soft_wrap=True, markup=False)
        if len(rows) < len(instances):
            console.print(f"The {len(rows)} best of {len(instances)} instances by validation; the workbook has all of them.")
        for line in _headline(folder, instances):
            console.print(Text(line), soft_wrap=True)
        console.print()
        others = set(folder.instances()) - {instance.number for instance in instances}
        if others := {number for number in others if folder.jobs(number)}:
            line = f"These lines are about the chosen instances; the workbook and the page also compare {len(others)} more."
            console.print(line, soft_wrap=True, markup=False)
        for line in _details(instances) if details else _count_findings(instances):
            console.print(Text(line), soft_wrap=True)
    return instances


def _headline(folder: ExperimentFolder, instances: Sequence[InstanceResults]) -> Sequence[str]:
    """Return the three lines; those of the summary where it is of these instances, for a comparison loads slow libraries."""
    summary = read_summary(folder)
    is_of_these = summary and summary.n_instances == len(instances) and is_current(summary, folder)
    return summary.headline if summary and is_of_these else find_headline(instances)


def _count_findings(instances: Sequence[InstanceResults]) -> list[str]:
    """Return a line that counts the findings; none without any."""
    findings = find_findings(instances)
    codes = ", ".join(sorted({finding.code for finding in findings}))
    return [
        f"{counted(len(findings), 'finding')}: {codes}; --details explains {'it' if len(findings) == 1 else 'them'}."
    ] * bool(findings)


def _details(instances: Sequence[InstanceResults]) -> Iterator[str]:
    """Yield what else is known of some instances: why one is selected, findings, deviations, searches, versions of the code."""
    yield ranking.describe_selection(instances)
    yield from (f"- {finding.line}" for finding in find_findings(instances))
    side = test_side(instances)
    names = names_of(instances)
    for instance in instances:
        main, called = instance.task.main_metrics[0], f"{names[instance.number]} (instance {instance.number})"
        for described in (describe_components(instance, side, main), describe_deals(instance, side, main)):
            if described:
                yield f"{called}: {side_name(side, instances)} {described}"
        if searched := describe_search(instance):
            yield searched
        codes = sorted({record["code_hash"] for record in instance.done.values()})
        if len(codes) > 1:
            yield f"{called}: its folds ran on {len(codes)} versions of the code (code/{', code/'.join(codes)})."


@without_collector()
def print_close(
    folder: ExperimentFolder, numbers: list[int], outcomes: Sequence[JobOutcome], console: Console, *, details: bool = False
) -> int:
    """Print the table, the three lines, what went wrong and where everything is; return the exit code."""
    instances = print_figures(folder, numbers, console, details=details)
    failures: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.status in FAILED:
            failures.setdefault(outcome.error, []).append(str(outcome.key))
    for error, jobs in failures.items():
        more = " ..." if len(jobs) > _LISTED_JOBS else ""
        listed = "; ".join(jobs[:_LISTED_JOBS])
        console.print(Text(f"{counted(len(jobs), 'job')} failed ({listed}{more}): {error}", style="red"), soft_wrap=True)
    finished = {key for instance in instances for key in instance.done}
    elsewhere = sum(outcome.status == "elsewhere" and outcome.key not in finished for outcome in outcomes)
    if elsewhere:
        console.print(f"Another process is running {counted(elsewhere, 'job')} and adds its results to the workbook.")
    for path in (folder.workbook, folder.page):
        if path.is_file():
            console.print(Text(str(path)), soft_wrap=True)
    return 1 if failures else 0


def instance_table(instances: Sequence[Instance]) -> "TextTable":
    """Return the instances with the parameters that differ between them."""
    all_parameters = [instance.parameters for instance in instances]
    names = list(dict.fromkeys(name for parameters in all_parameters for name in parameters))
    comments = ("comment_1", "comment_2")
    apart = [name for name in comments if any(parameters.get(name) for parameters in all_parameters)]
    differing = [
        name
        for name in names
        if name not in (*comments, "search") and len({repr(parameters.get(name)) for parameters in all_parameters}) > 1
    ]
    rows = [(str(instance.number), *(_shown(instance, name) for name in (*apart, *differing))) for instance in instances]
    return make_table(("instance", *apart, *differing), rows)


def _shown(instance: Instance, name: str) -> str:
    return "searched" if instance.sources.get(name) == "search" else str(parameter_value(instance.parameters.get(name, "-")))


def fold_table(planned: Plan, parts: Mapping[JobKey, Fold]) -> "TextTable":
    """Return the chosen folds: how many items train, and which validate and are tested, of hundreds the first few.

    `parts` are what jobs use of their folds where that is not all; a fold has a row for each choice of items.
    """
    has_deals, rows = planned.folds.n_deals > 1, []
    for fold in planned.folds.folds:
        used: dict[tuple[int, tuple[str, ...], tuple[str, ...]], set[int]] = {}
        for key in sorted([*planned.done, *planned.to_do]):
            if key.fold == fold.number:
                part = parts.get(key, fold)
                used.setdefault((len(part.training), part.validation, part.test), set()).add(key.instance)
        for (n_training, validation, test), instances in used.items():
            which = f" (instances {describe_numbers(instances)})" if len(used) > 1 else ""
            deal = [str(planned.folds.deal_of(fold.number))] * has_deals
            rows.append((str(fold.number), *deal, str(n_training), _first_of(validation), f"{_first_of(test)}{which}"))
    return make_table(("fold", *["repetition"] * has_deals, "training items", "validation", "test"), rows)


def _first_of(items: Sequence[str]) -> str:
    more = f", and {len(items) - _LISTED_ITEMS} more" if len(items) > _LISTED_ITEMS else ""
    return ", ".join(items[:_LISTED_ITEMS]) + more


def job_table(planned: Plan) -> "TextTable":
    """Return a row for each instance and repeat, with the folds that are done and those to do."""
    names = names_of(planned.instances)
    rows = sorted({(key.instance, key.repeat) for key in [*planned.done, *planned.to_do]})
    states: list[list[JobKey]] = [list(planned.done), list(planned.to_do)]
    folds = {
        row: [describe_numbers(key.fold for key in keys if (key.instance, key.repeat) == row) for keys in states]
        for row in rows
    }
    return make_table(
        ("instance", "name", "repeat", "folds done", "folds to do"),
        [(str(number), names[number], str(repeat), *folds[number, repeat]) for number, repeat in rows],
    )


def make_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> "TextTable":
    """Return a table of text cells."""
    return TextTable(header, rows)


def merge_equal(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Merge metrics of one side whose texts are the same in all rows: ``test balanced_accuracy = accuracy``.

    Heads with a space are those of metrics, the side before the last space, as of `summary_table`.
    """
    merged: dict[tuple[object, ...], list[int]] = {}
    for column, name in enumerate(header):
        side = name.rpartition(" ")[0]
        merged.setdefault((side or name, *(row[column] for row in rows)), []).append(column)
    heads = (
        " = ".join([header[first], *(header[other].rpartition(" ")[2] for other in others)])
        for first, *others in merged.values()
    )
    kept = [first for first, *_ in merged.values()]
    return tuple(heads), [tuple(row[column] for column in kept) for row in rows]


class TextTable:
    """A table of text cells that fits the console.

    Lines are broken at spaces and after underscores; intervals stay whole. Where that is not enough, words go on below, and
    nothing is cut.
    """

    def __init__(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self._lines = [tuple(header), *map(tuple, rows)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Table]:
        columns = list(zip(*self._lines, strict=True))
        widest = [max(map(cell_len, column)) for column in columns]
        longest = [max(cell_len(piece.rstrip()) for text in column for piece in _PIECES.findall(text)) for column in columns]
        words = [max(cell_len(word) for text in column for word in _WORDS.split(text)) for column in columns]
        is_narrow = sum(longest) + 3 * len(columns) + 1 > options.max_width
        edges = len(columns) - 1 if is_narrow else 3 * len(columns) + 1
        widths = _fit(widest, (longest, words, [1] * len(columns)), options.max_width - edges)
        table = Table(box=box.SIMPLE_HEAD, show_edge=not is_narrow, padding=(0, 0 if is_narrow else 1))
        header, *rows = ([Text(_wrap(text, width)) for text, width in zip(line, widths, strict=True)] for line in self._lines)
        for head, width in zip(header, widths, strict=True):
            table.add_column(head, overflow="fold", width=width)
        for row in rows:
            table.add_row(*row)
        yield table


def _fit(widths: Sequence[int], limits: Iterable[Sequence[int]], room: int) -> list[int]:
    """Return widths that have room: the widest are made narrower down to the first limits, then to the next, until all fit."""
    fitted = list(widths)
    for lowest in limits:
        while sum(fitted) > room:
            wide = [(width, n) for n, width in enumerate(fitted) if width > lowest[n]]
            if not wide:
                break
            fitted[max(wide)[1]] -= 1
    return fitted


def _wrap(text: str, width: int) -> str:
    """Return a text in lines of whole pieces; an interval that is longer than a line is broken, and a word goes on below."""
    pieces = _PIECES.findall(text)
    lines = [""]
    for piece in (
        part for whole in pieces for part in ([whole] if cell_len(whole.rstrip()) <= width else re.findall(r"\S+\s*", whole))
    ):
        if lines[-1] and cell_len(f"{lines[-1]}{piece}".rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)
