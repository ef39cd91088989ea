"""Whether folds can be made of a corpus, asked of the code that a run asks.

Comes in: the clips of a corpus. Goes out: a `Verdict`, which preprocessing and its command check print.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from preprocessing.quality.rules import TASKS_WITH_CLASSES
from xval.base.config_file import read_section
from xval.base.errors import FoldsError
from xval.folds.plan import FoldSettings, Strategy
from xval.folds.split import make_folds

if TYPE_CHECKING:
    import pandas as pd

_MOST_FOLDS = 100  # of single items, which take a time that grows with the square of their number


class Verdict(NamedTuple):
    """Whether folds can be made.

    Attributes:
        refusal: Why none can; empty: they can.
        settings: ``KEY=VALUE`` that experiments need besides config.ini.
        reason: Why they need them.
    """

    refusal: str = ""
    settings: tuple[str, ...] = ()
    reason: str = ""

    @property
    def note(self) -> str:
        """What experiments need, in a sentence; empty: nothing."""
        options = " ".join(f"--set {setting}" for setting in self.settings)
        return f"experiments with the folds of config.ini need {options}: {self.reason}" if options else ""


def judge_folds(clips: "pd.DataFrame", task_type: str) -> Verdict:
    """Make folds as config.ini says, else with as many folds as items, as the corpus predefines them, or of single items.

    Args:
        clips: The columns of `preprocessing.corpus.Corpus.index` that folds are made of.
        task_type: Of the corpus.
    """
    defaults = _read_fold_settings()
    if defaults is None:  # a strategy of the user's own, which the run asks; or settings that the run refuses
        return Verdict()
    if clips["augmented"].all():
        return Verdict("no usable clip")
    refusals: list[str] = []
    for changed in _ways(clips, defaults):
        try:
            make_folds(
                clips,
                "",
                task_type=task_type,
                has_classes=task_type in TASKS_WITH_CLASSES,
                settings=replace(defaults, **changed),
            )
        except FoldsError as error:
            refusals.append(str(error))
            continue
        return Verdict("", tuple(f"{name}={value}" for name, value in changed.items()), refusals[-1] if refusals else "")
    informative = [text for text in refusals if not text.startswith("num_folds")]
    return Verdict((informative or refusals)[0])


def _ways(clips: "pd.DataFrame", defaults: FoldSettings) -> list[dict[str, Any]]:
    """Return what is changed of the defaults, in the order in which it is tried."""
    ways: list[dict[str, Any]] = [{}]
    n_items = clips.loc[~clips["augmented"].astype(bool), "item"].nunique()
    if 2 < n_items < defaults.num_folds:
        ways.append({"num_folds": n_items})
    given = [column for column in ("fold", "phase") if column in clips and clips[column].notna().any()]
    if given:
        ways.append({"fold_strategy": "predefined"})
    if "fold" in given:
        ways.append({"fold_strategy": "predefined", "validation": "next_fold"})
    if n_items <= _MOST_FOLDS:
        ways.append({"fold_strategy": "leave_one_out"})
    return ways


def _read_fold_settings() -> FoldSettings | None:
    """Return the section folds of config.ini; None where it names a strategy of the user's own, or cannot be read."""
    texts = read_section("folds")
    try:
        settings = FoldSettings(
            num_folds=int(texts["num_folds"]),
            fold_strategy=texts["fold_strategy"],
            fold_seed=int(texts["fold_seed"]),
            validation=texts["validation"],
            validation_fraction=float(texts["validation_fraction"]),
            test_fraction=float(texts["test_fraction"]),
        )
    except (KeyError, ValueError):
        return None
    return settings if settings.fold_strategy in get_args(Strategy) else None
