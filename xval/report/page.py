"""Assemble the page of an experiment: report.html, a single file that loads no others.

The templates escape all values from files; only the page's own script may run, identified by its hash.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from preprocessing.corpus import CUSTOM
from xval.answers.comparison import text as comparison_text
from xval.answers.comparison.outcome import Comparison, Pair
from xval.answers.findings import find_findings
from xval.answers.headline import find_headline
from xval.answers.item_words import item_word, items_word
from xval.answers.leakage_kinds import leakage_by_kind
from xval.answers.learning_curves import learning_curves
from xval.answers.pretrained import clause, judge_instance
from xval.answers.ranking import describe_common_means, describe_selection
from xval.answers.score_text import (
    Estimate,
    estimate,
    format_folds,
    format_score,
    format_time,
    in_column,
    texts_of,
)
from xval.answers.summary import differing_parameters, main_and_own, score_name
from xval.answers.training_runs import rank_items
from xval.answers.trials import describe_search
from xval.base.errors import SettingsError, XvalError, one_line
from xval.base.numbers import finite_or_none
from xval.base.shelf import load_offers
from xval.base.terminal import write_line
from xval.report import charts, protocol, training_table, worst_answers
from xval.report.agreement_pictures import draw_agreement, draw_operating_points
from xval.report.citations import bibtex
from xval.report.contents import PageContents
from xval.report.rendering import make_environment, render_page
from xval.report.score_columns import MainColumn, main_columns, parameter_text
from xval.report.sections import instance_sections

_PARTS = ("instances", "errors", "comparison", "protocol")  # to which extras add sections
_MOST_PICTURED = 50  # instances in the picture of all
_MOST_COLUMNS = 12  # instances in the table of items
_ROOM = 76  # characters of 1,100 px that the table of instances has next to number, comment, validation score and time
_ROOM_OF_FIGURE = 22  # of 0.842 [0.766, 0.901]


class InstanceRow(NamedTuple):
    """A row of the table of instances.

    Attributes:
        parameters: The parameters that differ between instances, as text, by name.
        validation: The validation score that ranks it; None: it has none.
        validation_text: This score with the decimals of its column.
        estimates: Its main test scores.
        texts: The main test scores with the decimals of their columns.
        means: Mean and standard deviation of the main test scores over folds, as text.
        origin: Its leakage verdict, as from `clause`; empty: clean.
        time: h:mm:ss.
        folds: Finished and total number of folds.
        is_selected: Whether the validation scores select it.
    """

    number: int
    name: str
    architecture: str
    parameters: dict[str, str]
    validation: float | None
    validation_text: str
    estimates: list[Estimate]
    texts: list[str]
    means: list[str]
    origin: str
    time: str
    folds: str
    is_selected: bool
    has_section: bool


class Shade(NamedTuple):
    """The colour of a value in a table: worse values are redder."""

    low: float
    high: float
    higher_is_better: bool

    def of(self, value: float | None) -> str:
        """Return the opacity of the colour, 0 to 0.6."""
        if value is None or self.high == self.low:
            return "0"
        share = (value - self.low) / (self.high - self.low)
        return f"{0.6 * (1 - share if self.higher_is_better else share):.2f}"


def make_page(contents: PageContents) -> str:
    """Return the text of report.html."""
    environment = make_environment()
    instances = contents.instances
    settings = instances[0].settings
    task = settings.task
    columns = main_columns(instances, main_and_own(instances))
    differing = differing_parameters([instance.parameters for instance in instances])
    parameters = _that_fit(contents, differing, len(columns))
    sections = instance_sections(environment, contents, task)
    compared = contents.numbers[:_MOST_COLUMNS]
    item_metric, higher, items = rank_items([contents.by_number[number] for number in compared])
    items = [row._replace(values=[finite_or_none(value) for value in row.values]) for row in items]
    values = [value for row in items for value in row.values if value is not None]
    paragraphs = protocol.describe_protocol(contents)
    return render_page(
        environment,
        "page.html",
        contents=contents,
        settings=settings,
        task=task,
        n_done=sum(len(instance.folds) for instance in instances),
        n_failed=sum(len(instance.failed_folds) for instance in instances),
        n_folds=sum(instance.n_folds for instance in instances),
        headline=find_headline(instances).labelled,
        answer=describe_answer(contents),
        columns=[column.title for column in columns],
        same=[column.same for column in columns if column.same] + describe_common_means(instances, contents.ranking),
        validation_column=score_name(contents.ranking.side, contents.ranking.metric, contents.instances),
        parameter_names=parameters,
        differing=differing,
        rows=_rows(contents, columns, differing, sections),
        pictures=[_picture(contents, column) for column in columns],
        learning_curves=_learning_curves(contents, columns[0].side, columns[0].name) if columns else [],
        n_pictured=min(_MOST_PICTURED, len(instances)),
        matrix=_matrix(contents.comparisons),
        comparison_text=comparison_text,
        sections=list(sections.values()),
        item_metric=item_metric,
        item_word=item_word(instances),
        items_word=items_word(instances),
        decides_items=instances[0].decides_items,
        item_instances=compared,
        items=items,
        item_shade=Shade(min(values, default=0.0), max(values, default=1.0), higher),
        failing=(failing := worst_answers.failing_items(contents, task)),
        which_fail=worst_answers.describe_failing(contents, failing),
        worst_order=task.worst_first,
        sections_of_extras=_sections_of_extras(contents),
        operating_pictures=draw_operating_points(contents.operating_points) if contents.operating_points else [],
        agreement_pictures=list(map(draw_agreement, contents.agreements)),
        event_labels=worst_answers.event_labels(contents),
        protocol=paragraphs,
        training_header=training_table.HEADER,
        training_note=training_table.NOTE,
        training_rows=training_table.training_rows(instances),
        leakage_kinds=leakage_by_kind(contents.verdicts, is_custom=_is_custom(contents)),
        bibtex=bibtex(paragraphs),
    )


def _sections_of_extras(contents: PageContents) -> dict[str, list[Markup]]:
    """Return the sections of extras for each part of the page, by the id of the part."""
    sections: dict[str, list[Markup]] = {part: [] for part in _PARTS}
    offers = load_offers("section")
    for offer in offers:
        if getattr(offer, "PART", None) not in sections or not hasattr(offer, "POSITION"):
            raise SettingsError(
                f"{offer.__file__}: expected POSITION, a number, and PART, one of {', '.join(_PARTS)}; "
                f"received PART = {getattr(offer, 'PART', None)!r}."
            )
    for offer in sorted(offers, key=attrgetter("POSITION")):
        try:
            section = offer.show(contents)
        except XvalError:
            raise
        except Exception as error:
            if sys.flags.dev_mode:
                raise
            _name_failure(Path(str(offer.__file__)).parent.name, one_line(error))
            continue
        if section:
            sections[offer.PART].append(section)
    return sections


@cache  # a run writes the page many times
def _name_failure(extra: str, error: str) -> None:
    line = f"skipped: the section of the extra '{extra}', which failed: {error} (python -X dev -m xval shows the traceback)"
    write_line(line, sys.stderr)


def _is_custom(contents: PageContents) -> bool:
    """Return whether the user passed the examples of some instance as arrays."""
    return any(record.get("store") == CUSTOM for instance in contents.instances for record in instance.folds.values())


def describe_answer(contents: PageContents) -> list[str]:
    """Return sentences that supplement the three lines."""
    searched = filter(None, map(describe_search, contents.instances))
    return [
        describe_selection(contents.instances),
        *searched,
        *(finding.line for finding in find_findings(contents.instances)),
    ]


def _rows(
    contents: PageContents,
    columns: Sequence[MainColumn],
    differing: Sequence[str],
    sections: Mapping[int, Markup],
) -> list[InstanceRow]:
    rows = []
    estimates = [[estimate(instance, column.side, column.name) for column in columns] for instance in contents.instances]
    by_column = [texts_of([instance_estimates[place] for instance_estimates in estimates]) for place in range(len(columns))]
    validation = [
        instance.over_folds(contents.ranking.side, contents.ranking.metric)["mean"] for instance in contents.instances
    ]
    write = in_column(validation)
    for place, instance in enumerate(contents.instances):
        number, ranked_by = instance.number, validation[place]
        rows.append(
            InstanceRow(
                number=number,
                name=contents.name_of(number),
                architecture=parameter_text(instance, "architecture"),
                parameters={name: parameter_text(instance, name) for name in differing},
                validation=ranked_by,
                validation_text="–" if ranked_by is None else write(ranked_by),
                estimates=estimates[place],
                texts=[texts[place] for texts in by_column],
                means=[format_score(instance.over_folds(main.side, main.name), instance.n_folds) for main in columns],
                origin=clause(judge_instance(instance)),
                time=format_time(instance.seconds),
                folds=format_folds(instance),
                is_selected=number == contents.ranking.selected,
                has_section=number in sections,
            )
        )
    return rows


def _that_fit(contents: PageContents, differing: Sequence[str], n_scores: int) -> list[str]:
    """Return the parameters whose columns fit on the page next to the scores, in their order."""
    instances = contents.instances
    room = (
        _ROOM
        - _ROOM_OF_FIGURE * n_scores
        - max(_longest_piece(parameter_text(instance, "architecture")) for instance in instances)
    )
    room -= max(_longest_piece(format_folds(instance)) for instance in instances)
    fitting = []
    for name in differing:
        # The arrow of sorting is below a head, and the space between columns is that of two characters.
        width = 2 + max(map(_longest_piece, (name, *(parameter_text(instance, name) for instance in instances))))
        if width <= room:
            fitting.append(name)
            room -= width
    return fitting


def _longest_piece(text: object) -> int:
    """Return the number of characters in the longest unbreakable piece of a text."""
    return max(map(len, str(text).replace("_", "_ ").split()), default=0)


def _picture(contents: PageContents, column: MainColumn) -> Markup:
    rows = [
        charts.IntervalRow(
            number,
            contents.name_of(number),
            estimate(contents.by_number[number], column.side, column.name),
            number == contents.ranking.selected,
        )
        for number in contents.numbers[:_MOST_PICTURED]
    ]
    title = f"{column.title} of each instance"
    return charts.draw_instances(rows, title) + charts.draw_instances(rows, title, is_narrow=True)


def _learning_curves(contents: PageContents, side: str, metric: str) -> list[tuple[str, str, Markup]]:
    """Return the x axis, the instances and a picture of each learning curve."""
    pictures, items = [], items_word(contents.instances)
    axes = {
        "train_fraction": (f"the mean number of training {items}", items),
        "enrolment_s": (f"the seconds of enrolment, after which the other clips of tested {items} are predicted", "s"),
    }
    for name, (what, unit) in axes.items():
        for curve in learning_curves(contents.instances, name):
            points = [
                (
                    point.across,
                    charts.IntervalRow(
                        point.instance, "", estimate(contents.by_number[point.instance], side, metric), is_selected=False
                    ),
                )
                for point in curve
            ]
            listed = f"Instances ({name}): " + ", ".join(f"{point.instance} ({point.setting:g})" for point in curve)
            title = f"{score_name(side, metric, contents.instances)} over {what}"
            pictures.append((what, listed, charts.draw_learning_curve(points, title, unit)))
    return pictures


def _matrix(comparisons: Sequence[Comparison]) -> list[tuple[str, list[Pair | None]]]:
    """Return a row per instance: its pair with each baseline, None for itself and for missing pairs.

    The two cells of a pair of instances have the larger of their two adjusted p values, so that they agree.
    """
    pairs = {(pair.instance, comparison.baseline): pair for comparison in comparisons for pair in comparison.pairs}
    names = [comparison.baseline for comparison in comparisons]

    def cell(row: str, column: str) -> Pair | None:
        pair, mirrored = pairs.get((row, column)), pairs.get((column, row))
        if pair is None or mirrored is None:
            return pair
        return replace(pair, p_holm=max(pair.p_holm, mirrored.p_holm), p_equal=max(pair.p_equal, mirrored.p_equal))

    return [(row, [cell(row, column) for column in names]) for row in names]
