"""The tables on the terminal, made with rich: instances, jobs, and the end of a run."""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf, isfinite

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from xval.answers import ranking
from xval.answers.class_report import ClassScores, class_report
from xval.answers.findings import find_findings
from xval.answers.headline import find_headline, hash_texts
from xval.answers.item_words import items_word
from xval.answers.line_cases import Headline
from xval.answers.names import name_instances, names_of
from xval.answers.read import read_instances
from xval.answers.repeats import describe_components, describe_fold_repeats
from xval.answers.score_text import fixed
from xval.answers.summary import parameter_value, side_name, test_side
from xval.answers.trials import describe_search
from xval.answers.variants import Variants
from xval.base.errors import counted, first_of
from xval.base.garbage_collection import without_collector
from xval.folds.plan import Fold
from xval.jobs.outcome import FAILED, JobOutcome
from xval.jobs.plan import Plan
from xval.results.folder import ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.summaries import ANY_EXPERIMENT, is_current, read_summary
from xval.settings.resolve import Instance, describe_numbers

_LISTED_JOBS = 5
_LISTED_ITEMS = 5
_MOST_ROWS = 100
_MOST_CLASSES = 30
_LACKING = "-"  # of an option that the architecture does not have
# What stays on one line: an interval, a mean with its standard deviation, and what is between spaces and underscores.
_PIECES = re.compile(r"(?:\[[-+.\d]+, [-+.\d]+\]|[-+.\d]+ ± [.\d]+|[^\s_])*_*\s*")
_WORDS = re.compile(r"(?<=_)|\s+")
_LEGEND = "*: selected by validation. ±: standard deviation over folds."

_OF_WINDOWS = "test clip: whole clips, the predictions for their windows combined; test: windows."


def print_scores(
    folder: ExperimentFolder, numbers: list[int], console: Console, *, details: bool = False
) -> list[InstanceResults]:
    """Print the table of some instances, and the three lines and findings of the whole experiment; return all instances.

    Validation selects among all instances, as on the page and in the workbook. `details` prints everything that is known.
    """
    instances = read_instances(folder, [number for number in folder.instances() if number in numbers or folder.jobs(number)])
    shown = [instance.number for instance in instances if instance.number in numbers]
    if shown:
        header, rows, same, notes = ranking.summary_table(instances, shown, most=_MOST_ROWS)
        console.print(make_table(header, rows))
        clause = Variants(instances).interval_words
        intervals = [f"[ ]: 95 % interval {clause}."] if clause else []
        window_note = [_OF_WINDOWS] if any(name.startswith("test clip ") for name in header) else []
        console.print(" ".join([_LEGEND, *intervals, *same, *notes, *window_note]) + "\n", soft_wrap=True, markup=False)
        if len(rows) < len(shown):
            console.print(f"The {len(rows)} best of {len(shown)} instances by validation; the workbook has all of them.")
        if len(instances) > len(shown):
            console.print(_describe_part(instances, shown), soft_wrap=True, markup=False)
        for label, line in _headline(folder, instances).labelled:
            console.print(Text.assemble((f"{label + ':':<10}", "bold"), line), soft_wrap=True)
        console.print()
        for line in _details(instances) if details else _list_findings(instances):
            console.print(Text(line), soft_wrap=True)
        if details:
            _print_classes(instances, console)
    return instances


def _describe_part(instances: Sequence[InstanceResults], numbers: Sequence[int]) -> str:
    """Return a line on the instances that the table lacks; `numbers` are the instances of its rows."""
    selected = ranking.rank_instances(instances).selected
    is_elsewhere = selected is not None and selected not in numbers
    elsewhere = f" Validation selects {name_instances([selected], instances)}." if selected and is_elsewhere else ""
    return f"The table has the chosen instances; the lines below are about all {len(instances)}.{elsewhere}\n"


def _print_classes(instances: Sequence[InstanceResults], console: Console) -> None:
    """Print precision, recall and F1 score of each class of the selected instance, if it predicts classes."""
    selected = ranking.rank_instances(instances).selected
    shown = next((instance for instance in instances if instance.number == selected), instances[0])
    report = class_report(shown)
    if report is None:
        if shown.settings.frames:
            line = "Scores by class: labels of frames have none in a run; xval evaluate prints those of their events."
            console.print(line, soft_wrap=True, markup=False)
        return
    unit = items_word(instances) if shown.decides_items else shown.task.unit
    often = f", each in {shown.n_fold_repeats} repeats of the cross-validation" if shown.n_fold_repeats > 1 else ""
    title = f"Classes of {names_of(instances)[shown.number]} (instance {shown.number}): test {unit} of all folds{often}"
    classes = sorted(report.classes, key=lambda row: row.f1 if isfinite(row.f1) else inf)[:_MOST_CLASSES]
    kept = [row for row in report.classes if row in classes]
    header = ("class", "precision", "recall", "F1", "support")
    console.print(Text(f"\n{title}"), soft_wrap=True)
    console.print(make_table(header, [_class_cells(row) for row in (*kept, *report.averages)]))
    if len(kept) < len(report.classes):
        console.print(f"The {len(kept)} of {len(report.classes)} classes with the lowest F1; the workbook has all of them.")


