"""Balanced accuracy, macro F1, AUC or correlations of such a fold are of fewer classes, or undefined.

So is their mean over folds. Found in the targets of each fold's predictions. A validation part without some class has no such
score; tables then say `(6 of 12 folds)`. With `validation = fraction` speakers are drawn so that each class validates where
it has three speakers: one each for training, validation and test. A larger `validation_fraction` lets more speakers validate.
"""

from collections.abc import Iterator

from xval.answers.names import name_folds
from xval.answers.summary import metric_words
from xval.answers.variants import Variants
from xval.base.errors import capital, first_of
from xval.base.findings import Finding, Rule

_MOST_NAMED = 3
_FEWEST_TO_VALIDATE = 3  # items of a class: each fold tests, validates and trains with one
_UNVALIDATED = "Validation {items} of {folds} lack {classes}, so validation {metric} is undefined there and "
_SOME = _UNVALIDATED + "its mean is of the other {n_left:fold|{n_left} folds}."
_ALL = _UNVALIDATED + "ranks nothing."
_MORE = "Let more {items} validate ({how}), so that each class is among them."
_RECORD = "Record more {items} of {rare}: each fold needs one for training, one for validation and one for test."
FOLDS = Finding.coded(__name__, "{what}.", "Read the pooled scores, which are of all folds together.")
VALIDATION = {
    (is_some, is_rare): Finding.coded(__name__, _SOME if is_some else _ALL, _RECORD if is_rare else _MORE)
    for is_rare in (False, True)
    for is_some in (True, False)
}


@Rule(11, FOLDS)
def _find_folds(variants: Variants) -> Iterator[Finding]:
    folds = sorted({n for one in variants.done if one.over_items for n in one.over_items["folds_lacking_classes"]})
    if folds:
        its, do = ("its", "does") if len(folds) == 1 else ("their", "do")
        named = {"folds": name_folds(folds), "Folds": capital(name_folds(folds)), "its": its, "do": do}
        yield FOLDS.fill(what=variants.done[0].task.uneven_folds.format(**named))


@Rule(11.5, *VALIDATION.values())
def _find_validation(variants: Variants) -> Iterator[Finding]:
    """Yield the folds whose validation items lack a class, so that the ranking metric is undefined there."""
    done = variants.done
    ranks = (variants.main_metric if one.settings.rank_by == "auto" else one.settings.rank_by for one in done)
    for metric in dict.fromkeys(ranks):
        lacking = {
            key.fold: instance.unvalidated_classes(key)
            for instance in done
            for key in instance.done
            if not instance.says_enough(key, "validation", metric)
        }
        if lacking:
            break
    else:
        return
    n_folds = max(len(instance.folds) for instance in done)
    classes = sorted({name for names in lacking.values() for name in names})
    n_items = {name: recall["n_items"] for name, recall in done[0].class_recalls.items()}
    rare = [name for name in classes if n_items.get(name, _FEWEST_TO_VALIDATE) < _FEWEST_TO_VALIDATE]
    kind = "label" if done[0].task.has_thresholds else "class"
    parameters, how = done[0].parameters, "a larger validation_fraction"
    if parameters.get("fold_strategy") == "predefined" and n_folds == 1:
        how = "in the column phase"
    elif parameters.get("validation") == "next_fold":
        how = "validation = fraction, with a larger validation_fraction"
    yield VALIDATION[len(lacking) < n_folds, bool(rare)].fill(
        items=variants.items,
        folds=name_folds(lacking),
        classes=f"the {kind} {first_of((repr(name) for name in classes), _MOST_NAMED, ' or ')}",
        rare=f"{kind} {first_of((repr(name) for name in rare), _MOST_NAMED)}",
        metric=metric_words(metric, variants.done),
        n_left=n_folds - len(lacking),
        how=how,
    )
