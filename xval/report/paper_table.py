"""The table of models for a paper as LaTeX (booktabs) or Markdown: scores with intervals, significance marks, notes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from xval.answers.comparison.outcome import Comparison
from xval.answers.item_words import item_decision_of, item_scaling_of, item_word, items_word
from xval.answers.names import find_names
from xval.answers.nested_selection import NestedInstance, bias_text, selection_bias
from xval.answers.pretrained import clause, judge_instance
from xval.answers.score_text import OVER_FOLDS, Estimate, estimate, fixed, interval_clauses, texts_of
from xval.answers.summary import direction, main_and_own
from xval.base.errors import capital, counted, join_words
from xval.measures.statistics.planning import LEVEL
from xval.report.escaping import in_latex, in_markdown, needs_of_latex
from xval.report.score_columns import MainColumn, main_columns
from xval.results.instance import InstanceResults, JoinedSeeds
from xval.settings.randomness import has_randomness

_NOT_IN_LABELS = re.compile("[^A-Za-z0-9:._-]")
_MARKS = {"better": "+", "worse": "-", "practically equal": "="}


class PaperTable(NamedTuple):
    """The table of a paper.

    Attributes:
        header: The header of each column of scores; an arrow shows whether higher (↑) or lower (↓) is better.
        rows: Name of the model, and a score with its mark per column; if models compete, the nested score is first and the
            selected model second. A model with several seeds that were separate variants is one row.
        caption: Data and folds of the test, in at most 45 words.
        notes: Explanations of scores, intervals, marks and rows, a sentence or two each.
    """

    header: list[str]
    rows: list[tuple[str, list[tuple[Estimate, str]]]]
    caption: str = ""
    notes: tuple[str, ...] = ()


def make_table(
    instances: Sequence[InstanceResults],
    comparisons: Mapping[str, Comparison],
    nested: NestedInstance | None = None,
) -> PaperTable:
    """Return the table of some instances, in their order.

    Args:
        instances: The instances, at least one; those that differ only in their seed may be one, as of `join_seeds`.
        comparisons: A comparison for each metric that can be compared, all with the same baseline; empty: there is none.
        nested: The nested choice among all instances; None: nothing was chosen.
    """
    columns = main_columns(instances, main_and_own(instances))
    names = _names_of_rows(instances)
    selected = _find_selected(instances, nested)
    biases = [selection_bias(selected, nested, column.side, column.name) if nested and selected else None for column in columns]
    shown = [instance for instance in instances if instance is not selected]
    if nested and selected:
        shown = [nested, selected, *shown]
    shown_names = [f"{nested.name}, nested" if nested and instance is nested else names[instance.number] for instance in shown]
    rows = []
    for instance, name in zip(shown, shown_names, strict=True):
        marked = {} if instance is nested else comparisons
        cells = [_cell(instance, column.side, column.name, marked) for column in columns]
        if instance is nested and selected:
            others = [estimate(selected, column.side, column.name) for column in columns]
            cells = [(_same_kind(own, other), mark) for (own, mark), other in zip(cells, others, strict=True)]
        choice = ""
        if nested and instance is selected:
            choice = f", selected{'' if biases[0] is None else f' (bias {bias_text(biases[0])})'}"
        rows.append((_row_name(instance, f"{name}{choice}"), cells))
    titles = [_title(column, direction(instances, column.name)) for column in columns]
    table = PaperTable(titles, rows, _caption(instances))
    notes = [*_notes_on_scores(table, columns), *_notes_on_intervals(table, shown, shown_names)]
    notes += [*_notes_on_marks(columns, names, instances, comparisons), *_notes_on_seeds(instances, names)]
    if nested and selected:
        notes += _notes_on_choice(instances, columns, biases)
    notes += filter(None, (item_decision_of(instances), item_scaling_of(instances, names)))
    return table._replace(notes=tuple(notes))


def to_markdown(table: PaperTable) -> str:
    """Return the table as Markdown."""
    lines = [["model", *map(in_markdown, table.header)], ["---"] * (1 + len(table.header))]
    lines += [[in_markdown(name), *(f"{text}{mark and f' {mark}'}" for text, mark in cells)] for name, cells in _texts(table)]
    notes = [f"- {in_markdown(note)}" for note in table.notes]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", in_markdown(table.caption), "", *notes, ""])


def to_latex(table: PaperTable, *, label: str) -> str:
    """Return the table as LaTeX for a document with the package booktabs; `label` is its label for references."""
    needs = needs_of_latex("".join([table.caption, *table.notes, *table.header, *(name for name, _ in table.rows)]))
    lines = [
        "% needs \\usepackage{booktabs}",
        *(f"% {sentence}" for sentence in needs),
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{in_latex(table.caption)}}}",
        f"  \\label{{{_NOT_IN_LABELS.sub('-', label)}}}",
        f"  \\begin{{tabular}}{{l{'l' * len(table.header)}}}",
        "    \\toprule",
        f"    {' & '.join(['Model', *map(in_latex, table.header)])} \\\\",
        "    \\midrule",
        *(f"    {' & '.join([in_latex(name), *(_latex_cell(*cell) for cell in cells)])} \\\\" for name, cells in _texts(table)),
        "    \\bottomrule",
        "  \\end{tabular}",
        *_latex_notes(table.notes),
        "\\end{table}",
        "",
    ]
    return "\n".join(lines)


def _latex_notes(notes: Sequence[str]) -> list[str]:
    """Return the lines of notes under a table, a paragraph each."""
    if not notes:
        return []
    return [
        "  \\par\\medskip",
        "  \\begin{minipage}{\\linewidth}",
        "    \\footnotesize",
        *(f"    {in_latex(note)}\\par" for note in notes),
        "  \\end{minipage}",
    ]


def _cell(instance: InstanceResults, side: str, metric: str, comparisons: Mapping[str, Comparison]) -> tuple[Estimate, str]:
    verdicts = {pair.instance: pair.verdict for pair in comparisons[metric].pairs} if metric in comparisons else {}
    return estimate(instance, side, metric), _MARKS.get(verdicts.get(str(instance.number), ""), "")


def _same_kind(nested: Estimate, selected: Estimate) -> Estimate:
    """Return the nested score; none if it is known only by fold and the score below it is over items."""
    is_other = nested.of != selected.of and nested.of == OVER_FOLDS
    return nested._replace(value=None, low=None, high=None) if is_other else nested


def _texts(table: PaperTable) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the rows of a table as text, with the same decimals within a column."""
    columns = [texts_of([cells[place][0] for _, cells in table.rows]) for place in range(len(table.header))]
    marks = [[mark for _, mark in cells] for _, cells in table.rows]
    return [
        (name, list(zip((column[row] for column in columns), marks[row], strict=True)))
        for row, (name, _) in enumerate(table.rows)
    ]