def _class_cells(row: ClassScores) -> tuple[str, ...]:
    scores = ("" if score is None else fixed(score if isfinite(score) else None) for score in row[1:4])
    return (row.name, *scores, f"{row.support:g}")


def _headline(folder: ExperimentFolder, instances: Sequence[InstanceResults]) -> Headline:
    """Return the three lines, from the summary if it has these instances, because a comparison loads slow libraries."""
    summary = read_summary(folder)
    is_of_these = summary and summary.n_instances == len(instances) and is_current(summary, folder)
    if summary and is_of_these and summary.lines and summary.texts == hash_texts():
        return Headline(*(line.replace(ANY_EXPERIMENT, str(folder.path)) for line in summary.lines.values()))
    return find_headline(instances)


def _list_findings(instances: Sequence[InstanceResults]) -> list[str]:
    """Return a line with the number of findings, and the message of each; nothing without findings."""
    findings = find_findings(instances)
    if not findings:
        return []
    return [f"{counted(len(findings), 'finding')} (--details adds advice):", *(f"- {found.short_line}" for found in findings)]


def _details(instances: Sequence[InstanceResults]) -> Iterator[str]:
    """Yield details on some instances: reason of selection, findings, standard deviations, searches, code versions."""
    yield ranking.describe_selection(instances)
    yield from (f"- {finding.line}" for finding in find_findings(instances))
    side = test_side(instances)
    names = names_of(instances)
    for instance in instances:
        main, called = instance.task.main_metrics[0], f"{names[instance.number]} (instance {instance.number})"
        for described in (describe_components(instance, side, main), describe_fold_repeats(instance, side, main)):
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
    """Print the table, the three lines, errors and the paths of the results; return the exit code."""
    instances = print_scores(folder, numbers, console, details=details)
    failures: dict[str, list[JobKey]] = {}
    for outcome in outcomes:
        if outcome.status in FAILED:
            failures.setdefault(outcome.error, []).append(outcome.key)
    for error, keys in failures.items():
        text = f"{counted(len(keys), 'job')} failed ({_list_jobs(keys)}): {error}"
        console.print(Text(text, style="red"), soft_wrap=True)
    finished = {key for instance in instances for key in instance.done}
    elsewhere = sum(outcome.status == "elsewhere" and outcome.key not in finished for outcome in outcomes)
    if elsewhere:
        console.print(f"Another process is running {counted(elsewhere, 'job')} and adds its results to the workbook.")
    for path in (folder.workbook, folder.page):
        if path.is_file():
            console.print(Text(str(path)), soft_wrap=True)
    return 1 if failures else 0


def _list_jobs(keys: Sequence[JobKey]) -> str:
    """Return ``instance 1, folds 1-6; instance 2, folds 1, 3``, only the first of many groups; trials are listed singly."""
    groups: dict[tuple[int, str], list[int]] = {}
    for key in keys:
        groups.setdefault((key.instance, key.fold_name.removeprefix(f"fold {key.fold}")), []).append(key.fold)
    texts = [
        f"instance {instance}, fold{'s' * (len(folds) > 1)} {describe_numbers(folds)}{rest}"
        for (instance, rest), folds in groups.items()
    ]
    return first_of(texts, _LISTED_JOBS, "; ")


def instance_table(instances: Sequence[Instance]) -> "InstanceTable":
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
    return InstanceTable(("instance", *apart, *differing), rows, n_names=1 + len(apart))


def _shown(instance: Instance, name: str) -> str:
    return (
        "searched" if instance.sources.get(name) == "search" else str(parameter_value(instance.parameters.get(name, _LACKING)))
    )


