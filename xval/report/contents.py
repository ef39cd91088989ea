"""Read what the page of an experiment shows: `PageContents`.

Files of single folds are only read for instances that the page shows in detail, so a thousand instances take seconds.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import pandas as pd

from preprocessing.corpus import Corpus, open_corpus
from xval.answers.agreement import Agreement, agreements
from xval.answers.audit import audit
from xval.answers.audit.verdict import AuditVerdict
from xval.answers.comparison.choose import compare_each
from xval.answers.comparison.outcome import Comparison
from xval.answers.headline import describe_evidence
from xval.answers.instance_predictions import InstancePredictions, read_instance_predictions
from xval.answers.item_words import items_word
from xval.answers.names import names_of
from xval.answers.operating_points import OperatingPoints, operating_points
from xval.answers.ranking import Ranking, join_seeds, rank_instances
from xval.answers.read import read_instances
from xval.answers.score_text import interval_clause
from xval.base.errors import CorpusError, ResultsError, SettingsError, UsageError
from xval.base.operating_system import quote
from xval.base.shelf import FOLDER, load_offers
from xval.report.clip_answers import read_answers, read_events, target_names
from xval.report.request import PageRequest
from xval.report.sounds import Sounds
from xval.results.folder import ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.results.read import Curves, WrittenFolds
from xval.settings.architectures import trains_network

MOST_COMPARED = 10
"""The largest number of instances in the comparison matrix."""

_MOST_SIDE_BY_SIDE = 4  # instances whose predictions are side by side
_MOST_AGREEMENTS = 8  # targets
_MOST_PREDICTED = 20  # instances whose predicted numbers are drawn
_MOST_SOUND_BYTES = 6_000_000


class Explainer(Protocol):
    """An explainer of the predictions of an instance, implemented by the file worst_predictions.py of an extra.

    Attributes:
        missing: The reason for the first prediction without an explanation; empty: all have one.
    """

    missing: str

    def get(self, clip: str, job: str) -> tuple[str, str]:
        """Return the picture of a clip as a data URI, and its caption; without a picture, the reason."""


@dataclass(frozen=True)
class PageContents:
    """The contents of the page of an experiment.

    Attributes:
        instances: All instances, by number.
        histories: The histories of the finished folds, by instance, fold and repeat.
        comparisons: A comparison with each instance of the matrix as the baseline, the selected one first; empty: see
            `comparison_note`.
        comparison_note: Why there is no comparison, or which instances are skipped.
        errors_of: The instance whose worst predictions are shown; None: no fold is finished.
        answers: The predictions of this instance and of the best others; for numbers, of more instances.
        events: Events of recordings by instance, if frames are classified.
        tested: The test predictions of this instance; None: see `tested_note`.
        tested_note: Why the test predictions cannot be read; empty: they can, or no fold is finished.
        operating_points: The operating points of this instance for two classes or a positive class; None: there are other
            classes.
        agreements: The agreement for the first targets of this instance, if it predicts numbers.
        corpus: The corpus; None: it cannot be read.
        sounds: The clips to embed; None: no audio is embedded.
        sound_note: Why no audio is embedded.
        missing_corpus: Why there is no corpus; empty: there is one.
        verdicts: The verdicts of the leakage audit; None: it was not run.
        explanations: The explainer of the worst predictions; None: they are not explained.
        explained_by: The method of explanation, now or before a run wrote the page; empty: they never were explained.
        explanation_note: Why they are no longer explained.
    """

    folds: WrittenFolds
    instances: list[InstanceResults]
    ranking: Ranking
    histories: Mapping[int, Mapping[JobKey, Curves]]
    comparisons: Sequence[Comparison] = ()
    comparison_note: str = ""
    errors_of: int | None = None
    answers: Mapping[int, pd.DataFrame] = field(default_factory=dict)
    events: Mapping[int, pd.DataFrame] = field(default_factory=dict)
    tested: InstancePredictions | None = None
    tested_note: str = ""
    operating_points: OperatingPoints | None = None
    agreements: Sequence[Agreement] = ()
    corpus: Corpus | None = None
    sounds: Sounds | None = None
    sound_note: str = ""
    missing_corpus: str = ""
    verdicts: Sequence[AuditVerdict] | None = None
    explanations: Explainer | None = None
    explained_by: str = ""
    explanation_note: str = ""

    @property
    def missing(self) -> str:
        """Why the page lacks the corpus or a clip; known after the page is made. Empty: it lacks none."""
        return self.missing_corpus or (self.sounds.missing if self.sounds else "")

    @cached_property
    def by_number(self) -> dict[int, InstanceResults]:
        """The instances by their numbers."""
        return {instance.number: instance for instance in self.instances}

    @cached_property
    def numbers(self) -> list[int]:
        """The numbers of all instances, the best by validation first, instances without a rank last."""
        return list(dict.fromkeys([*self.ranking.instances, *self.by_number]))

    @property
    def shown(self) -> InstanceResults | None:
        """The instance whose worst predictions are shown; None: no fold is finished."""
        return self.by_number.get(self.errors_of) if self.errors_of else None

    @property
    def target_names(self) -> list[str]:
        """The names of the numbers that this instance predicts; empty: it predicts none."""
        return target_names(self.answers[self.shown.number]) if self.shown and self.shown.number in self.answers else []

    @cached_property
    def interval_words(self) -> str:
        """What the intervals of this instance cover, in words."""
        shown = [self.shown] if self.shown else []
        return interval_clause(shown) or f"over {items_word(shown)}"

    def name_of(self, instance: int) -> str:
        """Return the name of an instance; see `find_names`."""
        return self._names[instance]

    @cached_property
    def _names(self) -> dict[int, str]:
        return names_of(self.instances)


def read_contents(folder: ExperimentFolder, request: PageRequest, explained_before: str = "") -> PageContents:
    """Read the contents of a page; an instance named in the request must have a finished fold.

    `explained_before` is the method of explanation on the page that this one replaces.
    """
    folds = open_results(folder).folds
    instances = read_instances(folder, folder.instances())
    if not instances:
        raise ResultsError(f"{folder.path}: no instance has settings that can be read. Run the experiment first.")
    ranking = rank_instances(instances)
    done = [instance.number for instance in instances if instance.folds]
    best = [number for number in dict.fromkeys([*ranking.instances, *done]) if number in done]
    if request.instance is not None and request.instance not in done:
        raise ResultsError(
            f"{folder.path}: instance {request.instance} has no finished fold. "
            f"Instances that have one: {', '.join(map(str, done)) or 'none'}."
        )
    errors_of = request.instance or next(iter(best), None)
    comparisons, comparison_note = _compare(instances, best, ranking.selected)
    corpus, missing_corpus = _open_corpus(instances[0], folds, request.data_folder)
    sounds, sound_note = None, missing_corpus
    if corpus is not None and corpus.is_custom:
        sound_note = "The examples of this dataset were given as arrays, so there is no audio to listen to."
    elif any(instance.parameters.get("page") == "without_audio" for instance in instances):
        sound_note = "This page has no audio."
    elif not request.with_audio:
        sound_note = "This page has no audio."
        if request.run == "was interrupted":
            sound_note = (
                f"Clips to listen to are added when the run has ended; if it was interrupted: {_report_command(folder)}."
            )
    elif corpus is not None and errors_of is not None:
        settings = next(instance for instance in instances if instance.number == errors_of).settings
        sounds = Sounds(corpus, settings.feature_settings(), _MOST_SOUND_BYTES)
    shown = [number for number in dict.fromkeys([errors_of, *best]) if number is not None]
    answers, events = _read_answers(folder, instances, shown)
    measured = next((instance for instance in instances if instance.number == errors_of), None)
    tested, tested_note = _read_tested(measured)
    class_names = next(iter(measured.folds.values())).get("class_names", []) if measured and tested else []
    explanation_note, was_explained = "", explained_before if request.run else ""
    if was_explained:
        explanation_note = (
            f"Explanations of these predictions were on this page before the run: {_report_command(folder)} --explain "
            f"{was_explained}."
        )
    return PageContents(
        folds=folds,
        instances=instances,
        ranking=ranking,
        histories={instance.number: _read_histories(folder, instance) for instance in instances},
        comparisons=comparisons,
        comparison_note=comparison_note,
        errors_of=errors_of,
        answers=answers,
        events=events,
        tested=tested,
        tested_note=tested_note,
        operating_points=operating_points(tested, class_names, measured.settings.positive_class)
        if measured and tested
        else None,
        agreements=agreements(tested, target_names(answers[tested.instance]))[:_MOST_AGREEMENTS] if tested else [],
        corpus=corpus,
        sounds=sounds,
        sound_note=sound_note,
        missing_corpus=missing_corpus,
        verdicts=audit(folder, request.data_folder, with_checksums=False) if request.with_audit else None,
        explanations=_explanations(folder, request, errors_of, corpus),
        explained_by=request.explain_method or was_explained,
        explanation_note=explanation_note,
    )


def _report_command(folder: ExperimentFolder) -> str:
    return f"xval report {quote(str(folder.path))}"


def _explanations(
    folder: ExperimentFolder, request: PageRequest, errors_of: int | None, corpus: Corpus | None
) -> Explainer | None:
    """Return the explainer of the worst predictions, if it is requested and there is audio."""
    method = request.explain_method
    if method is None or errors_of is None or corpus is None or corpus.is_custom:
        return None
    offers = load_offers("worst_predictions")
    if not offers:
        raise SettingsError(f"--explain {method}: needs the extra 'explanations', but {FOLDER / 'explanations'} is missing.")
    architecture = open_results(folder).settings(errors_of).settings.architecture
    if method == "integrated_gradients" and not trains_network(architecture):
        raise SettingsError(
            f"--explain {method}: instance {errors_of} is '{architecture}', which has no gradients. Use --explain "
            "occlusion, or name another instance with --errors-of."
        )
    explainer: Explainer = offers[0].Explanations(folder, errors_of, corpus, method)
    return explainer


def _compare(instances: Sequence[InstanceResults], best: Sequence[int], selected: int | None) -> tuple[list[Comparison], str]:
    """Return a comparison of the best instances with each of them as the baseline, and what to say about it."""
    done = [instance for instance in instances if instance.folds]
    joined, sentences = join_seeds(done)
    by_number = {instance.number: instance for instance in (joined if len(joined) > 1 else done)}
    methods = [number for number in best if number in by_number]
    compared = methods[:MOST_COMPARED]
    try:
        comparisons = compare_each([by_number[number] for number in compared], selected=selected)
    except UsageError as error:
        return [], str(error)
    comparisons = [replace(first, evidence=describe_evidence(first, done)) for first in comparisons[:1]] + comparisons[1:]
    left_out = len(methods) - len(compared)
    notes = [f"The {len(compared)} best of {len(methods)} instances by validation; use compare for others."] * bool(left_out)
    return comparisons, " ".join([*notes, *(sentences[number] for number in compared if number in sentences)])


def _open_corpus(instance: InstanceResults, folds: WrittenFolds, data_folder: Path | None) -> tuple[Corpus | None, str]:
    """Return the corpus that the folds were made from, or why it is not available."""
    settings = instance.settings
    try:
        corpus = open_corpus(settings.dataset, data_folder or Path(settings.data_folder))
    except CorpusError as error:
        return None, str(error)
    if corpus.index_hash != folds.plan.index_hash:
        return None, f"The dataset in {corpus.folder} is not the one from which the folds were made."
    return corpus, ""


def _read_tested(instance: InstanceResults | None) -> tuple[InstancePredictions | None, str]:
    """Return the test predictions of an instance, or why they cannot be read."""
    try:
        return (read_instance_predictions(instance) if instance else None), ""
    except UsageError as error:
        return None, str(error)


def _read_histories(folder: ExperimentFolder, instance: InstanceResults) -> dict[JobKey, Curves]:
    """Return the histories of an instance's finished folds; combinations have none, and damaged ones are skipped."""
    histories: dict[JobKey, Curves] = {}
    for key in instance.done:
        with suppress(OSError, ResultsError):
            histories[key] = open_results(folder).history(key)
    return {key: curves for key, curves in histories.items() if curves}


def _read_answers(
    folder: ExperimentFolder, instances: Sequence[InstanceResults], shown: Sequence[int]
) -> tuple[dict[int, pd.DataFrame], dict[int, pd.DataFrame]]:
    """Return the predictions and events of the instances that are shown in detail."""
    by_number = {instance.number: instance for instance in instances}
    answers, events = {}, {}
    for place, number in enumerate(shown):
        settings = by_number[number].settings
        task = settings.task
        if place >= (_MOST_PREDICTED if task.draws_numbers else _MOST_SIDE_BY_SIDE):
            break
        folders = {key: folder.fold_folder(*key) for key in by_number[number].done}
        class_names = by_number[number].jobs[next(iter(folders))].get("class_names", [])
        answers[number] = read_answers(task, settings, class_names, folders)
        if settings.frames:
            events[number] = read_events(folders)
    return answers, events
