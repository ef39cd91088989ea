"""In multi-label classification validation clips choose the threshold of each label.

Without any it is 0.5, which may never be reached.
"""

from collections.abc import Iterator

from xval.answers.names import name_folds
from xval.answers.variants import Variants
from xval.base.errors import first_of
from xval.base.findings import Finding, Rule

FINDING = Finding.coded(
    __name__,
    "No validation clip has the label {listed}, so its threshold there is 0.5 by default.",
    "Read its average precision, which needs no threshold, or let more {items} validate (validation_fraction).",
)


@Rule(12, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    folds: dict[str, set[int]] = {}
    for record in (record for instance in variants.done for record in instance.folds.values()):
        for label in record.get("untuned_labels", ()):
            folds.setdefault(label, set()).add(record["fold"])
    if folds:
        listed = first_of((f"'{label}' ({name_folds(label_folds)})" for label, label_folds in sorted(folds.items())), most=2)
        yield FINDING.fill(listed=listed, items=variants.items)
