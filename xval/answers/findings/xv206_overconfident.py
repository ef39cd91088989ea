"""Wrong predictions have high probabilities (in regression: some predictions are far off).

A threshold or an average over clips then misleads, although the predictions are above chance. Temperature scaling
(`calibration = temperature`) is fitted to the validation clips. If the loss is no more than that of equal probabilities for
all classes, the model is not overconfident but gives rare classes too much. The mean validation loss over folds is compared
with that of a constant prediction made of the training examples.
"""

import math
from collections.abc import Iterator, Sequence

from xval.answers.names import name_instances
from xval.answers.variants import Variants, weighs_classes
from xval.base.findings import Finding, Rule
from xval.results.instance import InstanceResults
from xval.settings.architectures import trains_network

_CROSSENTROPIES = ("sparse_categorical_crossentropy", "categorical_crossentropy")
_LOSS = "{n:its|their} validation loss is worse than that of guessing."
_SURE = "{Who} {n:is|are} overconfident: " + _LOSS
_FAR = "Some predictions of {who} are far off: " + _LOSS
_SHARES = "Probabilities of {who} do not match how often classes occur: " + _LOSS
_DO_NOT_USE = "Do not use {n:its|their} probabilities"
_VALIDATE = ". Let more {items} validate (validation_fraction)."
_FEWER = "monitor = val_loss, label_smoothing or fewer num_epochs."
_TEXTS = {
    "network": (_SURE, f"{_DO_NOT_USE}. Set calibration = temperature, or try {_FEWER}"),
    "calibrated network": (_SURE, f"{_DO_NOT_USE}. Try {_FEWER}"),
    "estimator": (_SURE, _DO_NOT_USE + _VALIDATE),
    "regression": (_FAR, "Look at the worst predictions; try a lower learning_rate or fewer num_epochs."),
    "regression estimator": (_FAR, "Look at the worst predictions; let more {items} validate (validation_fraction)."),
    "weighted": (_SHARES, f"{_DO_NOT_USE}, because class_weights and sampling make rare classes look frequent."),
    "shares": (_SHARES, f"{_DO_NOT_USE}. Set calibration = temperature, or train longer (num_epochs)."),
    "calibrated shares": (_SHARES, f"{_DO_NOT_USE}. Train longer (num_epochs)."),
    "shares of an estimator": (_SHARES, _DO_NOT_USE + _VALIDATE),
}
FINDINGS = {case: Finding.coded(__name__, *texts) for case, texts in _TEXTS.items()}


@Rule(18, *FINDINGS.values())
def _find(variants: Variants) -> Iterator[Finding]:
    overconfident, unsure = list[InstanceResults](), list[InstanceResults]()
    for instance in (one for one in variants.done if one.number not in {*variants.at_chance} | variants.baselines):
        loss, guessing = (instance.over_folds(side, "loss")["mean"] for side in ("validation", "chance"))
        if loss is not None and guessing is not None and loss > guessing:
            (unsure if loss <= _loss_of_any_class(instance) else overconfident).append(instance)
    for chosen, case_of in ((overconfident, _overconfident), (unsure, _other_shares)):
        if chosen:
            numbers = [instance.number for instance in chosen]
            who, first = (name_instances(numbers, variants.done, is_first=is_first) for is_first in (False, True))
            are_networks = any(trains_network(instance.settings.architecture) for instance in chosen)
            finding = FINDINGS[case_of(chosen, are_networks)]
            yield finding.fill(numbers, n=len(numbers), who=who, Who=first, items=variants.items)


def _loss_of_any_class(instance: InstanceResults) -> float:
    """Return the crossentropy of equal probabilities for all classes; 0 for other losses.

    A model with a smaller loss is not overconfident. Where classes are uneven, predicting each class with its frequency has a
    smaller loss.
    """
    n_classes = max(len(record.get("class_names", ())) for record in instance.done.values())
    is_known = instance.task.loss_name(str(instance.parameters.get("loss", "auto"))) in _CROSSENTROPIES and n_classes
    return math.log(n_classes) if is_known else 0.0


def _overconfident(chosen: Sequence[InstanceResults], are_networks: bool) -> str:
    if not chosen[0].task.has_classes:
        return "regression" if are_networks else "regression estimator"
    if not are_networks:
        return "estimator"
    return "network" if _may_be_calibrated(chosen) else "calibrated network"


def _other_shares(chosen: Sequence[InstanceResults], are_networks: bool) -> str:
    if any(weighs_classes(instance) for instance in chosen):
        return "weighted"
    if not are_networks:
        return "shares of an estimator"
    return "shares" if _may_be_calibrated(chosen) else "calibrated shares"


def _may_be_calibrated(chosen: Sequence[InstanceResults]) -> bool:
    """Return whether temperature scaling can be advised: with one class per clip, and where it is not in use."""
    return all(
        instance.task.name == "classification" and instance.parameters.get("calibration", "none") == "none"
        for instance in chosen
    )
