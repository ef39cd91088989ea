"""All settings of an instance: the sections of config.ini as one class; and the settings of a scope.

The fields of a section have type, default, meaning, unit and scope of each setting. Sections that a lower room reads are there
(features, frame_classification and most of folds), all others in `xval.settings.sections`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, reduce
from operator import or_
from typing import Annotated, TypeVar

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.features.feature_settings import FeatureSettings
from xval.base import keras_objects
from xval.base.config_file import APART, read_defaults
from xval.base.setting_fields import Later, OptionalText, SettingsModel, later_values
from xval.base.setting_scope import DISPLAY, Scope
from xval.base.user_code import definitions
from xval.base.user_code.modules import SHARED_PACKAGE
from xval.data.clip_average import Averaging
from xval.folds.plan import FoldSettings
from xval.measures import binary
from xval.measures.forms import ScoreOptions
from xval.measures.task import Task, find_task
from xval.settings import architectures, further_metrics
from xval.settings.sections.evaluation import EvaluationSettings
from xval.settings.sections.execution import ExecutionSettings
from xval.settings.sections.experiment import ExperimentSettings
from xval.settings.sections.folds import FoldSection
from xval.settings.sections.model import ModelSettings
from xval.settings.sections.training import TrainingSettings
from xval.settings.sections.training_augmentation import TrainingAugmentationSettings
from xval.settings.sections.transfer import TransferSettings
from xval.settings.space import Choice, SearchPlan
from xval.settings.validators import reading

RETIRED = {"engine": "sequential"}
"""Removed settings, with the value of all results that can still be read."""

SECTIONS: Mapping[str, type[SettingsModel]] = {
    "experiment": ExperimentSettings,
    "execution": ExecutionSettings,
    "folds": FoldSection,
    "features": FeatureSettings,
    "model": ModelSettings,
    "frame_classification": FrameSettings,
    "transfer": TransferSettings,
    "training": TrainingSettings,
    "evaluation": EvaluationSettings,
    "training_augmentation": TrainingAugmentationSettings,
}
"""The sections of config.ini with the settings of instances, in the order of the file."""

DEFAULTS: Mapping[str, object] = {
    name: field.default for section in SECTIONS.values() for name, field in section.model_fields.items()
}
"""The defaults of the fields, which config.ini overrides."""

Part = TypeVar("Part", FeatureSettings, FoldSettings, FrameSettings)
"""A part of the settings."""


class Settings(  # pydantic orders the fields from the last class to the first
    TrainingAugmentationSettings,
    EvaluationSettings,
    TrainingSettings,
    TransferSettings,
    FrameSettings,
    ModelSettings,
    FoldSection,
    ExecutionSettings,
    ExperimentSettings,
    FeatureSettings,
):
    """All settings of one instance, each valid by itself.

    `contradictions.checked_settings` makes settings that are also valid together.

    Raises:
        pydantic.ValidationError: A value of the wrong type or out of range.
    """

    # Of an experiment or instance only, so config.ini does not have them.
    comment_1: Annotated[str, Scope.UNHASHED | DISPLAY, Later()] = ""
    comment_2: Annotated[str, Scope.UNHASHED | DISPLAY, Later()] = ""
    search: Annotated[OptionalText, reading(lambda text: SearchPlan.from_text(text).to_text()), Later()] = None
    """The text of a `SearchPlan`."""

    @property
    def task(self) -> Task:
        """The task that `task_type` and `label_form` name."""
        return find_task(self.task_type, self.label_form)

    def positive_number(self, class_names: Sequence[str]) -> int | None:
        """Return the number of the positive class; None: the settings name none."""
        return binary.number_of(self.positive_class, class_names)

    @property
    def scales_targets(self) -> bool:
        """Whether the model scales its predictions by the statistics of the training targets."""
        return self.target_scaling == "standard"

    @property
    def averaging(self) -> Averaging:
        """How the predictions of examples are combined into those of clips, or of items with one decision each."""
        return Averaging(self.clip_average, self.item_decision)

    @property
    def scales_items(self) -> bool:
        """Whether the features of each item are scaled by its clips before a network or estimator reads them."""
        return self.normalization == "per_item" and self.architecture not in (architectures.ENSEMBLE, architectures.COMBINATION)

    @property
    def scales_loss(self) -> bool:
        """Whether the loss is in standard deviations of the training targets."""
        return self.scales_targets and self.task.loss_kind(self.task.loss_name(self.loss)) in self.task.scaled_losses

    @property
    def uses_keras(self) -> bool:
        """Whether Keras is needed: for a network, or for a loss, metric or callback; estimators need no backend."""
        metrics = [] if self.metrics == "auto" else further_metrics.split_names(self.metrics)
        without_keras = (definitions.is_dotted(name) or further_metrics.is_of_positive(self.task, name) for name in metrics)
        is_plain = self.loss == "auto" and self.callbacks is None and all(without_keras)
        return architectures.trains_network(self.architecture) or self.architecture == architectures.COMBINATION or not is_plain

    @property
    def start_model(self) -> str | None:
        """The `initial_model` of its network; None: it has none, or is an estimator, of which that setting says nothing."""
        return self.initial_model if architectures.trains_network(self.architecture) else None

    def own_parts(self) -> set[str]:
        """Return the dotted paths in the settings whose code changes the scores of a fold.

        A splitter is not one of them: it decides the folds, which are compared themselves.
        """
        if self.architecture == architectures.ENSEMBLE:
            return set()  # nothing is trained
        named = {"architecture": [self.architecture], "loss": [self.loss], "optimizer": [self.optimizer]}
        named |= {"schedule": [self.schedule], "metrics": [self.metrics], "callbacks": [self.callbacks or "auto"]}
        for name, tried in self.search_plan.space.items() if self.search_plan else ():
            if name in named and isinstance(tried, Choice):
                named[name] += map(str, tried.options)
        names = named.pop("architecture")
        networks = [architectures.find_architecture(name).build_path for name in names]
        texts = [text for values in named.values() for text in values]
        parts = {name for text in texts for name in further_metrics.split_names(text)}
        paths = {keras_objects.parse(name).own_path if keras_objects.is_object(name) else name for name in parts}
        if self.reshaping_type == "auto":
            own = [path for name, path in zip(names, networks, strict=True) if architectures.may_load_weights(name)]
            networks += [f"{path.rpartition('.')[0]}.reshaping_type" for path in own]
        return {path for path in paths if definitions.is_dotted(path)} | {path for path in networks if path}

    def own_modules(self) -> set[str]:
        """Return the user's modules that the settings name, except those of architectures/."""
        modules = {path.rpartition(".")[0] for path in {*self.own_parts(), self.fold_strategy}}
        return {name for name in modules if name and not name.startswith(f"{SHARED_PACKAGE}.")}

    @property
    def search_plan(self) -> SearchPlan | None:
        """The plan of the search in each fold; None: no search."""
        return SearchPlan.from_text(self.search) if self.search else None

    def feature_settings(self) -> FeatureSettings:
        """Return the settings of the features."""
        return self._part(FeatureSettings, FeatureSettings.model_fields)

    def fold_settings(self) -> FoldSettings:
        """Return the settings that decide the folds."""
        return self._part(FoldSettings, names_of(Scope.FOLDS))

    def frame_settings(self) -> FrameSettings:
        """Return the settings of frames and events."""
        return self._part(FrameSettings, FrameSettings.model_fields)

    def _part(self, kind: Callable[..., Part], names: Iterable[str]) -> Part:
        return kind(**{name: getattr(self, name) for name in names})

    @property
    def frames(self) -> FrameSettings | None:
        """How recordings are cut into frames, each with a label; None: clips have labels."""
        return self.frame_settings() if self.task.target == "frame" else None

    def score_options(self, class_names: Sequence[str]) -> ScoreOptions:
        """Return the settings that scores depend on, in addition to targets and predictions."""
        frames = self.frames
        frame_s = frames.frame_s(self.sample_rate_hz) if frames else 0.0
        return ScoreOptions(tuple(class_names), clip_average=self.clip_average, frames=frames, frame_s=frame_s)


