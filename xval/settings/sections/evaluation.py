"""The settings of [evaluation] in config.ini."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from xval.base.setting_fields import Later, OptionalText, SettingsModel
from xval.base.setting_scope import DISPLAY, RUN, Scope
from xval.settings.finding_codes import join_codes
from xval.settings.validators import join_names, reading


class EvaluationSettings(SettingsModel):
    """Metrics, ranking, decisions and calibration."""

    silence: Annotated[OptionalText, BeforeValidator(join_names), reading(join_codes), RUN | DISPLAY, Later()] = Field(
        None,
        description=(
            "Findings not to print at the end of a run, on the page and in the workbook, by their codes: XV105, XV303; "
            "none: all are printed. docs/reference/findings.md describes them. Warnings next to a score (data a model may "
            "have been trained on) remain."
        ),
    )
    rank_by: Annotated[str, RUN | DISPLAY, Later()] = Field(
        "auto",
        description=(
            "The validation metric that ranks instances and selects one: auto: the main metric of the task, the first of "
            "the closing table (balanced_accuracy, mean_average_precision, rmse, explained_variance, macro_f1) | loss | "
            "any metric of its records. If equal, the lower validation loss is first. monitor chooses the epoch. A run "
            "with another value ranks finished instances again."
        ),
    )
    evaluate_training: Annotated[bool, Scope.RUNTIME] = Field(
        False,
        description=(
            "Metrics of the training examples: false: loss and accuracy (or error) as measured during training, means "
            "over the best epoch with dropout and augmentation, at no cost | true: every metric of the predictions of the "
            "finished model, for one more pass over them, as representation, feature_combination and baselines always "
            "have them."
        ),
    )
    metrics: Annotated[str, BeforeValidator(join_names), Scope.RUNTIME | Scope.MODEL] = Field(
        "auto",
        description=(
            "auto: those of the task. Or additional metrics: Keras's names, sklearn:NAME (sklearn:cohen_kappa_score), or "
            "dotted paths of functions (targets, predictions) -> number under @metric(higher_is_better=...), from xval. "
            "For frames: targets and predictions of all frames in one array; not for representation."
        ),
    )
    positive_class: Annotated[OptionalText, Scope.EXPERIMENT | Scope.RUNTIME | Scope.MODEL, Later()] = Field(
        None,
        description=(
            "The class to detect, such as sick, for the metrics of one class: sensitivity, specificity, f1, ppv, npv. "
            "none: such metrics raise an error."
        ),
    )
    clip_average: Annotated[Literal["probabilities", "logits", "votes"], Scope.RUNTIME] = Field(
        "probabilities",
        description=(
            "How the predictions for the windows of a clip are combined: probabilities (their mean) | logits (softmax of "
            "the mean of their logarithms, as of the mean of the logits) | votes (the share of the windows for each "
            "class). The last two need clips with one class each."
        ),
    )
    item_decision: Annotated[Literal["none", "mean", "vote"], Scope.EXPERIMENT | Scope.RUNTIME, Later()] = Field(
        "none",
        description=(
            "One decision per speaker (item) from its clips, as for diagnoses: scores, intervals, chance and comparisons "
            "are then over speakers. none | mean (of the clips' probabilities or numbers) | vote (the class of most "
            "clips). All clips of a speaker must have one label."
        ),
    )
    calibration: Annotated[Literal["temperature", "none"], Scope.RUNTIME | Scope.NETWORK, Later()] = Field(
        "none",
        description=(
            "Confidence of networks: none: as trained | temperature (temperature scaling): scores are divided by one "
            "number before the softmax, the one with the least cross entropy on the validation clips, with every speaker "
            "counting equally; with one or two speakers it may be wrong. Losses, probabilities, ECE and Brier score "
            "change, but not the most probable class of a window. Needs clips with one class each; baselines are always "
            "calibrated, because their scores are not probabilities. docs/calibration.md"
        ),
    )
