"""The table of instances for a paper, as LaTeX (booktabs) or Markdown: figures with intervals, marks of significance.

Comes in: instances, and a comparison with a baseline for each main metric. Goes out: text.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from xval.answers.comparison.outcome import Comparison
from xval.answers.figure_text import OVER_FOLDS, Estimate, estimate, fixed, interval_clause, texts_of
from xval.answers.item_sentences import item_decision_of, item_scaling_of
from xval.answers.item_words import items_word
from xval.answers.names import names_of
from xval.answers.nested_selection import NestedInstance, bias_text, selection_bias
from xval.answers.pretrained import clause, judge_instance
from xval.answers.summary import direction, main_and_own
from xval.base.errors import counted
from xval.measures.statistics.planning import LEVEL
from xval.report.escaping import in_latex, in_markdown, needs_of_latex
from xval.report.figures import MainColumn, main_columns
from xval.results.instance import InstanceResults

_NOT_IN_LABELS = re.compile("[^A-Za-z0-9:._-]")
_MARKS = {"better": "+", "worse": "-", "practically equal": "="}


class PaperTable(NamedTuple):
    """The table of a paper.

    Attributes:
        header: What each column of figures has; an arrow says whether more (↑) or less (↓) is better.
        rows: Name of the instance, and a figure with its mark per column; where instances compete, the nested value is first
            and the selected instance second.
        note: What the figures, intervals and marks are.
    """

    header: list[str]
    rows: list[tuple[str, list[tuple[Estimate, str]]]]
    note: str = ""


def make_table(
    instances: Sequence[InstanceResults], comparisons: Mapping[str, Comparison], nested: NestedInstance | None = None
) -> PaperTable:
    """Return the table of some instances, in their order.

    Args:
        instances: At least one.
        comparisons: Of each main metric, all with the same baseline; empty: nothing is compared.
        nested: What choosing among all instances reaches; None: nothing was chosen.
    """
    columns = main_columns(instances, main_and_own(instances))
    names = names_of(instances)
    selected = next((instance for instance in instances if nested and instance.number == nested.number), None)
    biases = [selection_bias(selected, nested, column.side, column.name) if nested and selected else None for column in columns]
    shown = [instance for instance in instances if instance is not selected]
    rows = []
    if nested and selected:
        shown = [nested, selected, *shown]
        names[selected.number] += f", selected{'' if biases[0] is None else f' (bias {bias_text(biases[0])})'}"
    for instance in shown:
        name = _row_name(instance, f"{nested.name}, nested" if nested and instance is nested else names[instance.number])
        marked = {} if instance is nested else comparisons
        cells = [_cell(instance, column.side, column.name, marked) for column in columns]
        if instance is nested and selected:
            others = [estimate(selected, column.side, column.name) for column in columns]
            cells = [(_of_kind(own, other), mark) for (own, mark), other in zip(cells, others, strict=True)]
        rows.append((name, cells))
    titles = [_title(column, direction(instances, column.name)) for column in columns]
    table = PaperTable(titles, rows)
    note = _note(table, instances, comparisons)
    if nested and selected:
        listed = "; ".join(
            f"{title}: {bias_text(bias)}" for title, bias in zip(titles, biases, strict=True) if bias is not None
        )
        note += (
            f" First row: each fold tests the instance that its own validation {items_word(instances)} choose (nested). Second "
            "row: the instance that all of them choose"
            + (f"; what it gains by having been chosen (bias) is estimated as {listed}." if listed else ".")
        )
    return table._replace(note=note)


def to_markdown(table: PaperTable) -> str:
    """Return the table as Markdown."""
    lines = [["instance", *map(in_markdown, table.header)], ["---"] * (1 + len(table.header))]
    lines += [[in_markdown(name), *(f"{text}{mark and f' {mark}'}" for text, mark in cells)] for name, cells in _texts(table)]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", in_markdown(table.note), ""])


def to_latex(table: PaperTable, *, label: str) -> str:
    """Return the table as LaTeX, for a document that uses the package booktabs; `label` is that for references."""
    needs = needs_of_latex("".join([table.note, *table.header, *(name for name, _ in table.rows)]))
    lines = [
        "% needs \\usepackage{booktabs}",
        *(f"% {sentence}" for sentence in needs),
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{in_latex(table.note)}}}",
        f"  \\label{{{_NOT_IN_LABELS.sub('-', label)}}}",
        f"  \\begin{{tabular}}{{l{'l' * len(table.header)}}}",
        "    \\toprule",
        f"    {' & '.join(['Instance', *map(in_latex, table.header)])} \\\\",
        "    \\midrule",
        *(f"    {' & '.join([in_latex(name), *(_latex_cell(*cell) for cell in cells)])} \\\\" for name, cells in _texts(table)),
        "    \\bottomrule",
        "  \\end{tabular}",
        "\\end{table}",
        "",
    ]
    return "\n".join(lines)


def _cell(instance: InstanceResults, side: str, metric: str, comparisons: Mapping[str, Comparison]) -> tuple[Estimate, str]:
    verdicts = {pair.instance: pair.verdict for pair in comparisons[metric].pairs} if metric in comparisons else {}
    return estimate(instance, side, metric), _MARKS.get(verdicts.get(str(instance.number), ""), "")


def _of_kind(nested: Estimate, selected: Estimate) -> Estimate:
    """Return the nested value; none where it is known by fold alone, and that below it over items: these are two statistics."""
    is_other = nested.of != selected.of and nested.of == OVER_FOLDS
    return nested._replace(value=None, low=None, high=None) if is_other else nested


def _texts(table: PaperTable) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the rows of a table with texts, those of a column with the same decimals."""
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


