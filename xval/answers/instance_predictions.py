"""The stored test predictions of an instance, of all its repeats."""

from typing import NamedTuple

from xval.answers.item_words import item_word
from xval.answers.pretrained import clause, judge_instance
from xval.answers.whole_repeats import read_repeats, whole_repeats
from xval.base.errors import ResultsError
from xval.base.item_word import ITEM
from xval.data.clip_average import Averaging
from xval.measures.task import Task
from xval.results.instance import InstanceResults
from xval.results.tested_examples import TestedExamples

_MOST_VALUES = 20_000_000  # probabilities that are read; more would take minutes


class InstancePredictions(NamedTuple):
    """The test examples of an instance: clips where clips are cut into windows, else what was tested.

    Attributes:
        repeats: Of each repeat of a deal that has all its finished folds.
        own_folders: Where modules of the user's own lay.
        origin: What its models may have heard before, as of `clause`; empty: nothing is known.
        item: What an item is called.
    """

    instance: int
    task: Task
    repeats: tuple[TestedExamples, ...]
    own_folders: tuple[str, ...] = ()
    origin: str = ""
    item: str = ITEM


def read_instance_predictions(instance: InstanceResults) -> InstancePredictions:
    """Read the stored predictions of an instance.

    Raises:
        ResultsError: No fold is finished, predictions are missing or damaged, or there are too many.
    """
    records = list(instance.folds.values())
    where = instance.experiment.instance_folder(instance.number)
    if not records:
        raise ResultsError(f"{where}: no fold is finished, so there are no predictions.")
    repeats = whole_repeats(instance)
    n_classes = len(records[0].get("class_names", []))
    n_values = len(repeats) * sum(record["n_examples"]["test"] for record in records) * max(1, n_classes)
    if n_values > _MOST_VALUES:
        raise ResultsError(f"{where}: the predictions are {n_values} probabilities; at most {_MOST_VALUES} are read.")
    averaging = Averaging(instance.settings.clip_average) if instance.has_windows else None  # groups are of clips
    try:
        read = read_repeats(instance, repeats, averaging)
    except FileNotFoundError as error:
        raise ResultsError(f"{error.filename}: missing. Move its folder away to run that part again.") from error
    if not read:
        raise ResultsError(f"{where}: no seed has all finished folds. Run the rest first.")
    own_folders, origin = tuple(instance.written.own_folders), clause(judge_instance(instance))
    return InstancePredictions(instance.number, instance.task, tuple(read), own_folders, origin, item_word([instance]))
