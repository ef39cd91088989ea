"""The three lines at the top of every view of an experiment: result, evidence, next step.

The texts are in `xval.answers.line_cases`, a row for each case. This module chooses the case and fills its fields.
"""

import math
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from xval.answers import line_cases
from xval.answers.chosen_comparison import compare_chosen
from xval.answers.findings.xv301_not_above_chance import what_to_try
from xval.answers.findings.xv302_knows_the_speaker import recognised
from xval.answers.item_words import call_items_of
from xval.answers.leaking_column import fixing_column, leaking_column
from xval.answers.line_cases import CASES, FIRST, WITHOUT_FIRST, Headline
from xval.answers.names import name_instances, names_of
from xval.answers.nested_selection import NestedInstance, why_not_nested
from xval.answers.next_step import advice_on_few, are_perfect, call_variants, name_few
from xval.answers.pretrained import NEAR_DUPLICATES, judge_instance
from xval.answers.ranking import call_method
from xval.answers.repeats import copies, parameters_of, seed_replicates
from xval.answers.score_text import Estimate, estimate, in_column, p_text, rounded
from xval.answers.summary import metric_words, score_name
from xval.answers.variants import Variants
from xval.base.errors import capital, counted, first_of
from xval.base.item_word import new_items
from xval.base.json_files import hash_text
from xval.folds.random_split import is_random_split
from xval.results.instance import InstanceResults
from xval.results.item_scores import ItemScore
from xval.settings.architectures import doing
from xval.settings.classical import CLASSICAL

if TYPE_CHECKING:
    from xval.answers.comparison.outcome import Comparison, Pair

_MOST_LISTED = 4  # by name
_BASELINES = ("svm", "cnn_small", "mlp")


def find_headline(instances: Sequence[InstanceResults], experiment: str | None = None) -> Headline:
    """Return the three lines on some instances (at least one) of one experiment, finished or not.

    `experiment` is the experiment's name in commands; None: its path.
    """
    fields = _Fields(instances, experiment or str(instances[0].experiment.path))
    case = _choose_case(fields)
    lines = CASES[case]
    first = "" if case in WITHOUT_FIRST else fields.comes_first
    return Headline(*(" ".join(text.format_map(fields).split()) for text in lines._replace(next=FIRST.get(first, lines.next))))


def describe_evidence(comparison: "Comparison", done: Sequence[InstanceResults]) -> str:
    """Return sentences on how a comparison with the selected instance differs from the line Evidence; empty: it does not.

    Args:
        comparison: A comparison of instances of an experiment.
        done: All instances of the experiment with finished folds.
    """
    fields = _Fields(done, "")
    ranking, selected = fields.ranking, fields.selected
    is_of_selected = ranking.selected is not None and comparison.baseline == str(ranking.selected)
    if comparison.leaks or comparison.corrections or not is_of_selected or comparison.metric != fields.main_metric:
        return ""
    said = []
    if ranking.metric not in (comparison.metric, "loss"):
        by = f"Instance {selected.number} was selected by {metric_words(ranking.metric, done)}"
        said.append(f"{by}: --metric {ranking.metric} compares by it.")
    said.append(_describe_other_p(comparison, fields))
    return " ".join(filter(None, said))


def _describe_other_p(comparison: "Comparison", fields: "_Fields") -> str:
    """Return why the line Evidence has different p values; empty: it has the same ones, or none."""
    evidence, nested = fields.comparison, fields.nested
    line = CASES[_choose_case(fields)].evidence.format_map(fields)
    if evidence is None or not any(word in line for word in ("significant", "equal")):  # it may be of chance
        return ""
    shown = {pair.instance: p_text(pair.p_holm) for pair in comparison.pairs}
    others = {pair.instance: p for pair in evidence.pairs if (p := p_text(pair.p_holm)) != shown.get(pair.instance, p)}
    if not others:
        return ""
    listed = first_of((f"instance {name}: {p}" for name, p in others.items()), _MOST_LISTED)
    begin = f"The line Evidence rests on other p values ({listed}), because it"
    if nested and nested.is_varied:
        return (
            f"{begin} tests the choice among {nested.n_competing} variants (nested). Report those if validation chose the "
            f"variant: this table tests instance {fields.selected.number} as if it had been fixed before, which is optimistic."
        )
    return f"{begin} is adjusted for {evidence.n_comparisons} comparisons."


