"""Find out whether folds can be made of a dataset, and with which settings, by making them as a run does."""

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import pandas as pd
from pydantic import ValidationError

from preprocessing.quality.rules import TASKS_WITH_CLASSES
from xval.base.config_file import read_defaults
from xval.base.errors import FoldsError
from xval.folds.plan import FoldSettings, Strategy
from xval.folds.split import make_folds

_MOST_FOLDS = 100  # leave-one-out folds that are tried; their time grows with the square of their number


class Given(NamedTuple):
    """The folds that a dataset predefines in its column fold or phase.

    Attributes:
        settings: Settings with which experiments use them, ``KEY=VALUE`` each; none: there are no such folds, they cannot be
            used, or config.ini uses them already.
        note: A sentence about them for the user; empty: there is no such column, or config.ini uses them already.
    """

    settings: tuple[str, ...] = ()
    note: str = ""


class FoldsVerdict(NamedTuple):
    """Whether folds can be made of a dataset.

    Attributes:
        refusal: Why no folds can be made; empty: they can.
        settings: Settings that experiments need in addition to config.ini, ``KEY=VALUE`` each.
        reason: Why experiments need these settings.
    """

    refusal: str = ""
    settings: tuple[str, ...] = ()
    reason: str = ""

    @property
    def note(self) -> str:
        """A sentence with the settings that experiments need; empty: none."""
        options = " ".join(f"--set {setting}" for setting in self.settings)
        return f"experiments with the folds of config.ini need {options}, because {self.reason}" if options else ""


def judge_folds(clips: pd.DataFrame, task_type: str) -> FoldsVerdict:
    """Return whether folds can be made, and the first settings with which they can.

    Tried are the settings of config.ini, then as many folds as items, then the folds that the dataset predefines, and
    leave-one-out folds.

    Args:
        clips: One row per clip, with the columns of `preprocessing.corpus.Corpus.index` on which folds depend.
        task_type: Task of the dataset.
    """
    defaults = _read_fold_settings()
    if defaults is None:  # only a run can tell: a splitter of the user's own, or settings for which it raises an error
        return FoldsVerdict()
    if clips["augmented"].all():
        return FoldsVerdict("no usable clip")
    refusals: list[str] = []
    for changed in _ways(clips, defaults):
        if refusal := _refusal(clips, task_type, defaults.model_copy(update=changed)):
            refusals.append(refusal)
            continue
        return FoldsVerdict("", tuple(f"{name}={value}" for name, value in changed.items()), refusals[-1] if refusals else "")
    informative = [text for text in refusals if not text.startswith("num_folds")]
    return FoldsVerdict((informative or refusals)[0])


def given_folds(clips: pd.DataFrame, task_type: str) -> Given:
    """Return the folds that a dataset predefines, and the settings with which experiments use them.

    Args:
        clips: One row per clip, with the columns of `preprocessing.corpus.Corpus.index` on which folds depend.
        task_type: Task of the dataset.
    """
    defaults = _read_fold_settings()
    columns = _given_columns(clips)
    if not columns or defaults is None or defaults.fold_strategy == "predefined":
        return Given()
    refusals = []
    for changed in _predefined_ways(columns):
        if refusal := _refusal(clips, task_type, defaults.model_copy(update=changed)):
            refusals.append(refusal)
            continue
        settings = tuple(f"{name}={value}" for name, value in changed.items())
        options = " ".join(f"--set {setting}" for setting in settings)
        return Given(
            settings, f"experiments test the {columns[0]}s of the dataset with {options}; without it, they use other folds"
        )
    return Given((), f"the column {columns[0]} of the dataset is not used, so experiments make other folds: {refusals[0]}")


def _refusal(clips: pd.DataFrame, task_type: str, settings: FoldSettings) -> str:
    """Return why no folds can be made with these settings; empty: they can."""
    try:
        make_folds(clips, "", task_type=task_type, has_classes=task_type in TASKS_WITH_CLASSES, settings=settings)
    except FoldsError as error:
        return str(error)
    return ""


def _given_columns(clips: pd.DataFrame) -> list[str]:
    return [column for column in ("fold", "phase") if column in clips and clips[column].notna().any()]


def _predefined_ways(columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the settings to try for predefined folds in these columns, in this order."""
    ways: list[dict[str, Any]] = [{"fold_strategy": "predefined"}] if columns else []
    return [*ways, {"fold_strategy": "predefined", "validation": "next_fold"}] if "fold" in columns else ways


def _ways(clips: pd.DataFrame, defaults: FoldSettings) -> list[dict[str, Any]]:
    """Return the changes of the default settings to try, in this order."""
    ways: list[dict[str, Any]] = [{}]
    n_items = clips.loc[~clips["augmented"].astype(bool), "item"].nunique()
    if 2 < n_items < defaults.num_folds:
        ways.append({"num_folds": n_items})
    ways += _predefined_ways(_given_columns(clips))
    if n_items <= _MOST_FOLDS:
        ways.append({"fold_strategy": "leave_one_out"})
    return ways


def _read_fold_settings() -> FoldSettings | None:
    """Return the section folds of config.ini; None: it names a splitter of the user's own, or is not valid."""
    texts = read_defaults().get("folds", {})
    try:
        settings = FoldSettings.model_validate(
            {name: texts[name] for name in FoldSettings.model_fields if name in texts} | {"fold_repeats": 1}
        )
    except ValidationError:
        return None
    return settings if settings.fold_strategy in get_args(Strategy) else None
