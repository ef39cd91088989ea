"""What makes a model learn something else than it should, though the corpus can be used.

docs/data_messages.md says why each matters. No audio is decoded: what `near_duplicates.write_across_items` has found is read
from its file.
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
    """Return what is to be known before a model is trained on these features, the weightiest first; copies do not count.

    Args:
        corpus: The corpus.
        settings: Of its features.
        frames: How its recordings are cut into frames, each with a label; None: clips have labels.
    """
    return _find(rules_of(PACKAGE, Caution), corpus, settings, frames)


def find_preparing_cautions(corpus: Corpus, settings: FeatureSettings) -> list[str]:
    """Return the cautions that only ``xval prepare`` prints."""
    return _find(rules_of(PACKAGE, PreparingCaution), corpus, settings, None)


def _find(rules: Iterable[Rule], corpus: Corpus, settings: FeatureSettings, frames: FrameSettings | None) -> list[str]:
    features = Features(corpus, corpus.index[~corpus.index["augmented"]], settings, frames)
    return [finding.caution for rule in rules for finding in rule.find(features)]


def in_python(text: str) -> str:
    """Return a caution with the parameters of Python functions in the place of options of commands."""
    parameters = re.sub(
        r"--set \w+=\w+(?: --set \w+=\w+)*",
        lambda options: options[0].replace(" --set", ",").replace("--set", "the settings"),
        text,
    )
    parameters = parameters.replace("=none", "=None").replace("--task-type regression", 'task_type="regression"')
    return re.sub(r"(?<![\w.-])--([a-z]+(?:-[a-z]+)*)", lambda option: option[1].replace("-", "_"), parameters)


def shared_columns(corpus: Corpus, folds: Sequence[Fold] | None = None) -> list[SharedColumn]:
    """Return the further columns whose values several items share; with folds those of which one has a value on two sides."""
    table = with_columns(corpus.index, corpus.folder)
    clips = table[~table["augmented"].astype(bool)]
    found = find_shared_columns(clips, further_columns(clips.columns))
    if folds is None:
        return found
    return [column for column in found if first_on_two_sides(clips, column.column, folds) is not None]


def describe_shared(column: SharedColumn, item: str) -> str:
    """Return a caution on a column of `shared_columns`; `item` is what the corpus calls an item."""
    return f"{column.describe(item)}, so one '{column.column}' is in training and test. {column.advice}"
