"""Folds keep whole items in one part.

If the item is a session, other sessions of the same speaker train the model, so scores are those of known voices. If the
column also determines the label (each patient has one diagnosis), a model that recognises the speaker can infer the label,
and even random labels reach high scores: the experiment is then *not valid as a test*, and `xval audit` prints *FAILED*.
Found for columns with one value for each item and several items for most values; measured numbers, other names of the label
and conditions such as gender or dialect are ignored. If results should hold only for new sessions of known speakers, silence
this finding.
"""

from collections.abc import Iterator

from xval.answers.variants import Variants
from xval.base.findings import Finding, Rule

FINDING = Finding.coded(__name__, "{described}: one '{column}' is in training and test.", "{advice}.")


@Rule(3, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    for column in dict.fromkeys(column for instance in variants.done for column in instance.shared_columns):
        yield FINDING.fill(described=column.describe(variants.item), column=column.column, advice=column.advice)