def default_settings() -> dict[str, object]:
    """Return the default of each setting: the text of config.ini, or the default of the field if config.ini lacks it."""
    return dict(DEFAULTS) | {
        key: text for section, values in read_defaults().items() if section not in APART for key, text in values.items()
    }


@cache
def scope_of(name: str) -> Scope:
    """Return the scope of a setting, as the annotation of its field declares it."""
    marks = (mark for mark in Settings.model_fields[name].metadata if isinstance(mark, Scope))
    return reduce(or_, marks, Scope(0))


@cache
def names_of(scope: Scope) -> tuple[str, ...]:
    """Return the settings that have a scope, in the order of the fields of `Settings`."""
    return tuple(name for name in Settings.model_fields if scope in scope_of(name))


def names_of_loss(task: Task) -> tuple[str, ...]:
    """Return the settings that must be equal in instances whose validation losses are compared."""
    further = {"features": Scope.FEATURE_LOSS, "frame_labels": Scope.FRAME_LOSS, None: Scope.LOSS}[task.loss_depends_on]
    return tuple(dict.fromkeys([*names_of(Scope.LOSS), *names_of(further)]))


FRAME_KEYS = names_of(Scope.FRAMES)
NUMBER_KEYS = names_of(Scope.NUMBERS)
TESTED_KEYS = ("test_where", "enrolment_s")
"""The settings that decide which clips of a fold are tested; instances that differ in them cannot be compared."""
EXPERIMENT_KEYS = frozenset(names_of(Scope.EXPERIMENT))
UNHASHED_KEYS = frozenset(names_of(Scope.UNHASHED))
NEUTRAL: Mapping[str, object] = {name: value for name, value in later_values(Settings).items() if name not in UNHASHED_KEYS}
"""Settings that are later than some results, at the value those results were made with. They are no part of the hash there, so
that these results stay valid."""