def _latex_cell(text: str, mark: str) -> str:
    return in_latex(text).replace("-", "$-$").replace("–", "--") + (f"$^{{{mark}}}$" if mark else "")


def _row_name(instance: InstanceResults, name: str) -> str:
    done, total = len(instance.folds), instance.n_folds
    unfinished = "" if done == total else f" ({done} of {total} folds)"
    origin = clause(judge_instance(instance))
    return f"{name}{unfinished}{origin and f' ({origin})'}"


def _title(column: MainColumn, higher_is_better: bool | None = None) -> str:
    arrow = "" if higher_is_better is None else " ↑" if higher_is_better else " ↓"
    unit = column.side_name.removeprefix("test").strip()  # the caption says that scores are those of the test
    return capital(f"{unit} {column.metric}{arrow}".strip())


def _caption(instances: Sequence[InstanceResults]) -> str:
    """Return a sentence on the data and folds of the test; dataset names count as single words."""
    first = instances[0]
    n_folds, items = first.n_folds // first.n_fold_repeats, counted(len(first.n_clips), item_word(instances))
    how = f"in {n_folds}-fold cross-validation over {items}" if n_folds > 1 else f"on one split with {items} in the test part"
    repeated = f", repeated {first.n_fold_repeats} times with different partitions" if first.n_fold_repeats > 1 else ""
    whose = counted(len(instances), "model") if len(instances) > 1 else "one model"
    return f"Test scores of {whose} on {first.settings.dataset} {how}{repeated}{_seeds_per_fold(instances)}."


def _seeds_per_fold(instances: Sequence[InstanceResults]) -> str:
    """Return ``; 3 seeds per fold``, or which models or how many have them; empty if each model is trained once per fold."""
    numbers = {instance.n_repeats for instance in instances}
    if numbers == {1}:
        return ""
    random = {instance.n_repeats for instance in instances if has_randomness(instance.parameters)}
    which = " for models with random parts" if numbers != random and len(random) == 1 and 1 not in random else ""
    listed = sorted(random if which else numbers)
    return f"; {' to '.join(map(str, dict.fromkeys((listed[0], listed[-1]))))} seeds per fold{which}"


def _notes_on_scores(table: PaperTable, columns: Sequence[MainColumn]) -> Iterator[str]:
    """Yield notes on the scores of each column, and on chance."""
    for number, column in enumerate(columns):
        estimates = [cells[number][0] for _, cells in table.rows]
        chances = sorted({estimated.chance for estimated in estimates if estimated.chance is not None})
        chance = f"; chance {' to '.join(dict.fromkeys(map(fixed, chances[:1] + chances[-1:])))}" if chances else ""
        equal = f" {capital(' and '.join(column.equal))}: the same values." if column.equal else ""
        what = " or ".join(sorted({estimated.of for estimated in estimates}))
        yield f"{capital(column.metric)}: {what}{chance}.{equal}"


