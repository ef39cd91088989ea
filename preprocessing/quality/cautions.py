"""Cautions: properties of a usable dataset that may make a model learn something other than its labels, or bias its scores.

docs/data_messages.md explains each of them. No audio is decoded: pairs of similar clips are read from the file that
`near_duplicates.write_across_items` has written.
"""

import re
from collections.abc import Iterable, Sequence

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.clips.columns import further_columns, with_columns
from preprocessing.corpus import Corpus
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.quality.rules import PACKAGE, Caution, Features, PreparingCaution
from xval.base.findings import Rule, rules_of
from xval.folds.plan import Fold
from xval.folds.shared_columns import SharedColumn, find_shared_columns, first_on_two_sides


def find_cautions(corpus: Corpus, settings: FeatureSettings, frames: FrameSettings | None = None) -> list[str]:
    """Return the cautions on a dataset and its features as sentences, the most important first.

    Augmented copies are not examined.

    Args:
        corpus: The opened dataset.
        settings: Settings of the features.
        frames: How recordings are cut into labelled frames; None: clips have labels.
    """
    return _find(rules_of(PACKAGE, Caution), corpus, settings, frames)


def find_preparing_cautions(corpus: Corpus, settings: FeatureSettings) -> list[str]:
    """Return the cautions that only ``xval prepare`` prints."""
    return _find(rules_of(PACKAGE, PreparingCaution), corpus, settings, None)


def _find(rules: Iterable[Rule], corpus: Corpus, settings: FeatureSettings, frames: FrameSettings | None) -> list[str]:
    features = Features(corpus, corpus.index[~corpus.index["augmented"]], settings, frames)
    return [finding.caution for rule in rules for finding in rule.find(features)]


def in_python(text: str) -> str:
    """Return a caution with parameters of Python functions instead of options of commands."""
    parameters = re.sub(
        r"--set \w+=\w+(?: --set \w+=\w+)*",
        lambda options: options[0].replace(" --set", ",").replace("--set", "the settings"),
        text,
    )
    parameters = parameters.replace("=none", "=None").replace("--task-type regression", 'task_type="regression"')
    return re.sub(r"(?<![\w.-])--([a-z]+(?:-[a-z]+)*)", lambda option: option[1].replace("-", "_"), parameters)


def shared_columns(corpus: Corpus, folds: Sequence[Fold] | None = None) -> list[SharedColumn]:
    """Return the additional columns with a value that several items share.

    Args:
        corpus: The opened dataset.
        folds: Only columns with a value in both test and training or validation of one of these folds; None: all.
    """
    table = with_columns(corpus.index, corpus.folder)
    clips = table[~table["augmented"].astype(bool)]
    found = find_shared_columns(clips, further_columns(clips.columns))
    if folds is None:
        return found
    return [column for column in found if first_on_two_sides(clips, column.column, folds) is not None]


def describe_shared(column: SharedColumn, item: str) -> str:
    """Return a caution about a column of `shared_columns`; `item` is the dataset's word for an item, such as speaker."""
    return f"{column.describe(item)}, so one '{column.column}' is in training and test. {column.advice}"
