"""The three lines that every view of an experiment begins with: what was found, what may be said, what to do next.

Comes in: instances. Goes out: a `Headline`, three sentences of at most 25 words each.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from xval.answers.chance_findings import beyond_chance, item_known, not_above_chance, what_to_try
from xval.answers.chosen_comparison import compare_chosen
from xval.answers.figure_text import ROUNDING, Estimate, decimals, estimate, fixed
from xval.answers.finding import Finding, capital
from xval.answers.item_words import call_items_of, item_word, items_word
from xval.answers.leaking_column import fixing_column, leaking_column
from xval.answers.names import name_instances
from xval.answers.nested_selection import NestedInstance, bias_words, choose_nested, selection_bias
from xval.answers.pretrained import judge_instance
from xval.answers.ranking import Ranking, rank_instances
from xval.answers.summary import side_name, test_side
from xval.answers.training_findings import last_epoch
from xval.base.errors import counted
from xval.base.item_word import new_items
from xval.folds.random_split import is_random_split
from xval.results.instance import InstanceResults
from xval.settings.classical import CLASSICAL
from xval.settings.resolve import describe_numbers

if TYPE_CHECKING:
    from xval.answers.comparison.outcome import Comparison
    from xval.folds.shared_columns import SharedColumn

_LEAST_OF_TWO = 0.005  # of smaller numbers two decimals show nothing
MOST_WORDS = 25
_MOST_NAMED = 2  # of all the others
_MOST_LISTED = 4  # by name


class Headline(NamedTuple):
    """What a reader has to know first, a sentence each.

    Attributes:
        found: What the selected instance reaches on new items. Where several instances compete, that is the nested figure,
            and its own stands behind it with its bias, the selected figure minus the nested one.
        claim: What may be said of it, and what not.
        next: The most useful single step.
    """

    found: str
    claim: str
    next: str


def find_headline(instances: Sequence[InstanceResults]) -> Headline:
    """Return the three lines on some instances (at least one) of one experiment, whatever is finished of them."""
    done = [instance for instance in instances if instance.folds]
    if not done:
        return _nothing_finished(instances)
    ranking = rank_instances(done)
    if ranking.selected is None and len(done) > 1:
        value = f"{side_name(ranking.side, done)} {ranking.metric}".replace("_", " ")
        return Headline(
            f"No instance is selected: none has a {value}.",
            "Claim nothing about the best one: only validation may choose it.",
            f"Choose another rank_by, or let more {items_word(instances)} validate (validation_fraction).",
        )
    selected = next((instance for instance in done if instance.number == ranking.selected), done[0])
    answer = _Answer(instances, done, ranking, selected)
    return Headline(_found(answer), _claim(answer), _next(answer))


@dataclass(frozen=True)
class _Answer:
    """What the sentences are made of.

    Attributes:
        instances: All of them.
        done: Those with a finished fold.
        selected: The one that validation selects, or the only one.
    """

    instances: Sequence[InstanceResults]
    done: Sequence[InstanceResults]
    ranking: Ranking
    selected: InstanceResults

    @property
    def metric(self) -> str:
        return self.selected.task.main_metrics[0]

    @property
    def side(self) -> str:
        return test_side(self.done)

    @cached_property
    def nested(self) -> NestedInstance | None:
        return choose_nested(self.done, self.ranking)

    @cached_property
    def comparison(self) -> "Comparison | None":
        """The others minus the choice; None: nothing to compare, or not comparable."""
        return compare_chosen(self.done, self.ranking, self.selected, self.nested)

    @cached_property
    def at_chance(self) -> Finding | None:
        return not_above_chance(self.done, self.nested)

    @property
    def is_at_chance(self) -> bool:
        return self.at_chance is not None and self.selected.number in self.at_chance.instances

    @property
    def is_complete(self) -> bool:
        """Whether the value may be reported: no fold is missing, and no model had heard what, or who, it was tested on."""
        is_leaked = judge_instance(self.selected).state == "leaked" or self.leaking is not None
        return len(self.selected.folds) == self.selected.n_folds and not is_leaked

    @cached_property
    def leaking(self) -> "SharedColumn | None":
        """See `leaking_column`."""
        return leaking_column(self.done)

    @property
    def is_random_split(self) -> bool:
        return is_random_split(self.selected.n_clips.values())

    def name(self, numbers: Iterable[int], *, short: bool = False) -> str:
        listed = sorted(numbers)
        if short:
            return f"instance{'s' * (len(listed) > 1)} {describe_numbers(listed)}"
        return name_instances(listed, self.instances, most=_MOST_LISTED)

    def name_others(self, numbers: Sequence[int], *, short: bool) -> str:
        """Return the same, of more than two ``any of the other 3 instances`` where these are all."""
        is_any = len(numbers) > _MOST_NAMED and len(numbers) == len(self.done) - 1
        return f"any of the other {len(numbers)} instances" if is_any else self.name(numbers, short=short)


def _found(answer: _Answer) -> str:
    selected, nested = answer.selected, answer.nested
    metric, where = answer.metric.replace("_", " "), new_items("clip" if answer.is_random_split else item_word(answer.done))
    own, name = estimate(selected, answer.side, answer.metric), partial(answer.name, [selected.number])
    if own.value is None:
        return _fitting(lambda short: f"{name(short=short)} has no {metric} on {where}: it is undefined.")
    chance = "" if own.chance is None else f"; chance {decimals(own.chance)}"
    if nested is not None:
        reached = estimate(nested, answer.side, answer.metric)
        bias = selection_bias(selected, nested, answer.side, answer.metric)
        if bias is not None:
            alone = f"alone {fixed(own.value)} ({bias_words(bias)})"
            reached_by = f"{fixed(reached.value)} {metric} on {where}{_interval(reached)}"
            choice = f"choice among {nested.n_competing} instances"
            first = f"Report {reached_by} ({choice})" if answer.is_complete else f"{capital(choice)}: {reached_by}"
            return _fitting(lambda short: f"{first}{chance}; chosen: {name(short=short)}, {alone}.")
    value = f"{fixed(own.value)} {metric} on {where}{_interval(own)}{chance}"
    return _fitting(lambda short: f"{name(short=short)} reaches {value}.")


def _claim(answer: _Answer) -> str:
    from xval.answers.comparison.outcome import THESE_FOLDS, THESE_MODELS  # here, because it loads pandas

    selected = answer.selected
    lacking = selected.n_folds - len(selected.folds)
    origin = judge_instance(selected)
    figure = (answer.nested or selected).item_figure(answer.side, answer.metric)
    if origin.state == "leaked":
        return "Claim nothing about it: its model had heard what it was tested on."
    if answer.leaking:
        items, column = items_word(answer.done), answer.leaking.column
        return f"Claim nothing about it: {items} of one '{column}' train and are tested, and '{column}' fixes the label."
    if lacking:
        return f"Claim nothing about it yet: {lacking} of its {counted(selected.n_folds, 'fold')} {_are(lacking)} missing."
    if figure is None or figure["low"] is None:
        too_few = call_items_of(answer.done, figure.get("no_interval", "") if figure else "")
        why = f" ({too_few})" if too_few else ""
        return f"Claim nothing about it yet: its value has no interval over {items_word(answer.done)}{why}."
    if answer.is_at_chance:
        return f"You cannot claim that it is {beyond_chance(answer.done)}."
    known = item_known(answer.done, answer.at_chance, answer.nested)
    if known and selected.number in known.instances:
        return f"It is above chance, but not above what knowing the {item_word(answer.done)} alone reaches."
    above = f"It is {beyond_chance(answer.done)}" if figure["chance"] is not None else ""
    verdicts: dict[str, list[int]] = {}
    pairs = answer.comparison.pairs if answer.comparison else ()
    for pair in pairs:
        verdicts.setdefault(pair.verdict, []).append(int(pair.instance))
    worse, better = verdicts.pop("worse", []), verdicts.pop("better", [])
    open_numbers = sorted(number for numbers in verdicts.values() for number in numbers)
    claims = {pair.claim for pair in pairs if pair.verdict == "worse"}
    what = "The choice is" if answer.nested else "This way of training is"
    who = "These trained models are" if THESE_MODELS in claims else f"On these folds {what[0].lower()}{what[1:]}"
    who = who if claims & {THESE_MODELS, THESE_FOLDS} else what
    if better:
        return _fitting(
            lambda short: (
                f"You cannot claim that it is the best: {answer.name(better, short=short)} "
                f"{_are(len(better))} better on the tested {items_word(answer.done)}."
            )
        )
    if worse and open_numbers:
        return _fitting(
            lambda short: (
                f"{who} better than {answer.name(worse, short=short)}; you cannot claim that of "
                f"{answer.name(open_numbers, short=short)}."
            )
        )
    if worse:
        return _fitting(lambda short: f"{who} better than {answer.name_others(worse, short=short)}.")
    if open_numbers:
        first = f"{above}, but you" if above else "You"
        return _fitting(
            lambda short: f"{first} cannot claim that it is better than {answer.name_others(open_numbers, short=short)}."
        )
    return f"{above}; it is not compared with anything." if above else "Claim only its value: it is not compared with anything."


def _next(answer: _Answer) -> str:
    selected = answer.selected
    if step := _to_run(answer):
        return step
    if judge_instance(selected).state == "leaked":
        return "Leave out what was heard before: xval audit has the names."
    if answer.leaking:
        return f"Make '{answer.leaking.column}' the item (--item {answer.leaking.column}), and run again."
    if column := fixing_column(answer.done):
        return (
            f"Make '{column.column}' the item (--item {column.column}) if results are to hold for new ones: it fixes the label."
        )
    if answer.is_random_split:
        return "Split by speaker (or whatever must stay unseen), not by clip: see docs/folds.md."
    if answer.is_at_chance:
        last = last_epoch(answer.done)
        if last and selected.number in last.instances:
            return "Raise num_epochs: training ended while it was still improving."
        advice = what_to_try(answer.done, [selected.number]).replace(", ", ", or ")
        return f"{capital(advice)}."
    comparison = answer.comparison
    if comparison is None or not comparison.pairs:
        other = "cnn_small" if selected.settings.architecture in CLASSICAL else "svm"
        return f"Add an instance to compare it with, such as architecture = {other}."
    if not comparison.undecided:
        return "Report it: xval report with --latex prints the table for a paper."
    return comparison.next_step


def _to_run(answer: _Answer) -> str:
    """Return which folds to run, or which failures to mend; empty: all is there."""
    lacking = {instance.number: instance for instance in answer.instances if len(instance.done) < instance.n_jobs}
    failed = {number: instance for number, instance in lacking.items() if instance.failed}
    if failed:
        n_failed = sum(len(instance.failed) for instance in failed.values())
        jobs = counted(n_failed, "job")
        return _fitting(
            lambda short: f"Fix what failed ({jobs} of {answer.name(failed, short=short)}), then run the command again."
        )
    folds = {number: sorted(set(range(1, instance.n_folds + 1)) - set(instance.folds)) for number, instance in lacking.items()}
    missing = {number: numbers for number, numbers in folds.items() if numbers}
    if len(missing) == 1:
        ((number, numbers),) = missing.items()
        return _fitting(
            lambda short: f"Run the missing folds: {describe_numbers(numbers)} of {answer.name([number], short=short)}."
        )
    if missing:
        n_missing = sum(map(len, missing.values()))
        return _fitting(lambda short: f"Run the {n_missing} missing folds of {answer.name(missing, short=short)}.")
    if lacking:
        return _fitting(lambda short: f"Run the missing repeats of {answer.name(lacking, short=short)}.")
    return ""


def _nothing_finished(instances: Sequence[InstanceResults]) -> Headline:
    n_failed = sum(len(instance.failed) for instance in instances)
    if n_failed:
        reached = f"No fold is finished: {counted(n_failed, 'job')} failed."
        step = "Fix what failed, then run the command again."
    else:
        reached, step = "No fold is finished yet.", "Run the experiment."
    return Headline(reached, "There is nothing to claim yet.", step)


def _interval(estimated: Estimate) -> str:
    """Return `` [0.44, 0.54]``; empty where there is none."""
    low, high = estimated.low, estimated.high
    if low is None or high is None:
        return ""
    text = decimals if ROUNDING < max(abs(low), abs(high)) < _LEAST_OF_TWO else _two
    return f" [{text(low)}, {text(high)}]"


def _two(number: float) -> str:
    """Return two decimals, or three digits of numbers that are no shares."""
    return f"{number:z.2f}" if abs(number) < 10 else decimals(number)


def _fitting(make: Callable[[bool], str]) -> str:
    """Return a sentence with names, or with numbers alone where it would be too long."""
    sentence = make(False)
    if len(sentence.split()) <= MOST_WORDS:
        return sentence
    shorter = make(True)
    return f"{shorter[:1].upper()}{shorter[1:]}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
