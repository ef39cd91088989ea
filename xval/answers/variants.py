"""Some variants of one experiment, with the values that findings and the three lines share."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from xval.answers.item_words import item_word, items_word
from xval.answers.names import name_instances, name_numbers
from xval.answers.nested_selection import NestedInstance, choose_nested
from xval.answers.ranking import Ranking, call_method, join_seeds, rank_instances, selected_method
from xval.answers.repeats import parameters_of, seed_replicates
from xval.answers.score_text import interval_clause, interval_clauses
from xval.answers.summary import direction, score_name, test_side
from xval.base.errors import join_words
from xval.results.instance import InstanceResults, JoinedSeeds
from xval.results.item_scores import ItemScore
from xval.settings.architectures import ENSEMBLE, trains_network
from xval.settings.finding_codes import silenced

IGNORES_THE_AUDIO = "constant"


class Variants:
    """Some variants of one experiment; most attributes require at least one finished fold.

    Attributes:
        instances: All variants.
        done: The variants with a finished fold.
    """

    def __init__(self, instances: Sequence[InstanceResults]) -> None:
        self.instances = instances
        self.done = [instance for instance in instances if instance.folds]

    @cached_property
    def silenced(self) -> frozenset[str]:
        """The codes of the findings that all of them silence."""
        return silenced(instance.parameters.get("silence") for instance in self.done)

    @property
    def item(self) -> str:
        """The word for an item: ``speaker``."""
        return item_word(self.done)

    @property
    def items(self) -> str:
        """The word for several items: ``speakers``."""
        return items_word(self.done)

    def call(self, numbers: Collection[int]) -> str:
        """Return ``SVM (3)``, or ``variants 3-5, 7`` for many."""
        return name_instances(numbers, self.done)

    def call_methods(self, numbers: Collection[int], most: int = 2) -> str:
        """Return `call` of instances that are compared: each stands for those that differ from it only in their seed."""
        selected = self.ranking.selected
        joined = {instance.number: instance for instance in join_seeds(self.done, [selected or 0])[0]}
        if len(numbers) > most or not any(isinstance(joined.get(number), JoinedSeeds) for number in numbers):
            return name_instances(numbers, self.instances, most=most)
        return join_words([call_method(joined[number], self.instances) for number in numbers])

    @cached_property
    def ranking(self) -> Ranking:
        """The ranking of the variants with a finished fold by validation."""
        return rank_instances(self.done)

    @cached_property
    def nested(self) -> NestedInstance | None:
        """The choices of the folds as one instance."""
        return choose_nested(self.done, self.ranking)

    def by_nested(self, numbers: Collection[int]) -> str:
        """Return a clause that names those of some variants whose score is the nested one; empty: none has it."""
        named = [number for number in self._of_method if number in numbers] if self.nested else []
        return f" ({name_numbers(named)} by {'their' if len(named) > 1 else 'its'} nested estimate)" if named else ""

    @cached_property
    def method(self) -> InstanceResults | None:
        """The selected instance with all seeds of its method; None: none is selected."""
        return selected_method(self.done, self.ranking)

    @property
    def _of_method(self) -> list[int]:
        """The numbers of the selected instance and of the other seeds of its method."""
        method = self.method
        return [part.number for part in method.parts] if isinstance(method, JoinedSeeds) else [method.number] if method else []

    @property
    def interval_words(self) -> str:
        """What the intervals of the variants cover, and that of the line Result if it covers several seeds; empty: none."""
        words = interval_clause(self.instances)
        if not words or not seed_replicates(parameters_of(self.done)):
            return words
        reported: InstanceResults | None = self.nested
        called = "the nested score"
        if reported is None and isinstance(self.method, JoinedSeeds):
            reported, called = self.method, f"the {self.method.seeds}"
        own = "".join(interval_clauses([reported])) if reported else ""
        if own in ("", words):
            return words
        return f"{words if words.startswith('of ') else f'of each instance {words}'}; of {called} {own}"

    @property
    def side(self) -> str:
        """The side of the main test score: ``clip_test`` where clips are cut into windows, else ``test``."""
        return test_side(self.done)

    @property
    def main_metric(self) -> str:
        """The first metric of the task."""
        return self.done[0].task.main_metrics[0]

    @property
    def main_score(self) -> str:
        """The name of the main test metric in texts."""
        return score_name(self.side, self.main_metric, self.done)

    @property
    def above_chance(self) -> str:
        """``above chance``, or ``better than chance`` for an error, where less is better."""
        return "above chance" if direction(self.done, self.main_metric) else "better than chance"

    @cached_property
    def baselines(self) -> set[int]:
        """The variants that predict a constant."""
        return {instance.number for instance in self.done if instance.settings.architecture == IGNORES_THE_AUDIO}

    @cached_property
    def main_scores(self) -> Mapping[int, ItemScore]:
        """The main test score of each variant that has one, by number.

        The chosen method has the nested score, or that of all its seeds.
        """
        scores = {instance.number: instance.item_score(self.side, self.main_metric) for instance in self.done}
        chosen = self.nested or self.method
        score = chosen.item_score(self.side, self.main_metric) if chosen else None
        if chosen and score and score["chance"] is not None:  # not known where predictions are gone
            scores |= dict.fromkeys(self._of_method, score)
        return {number: score for number, score in scores.items() if score}

    @cached_property
    def at_chance(self) -> tuple[int, ...]:
        """The variants with a main test score whose interval contains chance or is worse.

        A variant that predicts a constant is a baseline; it is skipped if another variant is above chance, unless it is
        selected.

        The variant that was chosen among others has the nested score, because with random labels and 30 variants its own score
        is above chance in every third study.
        """
        sign = 1 if direction(self.done, self.main_metric) else -1
        numbers = [n for n, score in self.main_scores.items() if not is_better(score, score["chance"], sign)]
        baselines = self.baselines - {self.ranking.selected}
        if any(number not in numbers for number in self.main_scores if number not in baselines):
            numbers = [number for number in numbers if number not in baselines]
        return tuple(numbers)


def is_network(instance: InstanceResults) -> bool:
    """Return whether an instance trains its own network."""
    name = instance.settings.architecture
    return trains_network(name) and name != ENSEMBLE


def weighs_classes(instance: InstanceResults) -> bool:
    """Return whether training weights rare classes more."""
    return instance.parameters.get("class_weights", "none") != "none" or instance.parameters.get("sampling") == "balanced"


def is_better(score: ItemScore, level: float | None, sign: int) -> bool:
    """Return whether the worse end of an interval is better than a level; True if this is not known.

    `sign` is 1 if more is better, else -1.
    """
    worst = score["low"] if sign > 0 else score["high"]
    if worst is None:
        worst = score[score["of"]]  # all items have the same score, or there are few
    return worst is None or level is None or sign * (worst - level) > 0