def _notes_on_intervals(table: PaperTable, shown: Sequence[InstanceResults], names: Sequence[str]) -> Iterator[str]:
    """Yield a note on the scope of the intervals of the rows, which are those of the shown instances.

    Rows whose intervals have another scope are named; the scope of most rows is the last.
    """
    rows_by_clause: dict[str, list[str]] = {}
    for name, scope in zip(names, interval_clauses(shown), strict=True):
        if scope:
            rows_by_clause.setdefault(scope, []).append(name)
    if not rows_by_clause or all(estimated.low is None for _, cells in table.rows for estimated, _ in cells):
        return
    *few, (scope, most) = sorted(rows_by_clause.items(), key=lambda entry: len(entry[1]))
    last = f"of {'the other rows' if len(most) > 1 else _quoted(most)} {scope}" if few else scope
    yield f"In brackets: 95 % interval {'; '.join([*(f'of {_quoted(rows)} {which}' for which, rows in few), last])}."


def _quoted(names: Sequence[str]) -> str:
    """Return names of rows, which may have commas, for a sentence."""
    return join_words([f"'{name}'" for name in names])


def _notes_on_marks(
    columns: Sequence[MainColumn],
    names: Mapping[int, str],
    instances: Sequence[InstanceResults],
    comparisons: Mapping[str, Comparison],
) -> Iterator[str]:
    """Yield notes on the marks, and on the columns without marks, if models were compared."""
    n, baseline = max(((comparison.n_comparisons, comparison.baseline) for comparison in comparisons.values()), default=(0, ""))
    if n:
        baseline = names.get(int(baseline), baseline)
        claims = dict.fromkeys(pair.claim for comparison in comparisons.values() for pair in comparison.pairs)
        equal, by_tost = "", ""
        if any(comparison.tests_equality for comparison in comparisons.values()):
            equal, by_tost = "= practically equal, ", "; equality by two one-sided tests"
        yield (
            f"Compared with {baseline}: + better, - worse, {equal}no mark: undecided or not testable. "
            f"Paired t tests over {items_word(instances)} at the level {LEVEL} (Holm, {counted(n, 'comparison')} per column)"
            f"{by_tost}. The marks are about {' or '.join(claims)}."
        )
        if without := [column.metric for column in columns if column.name not in comparisons]:
            has, it = ("has", "it") if len(without) == 1 else ("have", "them")
            yield f"{capital(join_words(without))} {has} no marks, because these models cannot be compared by {it}."


def _names_of_rows(instances: Sequence[InstanceResults]) -> dict[int, str]:
    """Return the name of each row by the number of its instance; a row of several seeds has nothing that differs in them."""
    parameters = {}
    joined = {instance.number: instance for instance in instances if isinstance(instance, JoinedSeeds)}
    for instance in instances:
        parts = [part.parameters for part in joined[instance.number].parts] if instance.number in joined else []
        parameters[instance.number] = {
            name: value for name, value in instance.parameters.items() if all(part.get(name) == value for part in parts)
        }
    names = find_names(parameters)
    return names | {number: f"{names[number]}, {instance.seeds}" for number, instance in joined.items()}


def _find_selected(instances: Sequence[InstanceResults], nested: NestedInstance | None) -> InstanceResults | None:
    """Return the instance that validation selects, or the one that has its seed; None: it is not among the instances."""
    if nested is None:
        return None
    for instance in instances:
        is_it = instance.number == nested.number or (isinstance(instance, JoinedSeeds) and instance.number in nested.method)
        if is_it and instance.folds.keys() == nested.folds.keys():
            return instance
    return None


def _notes_on_seeds(instances: Sequence[InstanceResults], names: Mapping[int, str]) -> Iterator[str]:
    """Yield notes on rows of several seeds."""
    joined = [instance for instance in instances if isinstance(instance, JoinedSeeds)]
    if joined:
        yield "Variants that differ only in their seed are one row, with the mean of their seeds."
    for instance in joined:
        if instance.left_out:
            listed = f"seed{'s' * (len(instance.left_out) > 1)} {', '.join(map(str, instance.left_out))}"
            has = "have" if len(instance.left_out) > 1 else "has"
            yield f"'{names[instance.number]}' is without {listed}, which {has} other finished folds."


def _notes_on_choice(
    instances: Sequence[InstanceResults], columns: Sequence[MainColumn], biases: Sequence[float | None]
) -> Iterator[str]:
    """Yield notes on the first two rows, if models competed."""
    known = [(column, bias_text(bias)) for column, bias in zip(columns, biases, strict=True) if bias is not None]
    listed = "; ".join(bias if len(columns) == 1 else f"{_title(column)}: {bias}" for column, bias in known)
    optimism = f" Its optimism for having been chosen (bias) is estimated as {listed}." if listed else ""
    yield (
        f"First row: nested selection, each fold tests the model that its own validation {items_word(instances)} choose. "
        f"Second row: the model that all validation {items_word(instances)} choose.{optimism}"
    )
