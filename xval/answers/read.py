"""Read instances with all that their scores and predictions give, each once in a command, and the dataset of an experiment."""

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
    """Return instances, of what can be read of them: a rebuild names what cannot."""
    with without_collector():
        read = (read_what_can_be(folder, number, []) for number in numbers)
        return [instance for instance in read if instance]


def read_instance(folder: ExperimentFolder, number: int, *, over_items: bool = True) -> InstanceResults | None:
    """Return an instance, or None if it has not been planned; nothing is written.

    With ``over_items`` it has the scores over items, for which predictions may have to be read.

    Raises:
        ResultsError: A file is damaged.
    """
    damaged: list[str] = []
    instance = read_what_can_be(folder, number, damaged, over_items=over_items)
    if damaged:
        raise ResultsError("\n".join(damaged))
    return instance


def read_finished(folder: ExperimentFolder, *, over_items: bool = True) -> list[InstanceResults]:
    """Return the instances that have a finished fold, as `read_instance` does."""
    read = (read_instance(folder, number, over_items=over_items) for number in folder.instances())
    finished = [instance for instance in read if instance and instance.done]
    if not finished:
        raise ResultsError(f"{folder.path}: no fold is finished, so there is no best instance. Run the experiment first.")
    return finished


def choose_instance(folder: ExperimentFolder, number: int | None) -> InstanceResults:
    """Return an instance with a finished fold; None: the one that the validation scores select."""
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
    """Return an instance with its readable records; None: it has not begun, or its settings are damaged.

    Args:
        folder: Of the experiment.
        number: Of the instance.
        damaged: Is given a line for each file that is damaged.
        over_items: With the scores over items, for which predictions may have to be read.
        writes: Compute the scores of further metrics that are not known yet, and keep what was computed.
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
    """Return the corpus of an experiment; None for the folder of corpora: as the settings say.

    Raises:
        CorpusError: It is missing or damaged, or has been prepared again with another content.
    """
    corpus = open_corpus(settings.dataset, data_folder or Path(settings.data_folder))
    if corpus.index_hash != open_results(folder).folds.plan.index_hash:
        raise CorpusError(
            f"The dataset in {corpus.folder} is not the one from which the folds were made. Give the folder of datasets that "
            "has it with --data-folder (in Python data_folder=)."
        )
    return corpus


def _read(results: OpenResults, number: int) -> tuple[InstanceResults | None, list[str]]:
    """Return an instance without scores over items, and what is wrong with its files."""
    faults: list[str] = []
    try:
        return results.instance(number, damaged=faults), faults
    except ResultsError as error:
        return None, [str(error)]