@cache
def hash_texts() -> str:
    """Return a hash of the code of all answers, which shows whether another version wrote the stored lines."""
    return hash_text(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py"))))


def _choose_case(fields: "_Fields") -> str:
    """Return the first case of `CASES` that holds."""
    if not fields.done:
        return "all failed" if fields.failures else "nothing finished"
    if fields.ranking.selected is None and len(fields.done) > 1:
        return "none selected"
    selected = fields.selected
    if judge_instance(selected).state == "leaked":
        return "near-duplicates" if fields.part == NEAR_DUPLICATES else "leaked"
    if leaking_column(fields.done):
        return "shared column"
    if fields.own_estimate.value is None:
        return "undefined"
    if len(selected.folds) < selected.n_folds:
        return "failed" if selected.number in fields.failures else "unfinished"
    score = fields.item_score
    if selected.number in fields.at_chance:
        return _case_at_chance(score)
    if fields.is_random_split:
        return "random split"
    if are_perfect([fields.nested or selected]):
        return "perfect, few" if fields.advice_on_few else "perfect decisions" if selected.decides_items else "perfect"
    if score is None or score["low"] is None:
        return "no interval" if not fields.too_few else "few of a class" if fields.advice_on_few else "few items"
    if any(selected.number in known.where for known in recognised.find(fields)):
        return "knows the item"
    return _case_of_comparison(fields)


def _case_at_chance(score: ItemScore | None) -> str:
    if score is None or score["low"] is None or score["high"] is None or score["chance"] is None:
        return "at chance, no interval"
    return "at chance" if score["low"] <= score["chance"] <= score["high"] else "worse than chance"


def _case_of_comparison(fields: "_Fields") -> str:
    comparison = fields.comparison
    if comparison is None or not comparison.pairs:
        if fields.own_copies:
            return "same settings"
        return "alone" if len(fields.done) == 1 else "other seeds" if fields.are_seeds else "not comparable"
    if comparison.corrections:
        return "other labels"
    if comparison.leaks:
        return "others leaked"
    worse, better, equal, undecided = (fields.pairs(*verdicts) for verdicts in (["worse"], ["better"], _EQUAL, _UNDECIDED))
    if better:
        return "another is better"
    if undecided:
        return "some open" if worse else "all open" if fields.is_above_chance else "all open, no chance"
    if equal:
        return "some equal" if worse else "all equal"
    return "clear winner" if len(worse) > 1 else "better than one"


_EQUAL, _UNDECIDED = ["practically equal"], ["undecided", "no test"]


class _Fields(Variants):
    """The fields of the texts by name, each computed when a text uses it; `experiment` is the experiment's name in commands."""

    def __init__(self, instances: Sequence[InstanceResults], experiment: str) -> None:
        super().__init__(instances)
        self.experiment = experiment

    def __getitem__(self, name: str) -> object:
        return getattr(self, name)

    # What there is.

    @cached_property
    def selected(self) -> InstanceResults:
        """The instance that validation selects, or the only one."""
        return next((instance for instance in self.done if instance.number == self.ranking.selected), self.done[0])

    @cached_property
    def nested(self) -> NestedInstance | None:
        """The choices of the folds as one instance; None: no choice, or a chosen model was trained on its test data."""
        nested = super().nested
        return None if nested and judge_instance(nested).state == "leaked" else nested

    @cached_property
    def comparison(self) -> "Comparison | None":
        """The comparison of the others with the choice; None: nothing to compare, or not comparable."""
        return compare_chosen(self.done, self.ranking, self.selected, self.nested, self.at_chance)

    def pairs(self, *verdicts: str) -> "list[Pair]":
        return [pair for pair in (self.comparison.pairs if self.comparison else ()) if pair.verdict in verdicts]

    @property
    def item_score(self) -> ItemScore | None:
        if self.nested:
            return self.nested.item_score(self.side, self.main_metric)
        return self.main_scores.get(self.selected.number)

    @cached_property
    def method(self) -> InstanceResults:
        """The selected instance, or the only one, with all seeds of its method."""
        return super().method or self.selected

    @cached_property
    def own_estimate(self) -> Estimate:
        return estimate(self.method, self.side, self.main_metric)

    @cached_property
    def nested_estimate(self) -> Estimate | None:
        if self.nested is None:
            return None
        found = estimate(self.nested, self.side, self.main_metric)
        return found if found.value is not None else None

    @property
    def is_random_split(self) -> bool:
        return is_random_split(self.selected.n_clips.values()) and "XV102" not in self.silenced

    @cached_property
    def lacking(self) -> dict[int, InstanceResults]:
        """The instances with unfinished jobs, by number."""
        return {instance.number: instance for instance in self.instances if len(instance.done) < instance.n_jobs}

    @cached_property
    def failures(self) -> dict[int, int]:
        """The number of failed jobs, by the number of the instance."""
        return {number: len(instance.failed) for number, instance in self.lacking.items() if instance.failed}

    @property
    def comes_first(self) -> str:
        """The text of `FIRST` that is shown instead of the next step."""
        if self.failures:
            return "failed"
        return "unfinished" if self.lacking else "fixes the label" if fixing_column(self.done) else ""

    # What the fields say of it.

    def _name(self, numbers: Sequence[int]) -> str:
        if len(self.instances) == 1:
            return names_of(self.instances)[numbers[0]]
        return name_instances(sorted(numbers), self.instances, most=_MOST_LISTED)

    def _name_pairs(self, *verdicts: str) -> str:
        numbers = sorted(int(pair.instance) for pair in self.pairs(*verdicts))
        return self.call_methods(numbers, most=_MOST_LISTED)

    def _write(self, number: float | None) -> str:
        """Return a number with the same decimals as all other numbers of the line."""
        numbers = [
            number
            for found in (self.own_estimate, self.nested_estimate)
            if found
            for number in (found.value, found.low, found.high, found.chance)
        ]
        return "–" if number is None else in_column(numbers)(number)

    @property
    def name(self) -> str:
        return call_method(self.method, self.instances) if len(self.instances) > 1 else self._name([self.selected.number])

    @property
    def metric(self) -> str:
        return metric_words(self.main_metric)

    @property
    def Metric(self) -> str:  # noqa: N802 - the field at the beginning of a sentence
        return capital(self.metric)

    @property
    def unseen(self) -> str:
        return new_items(self.item)

    @property
    def Items(self) -> str:  # noqa: N802
        return capital(self.items)

    @property
    def own(self) -> str:
        return self._write(self.own_estimate.value)

    @property
    def score(self) -> str:
        return self.own_estimate.written(self._write)

    @property
    def nested_score(self) -> str:
        return (self.nested_estimate or self.own_estimate).written(self._write)

    @property
    def compared(self) -> str:
        """The name of what is tested: the choice where folds choose different variants, else the variant."""
        if self.nested and self.nested.is_varied:
            return "Choosing by validation"
        return self.name

    @property
    def n_variants(self) -> int:
        return self.nested.n_competing if self.nested else 1

    @property
    def _has_other_metric(self) -> bool:
        """Whether validation chooses by a metric other than the reported one."""
        return self.ranking.metric != self.main_metric

    @property
    def by_other_metric(self) -> str:
        return f" by {self.ranked_by}" if self._has_other_metric else ""

    @property
    def in_metric(self) -> str:
        """The metric of the comparison, where validation chooses by another one."""
        return f" in {self.metric}" if self._has_other_metric and self.ranking.metric != "loss" else ""

    @property
    def in_other_metric(self) -> str:
        """The test score in the metric that chooses; empty if the loss chooses because the metric cannot."""
        found = estimate(self.method, self.side, self.ranking.metric)
        if not self._has_other_metric or self.ranking.metric == "loss" or found.value is None:
            return ""
        return f" ({metric_words(self.ranking.metric, self.done)} {rounded(found.value)[0]})"

    @property
    def n_ranked(self) -> int:
        return self.selected.over_folds(self.ranking.side, self.ranking.metric)["n"]

    @property
    def partly_validated(self) -> str:
        return line_cases.PARTLY_VALIDATED.format_map(self) if self.n_ranked < len(self.selected.folds) else ""

    @property
    def reached(self) -> str:
        if self.nested_estimate:
            return line_cases.CHOSEN.format_map(self)
        chosen = self.partly_validated if len(self.done) > 1 else ""
        return " ".join((line_cases.ONE.format_map(self), why_not_nested(self.done, self.ranking), chosen))

    @property
    def scored(self) -> str:
        return (line_cases.SCORED_CHOSEN if self.nested_estimate else line_cases.SCORED).format_map(self)

    @property
    def chance(self) -> str:
        found = self.nested_estimate or self.own_estimate
        return self._write(self.own_estimate.chance if found.chance is None else found.chance)

    @property
    def and_chance(self) -> str:
        return "" if self.own_estimate.chance is None else f"; chance is {self.chance}"

    @property
    def in_chance(self) -> str:
        return "" if self.own_estimate.chance is None else f" (chance {self.chance})"

    @property
    def is_above_chance(self) -> str:
        is_known = self.item_score is not None and self.item_score["chance"] is not None
        return f"{capital(self.above_chance)}. " if is_known else ""

    @property
    def item_level(self) -> str:
        score = self.item_score
        levels = [score.get("permuted"), score.get("group_chance")] if score else []
        return self._write(max(level for level in levels if level is not None))

    @property
    def too_few(self) -> str:
        return call_items_of(self.done, self.item_score.get("no_interval", "") if self.item_score else "")

    @property
    def few(self) -> str:
        return name_few(self.done)

    @cached_property
    def advice_on_few(self) -> str:
        return advice_on_few(self.done)

    @property
    def part(self) -> str:
        return judge_instance(self.selected).parts[0]

    @property
    def column(self) -> str:
        column = leaking_column(self.done)
        return column.column if column else ""

    @property
    def fixing(self) -> str:
        column = fixing_column(self.done)
        return column.column if column else ""

    @property
    def n_done(self) -> int:
        return len(self.selected.folds)

    @property
    def total(self) -> int:
        return self.selected.n_folds

    @property
    def failed(self) -> str:
        return f"{counted(sum(self.failures.values()), 'job')} of {self._name([*self.failures])}"

    @property
    def n_failed(self) -> str:
        return counted(sum(self.failures.values()), "job")

    @property
    def unfinished(self) -> str:
        return self._name([*self.lacking])

    @property
    def ranked_by(self) -> str:
        return score_name(self.ranking.side, self.ranking.metric, self.done)

    @property
    def try_next(self) -> str:
        return what_to_try(self)

    @property
    def baseline(self) -> str:
        own, possible = self.selected.settings.architecture, doing(self.selected.task.name)
        others = [name for name in _BASELINES if name != own and name in possible]
        others.sort(key=lambda name: (name in CLASSICAL) == (own in CLASSICAL))  # first one of the other kind
        return f"architecture = {others[0]}" if others else "other features"

    @property
    def are_seeds(self) -> bool:
        """Whether the variants differ only in their seed."""
        return any(len(group) == len(self.done) for group in seed_replicates(parameters_of(self.done)))

    @property
    def n_seeds(self) -> int:
        return len({str(instance.parameters.get("seed")) for instance in self.done})

    @property
    def own_copies(self) -> tuple[int, ...]:
        """The selected instance and the instances with the same settings; empty if there are none."""
        return next((group for group in copies(parameters_of(self.done)) if self.selected.number in group), ())

    @property
    def copies(self) -> str:
        return call_variants(map(str, self.own_copies))

    @property
    def further_copies(self) -> str:
        return call_variants(map(str, self.own_copies[1:]))

    @property
    def leaked(self) -> str:
        return self._name([int(name) for name in (self.comparison.leaks if self.comparison else ()) if name.isdecimal()])

    @property
    def worse(self) -> str:
        return self._name_pairs("worse")

    @property
    def all_worse(self) -> str:
        n_worse = len(self.pairs("worse"))
        return "both" if n_worse == 2 else f"all {n_worse}"

    @property
    def better(self) -> str:
        return self._name_pairs("better")

    @property
    def open(self) -> str:
        return self._name_pairs(*_EQUAL, *_UNDECIDED)

    @property
    def any_open(self) -> str:
        n_open = len(self.pairs(*_EQUAL, *_UNDECIDED))
        return f"any of the {n_open} others" if 2 < n_open == len(self.done) - 1 else self.open

    def _p(self, *verdicts: str, sign: str) -> str:
        """Return the p value of some pairs: for several pairs the largest (``<=``) or the smallest (``>=``)."""
        known = [pair.p_holm for pair in self.pairs(*verdicts) if not math.isnan(pair.p_holm)]
        if not known:
            return "no test"
        p = max(known) if sign == "<=" else min(known)
        adjusted = "adjusted " if self.comparison and self.comparison.n_comparisons > 1 else ""
        if p < 0.001:
            return f"{adjusted}p < 0.001"
        return f"{adjusted}p {sign if len(known) > 1 else '='} {p:.3f}"

    @property
    def p_worse(self) -> str:
        return self._p("worse", sign="<=")

    @property
    def p_better(self) -> str:
        return self._p("better", sign="<=")

    @property
    def p_open(self) -> str:
        return self._p(*_UNDECIDED, sign=">=")

    @property
    def rope(self) -> str:
        return f"{self.comparison.rope:g}" if self.comparison else ""

    @property
    def caveat(self) -> str:
        claims = {pair.claim for pair in self.pairs("worse")}
        return next((text for claim, text in line_cases.CAVEATS.items() if claim in claims), "")

    @property
    def step(self) -> str:
        return self.comparison.next_step if self.comparison else ""
