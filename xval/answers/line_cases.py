"""The texts of the three lines, a row for each case: result, evidence, next step.

Fields in braces are those of `xval.answers.headline`, which chooses the case.
"""

from typing import NamedTuple


class Headline(NamedTuple):
    """The three lines at the top of a view.

    Attributes:
        result: The score of the selected variant on unseen items. Where variants compete, the nested estimate comes first,
            followed by the score of the selected variant.
        evidence: What this score shows and does not show.
        next: The most useful step.
    """

    result: str
    evidence: str
    next: str

    @property
    def labelled(self) -> list[tuple[str, str]]:
        """Each line behind its label: Result, Evidence, Next."""
        return [(name.capitalize(), text) for name, text in zip(self._fields, self, strict=True)]


ONE = "{name} reaches {metric} {score} on {unseen}{and_chance}."
CHOSEN = (
    "Report {metric} {nested_score} on {unseen}{in_chance}: the nested estimate for choosing among {n_variants} variants"
    "{by_other_metric}. The chosen one, {name}, scored {own}{in_other_metric}. {partly_validated}"
)
SCORED = "{name} scored {metric} {score}."
SCORED_CHOSEN = (
    "Choosing among {n_variants} variants{by_other_metric} scored {metric} {nested_score} on {unseen}. The chosen one, {name}, "
    "scored {own}{in_other_metric}. {partly_validated}"
)
PARTLY_VALIDATED = "Only {n_ranked} of {total} folds have the {ranked_by} by which it was chosen."
_INVALID = "Not valid as a test: {name} scored {own}."
_WHICH = "{compared} is significantly better{in_metric} than"
_READY = "Ready to report: xval report {experiment} --latex."
STEP_OF_DECISIONS = "Test more {items}: these are all decided correctly, so they show neither errors nor differences."