def fold_table(planned: Plan, parts: Mapping[JobKey, Fold], items: str = "items") -> "TextTable":
    """Return the chosen folds: number of training items, and validation and test items (the first few of hundreds).

    `parts` has the parts of folds that jobs use, if not all; a fold has a row for each choice of items. `items` is the word for
    items.
    """
    has_fold_repeats, rows = planned.folds.n_fold_repeats > 1, []
    for fold in planned.folds.folds:
        used: dict[tuple[int, tuple[str, ...], tuple[str, ...]], set[int]] = {}
        for key in sorted([*planned.done, *planned.to_do]):
            if key.fold == fold.number:
                part = parts.get(key, fold)
                used.setdefault((len(part.training), part.validation, part.test), set()).add(key.instance)
        for (n_training, validation, test), instances in used.items():
            which = f" (instances {describe_numbers(instances)})" if len(used) > 1 else ""
            fold_repeat = [str(planned.folds.fold_repeat_of(fold.number))] * has_fold_repeats
            rows.append((str(fold.number), *fold_repeat, str(n_training), _first_of(validation), f"{_first_of(test)}{which}"))
    return make_table(("fold", *["repeat"] * has_fold_repeats, f"training {items}", "validation", "test"), rows)


def _first_of(items: Sequence[str]) -> str:
    more = f", and {len(items) - _LISTED_ITEMS} more" if len(items) > _LISTED_ITEMS else ""
    return ", ".join(items[:_LISTED_ITEMS]) + more


def job_table(planned: Plan) -> "TextTable":
    """Return a row for each instance and repeat (training with another seed), with finished and open folds."""
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


class TextTable:
    """A table of text cells that fits into the console.

    Lines are broken at spaces and after underscores, but not within intervals. If that is not enough, words are broken; nothing
    is cut off.
    """

    def __init__(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self._lines = [tuple(header), *map(tuple, rows)]

    def fits(self, width: int) -> bool:
        """Return whether the table fits into this number of console columns without breaking a word."""
        return sum(self._words) + len(self._words) - 1 <= width

    @property
    def _words(self) -> list[int]:
        """The length of the longest word of each column."""
        columns = zip(*self._lines, strict=True)
        return [max(cell_len(word) for text in column for word in _WORDS.split(text)) for column in columns]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Table]:
        columns = list(zip(*self._lines, strict=True))
        widest = [max(map(cell_len, column)) for column in columns]
        longest = [max(cell_len(piece.rstrip()) for text in column for piece in _PIECES.findall(text)) for column in columns]
        words = self._words
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


class InstanceTable:
    """Instances with the parameters that differ between them: a table, or a list if the console is too narrow.

    The list begins with the most frequent values; each instance has the values that differ from them.
    """

    def __init__(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, n_names: int) -> None:
        self._header, self._rows, self._n_names = header, rows, n_names

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[TextTable | Text]:
        table = make_table(self._header, self._rows)
        if table.fits(options.max_width):
            yield table
            return
        usual = [Counter(column).most_common(1)[0][0] for column in zip(*self._rows, strict=True)]
        names = self._header[self._n_names :]
        said = [f"{name}={value}" for name, value in zip(names, usual[self._n_names :], strict=True) if value != _LACKING]
        yield from _indented(f"most instances: {'; '.join(said)}", options.max_width)
        for row in self._rows:
            cells = zip(names, row[self._n_names :], usual[self._n_names :], strict=True)
            own = [f"{name}={value}" for name, value, other in cells if value not in (other, _LACKING)]
            number, *comments = row[: self._n_names]
            called = ", ".join([number, *(text for text in comments if text != _LACKING)])
            yield from _indented(f"{called}: {'; '.join(own) or 'as most'}", options.max_width)


def _indented(text: str, width: int) -> Iterator[Text]:
    """Yield the lines of a paragraph with a hanging indent."""
    yield from map(Text, textwrap.wrap(text, width, subsequent_indent="    ", break_on_hyphens=False))


def _fit(widths: Sequence[int], limits: Iterable[Sequence[int]], room: int) -> list[int]:
    """Return column widths that fit: the widest columns shrink to the first limits, then to the next ones."""
    fitted = list(widths)
    for lowest in limits:
        while sum(fitted) > room:
            wide = [(width, n) for n, width in enumerate(fitted) if width > lowest[n]]
            if not wide:
                break
            fitted[max(wide)[1]] -= 1
    return fitted


def _wrap(text: str, width: int) -> str:
    """Return a text in lines of whole pieces; intervals and words that are longer than a line are broken."""
    pieces = _PIECES.findall(text)
    lines = [""]
    for piece in (
        part for whole in pieces for part in ([whole] if cell_len(whole.rstrip()) <= width else re.findall(r"\S+\s*", whole))
    ):
        if lines[-1] and cell_len(f"{lines[-1]}{piece}".rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)
