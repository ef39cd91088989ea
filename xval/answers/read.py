"""Read instances with their scores and predictions, each only once per command, and the dataset of an experiment."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from preprocessing.corpus import Corpus, open_corpus
from xval.answers.estimates import over_items_of, update_further
from xval.answers.ranking import rank_instances
from xval.base.errors import CorpusError, ResultsError
from xval.base.garbage_collection import without_collector
from xval.results.folder import ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.open import OpenResults, open_results
from xval.settings.schema import Settings


def read_instances(folder: ExperimentFolder, numbers: Iterable[int]) -> list[InstanceResults]:
    """Return instances with the files that can be read; a rebuild names the others."""
    with without_collector():
        read = (read_what_can_be(folder, number, []) for number in numbers)
        return [instance for instance in read if instance]


def read_instance(folder: ExperimentFolder, number: int, *, over_items: bool = True) -> InstanceResults | None:
    """Return an instance, or None if it has not been planned; no file is written.

    With ``over_items`` it has scores over items, which may require its predictions.

    Raises:
        ResultsError: A file is damaged.
    """
    damaged: list[str] = []
    instance = read_what_can_be(folder, number, damaged, over_items=over_items)
    if damaged:
        raise ResultsError("\n".join(damaged))
    return instance


def read_finished(folder: ExperimentFolder, *, over_items: bool = True) -> list[InstanceResults]:
    """Return the instances with a finished fold, each as from `read_instance`."""
    read = (read_instance(folder, number, over_items=over_items) for number in folder.instances())
    finished = [instance for instance in read if instance and instance.done]
    if not finished:
        raise ResultsError(f"{folder.path}: no fold is finished, so there is no best instance. Run the experiment first.")
    return finished


def choose_instance(folder: ExperimentFolder, number: int | None) -> InstanceResults:
    """Return the instance with this number, which has a finished fold; None: the one that the validation scores select."""
    instances = {finished.number: finished for finished in read_finished(folder, over_items=False)}
    if number is None:
        number = rank_instances(list(instances.values())).selected
    if number is None:
        raise ResultsError(
            f"{folder.path}: no instance has a validation score to select it by. Give the number of an instance."
        )
    if number not in instances:
        listed = ", ".join(map(str, instances))
        raise ResultsError(f"{folder.path}: there is no instance {number} with a finished fold. Available: {listed}.")
    return instances[number]


def read_what_can_be(
    folder: ExperimentFolder, number: int, damaged: list[str], *, over_items: bool = True, writes: bool = False
) -> InstanceResults | None:
    """Return an instance with its readable records; None: it has not started, or its settings are damaged.

    Args:
        folder: Folder of the experiment.
        number: Number of the instance.
        damaged: Receives a line for each damaged file.
        over_items: Whether to add scores over items, which may require the predictions.
        writes: Whether to compute missing scores of further metrics and to store computed scores.
    """
    if not folder.has_begun(number):
        return None
    results = open_results(folder)
    _ = results.folds  # an error if it cannot be read
    metric_faults: list[str] = []
    further = update_further(results, number, metric_faults) if writes else None
    instance, faults = results.once(("instance", number), folder.state(number), partial(_read, results, number))
    damaged += metric_faults + faults
    if instance is None or not over_items or not instance.done:
        return instance
    n_known = len(metric_faults)
    known = over_items_of(instance, metric_faults, further)
    damaged += metric_faults[n_known:]
    return replace(instance, over_items=known) if known else instance


def read_corpus(folder: ExperimentFolder, settings: Settings, data_folder: Path | None = None) -> Corpus:
    """Return the corpus of an experiment; `data_folder` None: the folder of corpora in the settings.

    Raises:
        CorpusError: The corpus is missing or damaged, or was prepared again with different content.
    """
    corpus = open_corpus(settings.dataset, data_folder or Path(settings.data_folder))
    if corpus.index_hash != open_results(folder).folds.plan.index_hash:
        raise CorpusError(
            f"The dataset in {corpus.folder} is not the one from which the folds were made. Give the folder of datasets that "
            "has it with --data-folder (in Python data_folder=)."
        )
    return corpus


def _read(results: OpenResults, number: int) -> tuple[InstanceResults | None, list[str]]:
    """Return an instance without scores over items, and the faults of its files."""
    faults: list[str] = []
    try:
        return results.instance(number, damaged=faults), faults
    except ResultsError as error:
        return None, [str(error)]