def _title(column: MainColumn, higher_is_better: bool | None) -> str:
    arrow = "" if higher_is_better is None else " ↑" if higher_is_better else " ↓"
    return f"{column.title}{arrow}"


def _note(table: PaperTable, instances: Sequence[InstanceResults], comparisons: Mapping[str, Comparison]) -> str:
    """Return the caption of a table that has none yet."""
    first, kinds = instances[0], []
    for column, title in enumerate(table.header):
        figure_kinds = sorted({cells[column][0].of for _, cells in table.rows})
        chances = sorted({estimated.chance for _, cells in table.rows if (estimated := cells[column][0]).chance is not None})
        chance = f", chance {' to '.join(dict.fromkeys(map(fixed, chances[:1] + chances[-1:])))}" if chances else ""
        kinds.append(f"{title}: {' or '.join(figure_kinds)}{chance}")
    deals = f" in {first.n_deals} repetitions of the cross-validation" if first.n_deals > 1 else ""
    seeds = f", {first.n_repeats} seeds each" if first.n_repeats > 1 else ""
    text = f"{first.settings.dataset}, {counted(first.n_folds, 'fold')}{deals}{seeds}. {'; '.join(kinds)}"
    if any(estimated.low is not None for _, cells in table.rows for estimated, _ in cells):
        text += f"; in brackets the 95 % interval {interval_clause(instances)}"
    n, baseline = max(((comparison.n_comparisons, comparison.baseline) for comparison in comparisons.values()), default=(0, ""))
    if n:
        baseline = names_of(instances).get(int(baseline), baseline)
        claims = dict.fromkeys(pair.claim for comparison in comparisons.values() for pair in comparison.pairs)
        text += (
            f". Better (+) or worse (-) than {baseline} by paired t tests over {items_word(instances)} at the level {LEVEL} "
            f"(Holm, {counted(n, 'comparison')} per column), practically equal to it (=) by two one-sided tests, or undecided "
            f"(no mark): a claim about {' or '.join(claims)}"
        )
    return " ".join(filter(None, [f"{text}.", item_decision_of(instances), item_scaling_of(instances)]))