CASES = {
    "nothing finished": Headline("No fold is finished yet.", "There is nothing to report yet.", "Run the experiment."),
    "all failed": Headline(
        "No fold is finished: {n_failed} failed.",
        "There is nothing to report yet.",
        "Fix the error, then run the same command again.",
    ),
    "none selected": Headline(
        "No variant can be selected, because none has a {ranked_by}.",
        "Only validation may choose a variant, so do not report any of them as the best.",
        "Choose another rank_by, or let more {items} validate (validation_fraction).",
    ),
    "undefined": Headline(
        "{name} has no {metric} on {unseen}, because it is undefined there.",
        "There is nothing to report yet.",
        "Read the other metrics, or test more {items}.",
    ),
    "leaked": Headline(
        _INVALID,
        "{part} was trained on clips or {items} that are tested here.",
        "xval audit {experiment} lists them. Remove them and run again.",
    ),
    "near-duplicates": Headline(
        _INVALID,
        "Some tested clips are nearly identical to training clips.",
        "xval audit {experiment} lists them. Remove them and run again.",
    ),
    "shared column": Headline(
        _INVALID,
        "{Items} of one '{column}' are in training and test, and the '{column}' determines the label.",
        "Prepare the dataset with --item {column} and run again.",
    ),
    "unfinished": Headline(
        "Preliminary: {metric} {own} from {n_done} of {total} folds of {name}.",
        "Do not report this yet.",
        "Run the same command again to finish (without --folds, if you gave it).",
    ),
    "failed": Headline(
        "Preliminary: {metric} {own} from {n_done} of {total} folds of {name}.",
        "Do not report this yet, because {failed} failed.",
        "Fix the error, then run the same command again to finish.",
    ),
    "at chance": Headline("{scored}", "Not {above_chance}: the interval includes {chance}.", "{try_next}"),
    "worse than chance": Headline("{scored}", "Not {above_chance}: the whole interval is worse than {chance}.", "{try_next}"),
    "at chance, no interval": Headline("{scored}", "Not {above_chance}, which is {chance}.", "{try_next}"),
    "random split": Headline(
        "{Metric} {nested_score} on unseen clips{and_chance}.",
        "Not speaker-independent: clips of one speaker may be in training and test.",
        "Tell xval the speaker (--item-pattern, or a column item) and run again.",
    ),
    "perfect": Headline(
        "{reached}",
        "Every test {item} has the best possible score, which is suspicious.",
        "Look for what reveals the label, such as length, silence or names, or test harder clips.",
    ),
    "perfect, few": Headline(
        "{reached}", "Every test {item} has the best possible score, but there are only {few}.", "{advice_on_few}"
    ),
    "perfect decisions": Headline(
        "{reached}", "{is_above_chance}Every test {item} has the best possible score.", STEP_OF_DECISIONS
    ),
    "few of a class": Headline("{reached}", "There is no confidence interval, because there are {too_few}.", "{advice_on_few}"),
    "few items": Headline("{reached}", "There is no confidence interval, because there are {too_few}.", "Test more {items}."),
    "no interval": Headline(
        "{reached}", "There is no confidence interval, so the score shows little about other {items}.", "Test more {items}."
    ),
    "knows the item": Headline(
        "{reached}",
        "Above chance ({chance}), but no better than recognising the {item} ({item_level}).",
        "Compare with {item_level} instead of chance, or test {items} of other groups (train_where, test_where).",
    ),
    "alone": Headline(
        "{reached}",
        "{is_above_chance}There is no second model to compare it with.",
        "Add a baseline, for example {baseline}.",
    ),
    "same settings": Headline(
        "{reached}",
        "{is_above_chance}There is no second model to compare it with, because {copies} have the same settings and seed.",
        "Remove {further_copies}, or change the setting in which they should differ.",
    ),
    "other seeds": Headline(
        "{reached}",
        "{is_above_chance}There is no second model to compare it with, because the variants differ only in their seed.",
        "Declare one variant with repeats = {n_seeds}: it reports the mean over seeds, not the best of them.",
    ),
    "not comparable": Headline(
        "{reached}",
        "{is_above_chance}The other variants cannot be compared with it.",
        "Add a baseline, for example {baseline}.",
    ),
    "other labels": Headline(
        "{reached}",
        "The variants were tested by different labels, so none is shown to be better.",
        "Run all variants with the same labels.",
    ),
    "others leaked": Headline(
        ONE,
        "Do not compare it with {leaked}, which was trained on clips or {items} that are tested here.",
        "xval audit {experiment} lists them. Remove them and run again.",
    ),
    "another is better": Headline(
        "{reached}",
        "On the tested {items} {better} scored significantly better than the chosen one ({p_better}).",
        "Let more {items} validate (validation = next_fold), because validation chose another variant than the test would.",
    ),
    "clear winner": Headline("{reached}", f"{_WHICH} {{all_worse}} others ({{p_worse}}). {{caveat}}", _READY),
    "better than one": Headline("{reached}", f"{_WHICH} {{worse}} ({{p_worse}}). {{caveat}}", _READY),
    "some open": Headline(
        "{reached}",
        f"{_WHICH} {{worse}} ({{p_worse}}). No significant difference from {{open}} ({{p_open}}). {{caveat}}",
        "{step}",
    ),
    "some equal": Headline(
        "{reached}",
        f"{_WHICH} {{worse}} ({{p_worse}}) and practically equal to {{open}}. {{caveat}}",
        "Use the cheapest of the equal ones. " + _READY,
    ),
    "all equal": Headline(
        "{reached}",
        "{compared} is practically equal to {open}: the difference is less than {rope}.",
        "Use the cheapest of them. " + _READY,
    ),
    "all open": Headline(
        "{reached}", "{compared} is {above_chance}, but not significantly better{in_metric} than {any_open}.", "{step}"
    ),
    "all open, no chance": Headline(
        "{reached}", "{compared} is not significantly better{in_metric} than {any_open}.", "{step}"
    ),
}

FIRST = {
    "failed": "Fix the error of {failed}, then run the same command again to finish.",
    "unfinished": "Run the experiment again to finish {unfinished}.",
    "fixes the label": "Prepare the dataset with --item {fixing} if results are to hold for new ones, because the '{fixing}' "
    "determines the label.",
}
"""Texts that replace the next step of a case if the selected variant is finished and valid."""
WITHOUT_FIRST = (
    "nothing finished", "all failed", "leaked", "near-duplicates", "shared column", "unfinished", "failed",
)  # fmt: skip

CAVEATS = {
    "these models": "These results hold for these trained models; retraining may change them.",
    "this way of training on these folds": "These results hold for these folds; another partition may change them.",
}
"""Texts by the scope of a comparison."""

AT_CHANCE = {
    "constant": "Add a variant that reads the audio, for example architecture = svm.",
    "frequent": "Set class_weights = balanced, because most predictions{whose} are the most frequent class.",
    "last epoch": "Raise num_epochs, because training ended while it was still improving.",
    "few": "{advice_on_few}",
    "network": "Check labels and learning curves; then train longer (num_epochs) or add {items}.",
    "estimator": "Check the labels; then try other features or add {items}.",
}
DO_NOT_RANK = "Do not rank these models. "
