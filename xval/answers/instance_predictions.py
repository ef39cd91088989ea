"""Read the stored test predictions of an instance, for all its repeats."""

from typing import NamedTuple

from xval.answers.item_words import item_word
from xval.answers.pretrained import clause, judge_instance
from xval.answers.training_runs import read_repeats, whole_repeats
from xval.base.errors import ResultsError
from xval.base.item_word import ITEM
from xval.data.clip_average import Averaging
from xval.measures.task import Task
from xval.results.instance import InstanceResults
from xval.results.tested_examples import TestedExamples

_MOST_VALUES = 20_000_000  # probabilities; reading more would take minutes


class InstancePredictions(NamedTuple):
    """The test predictions of an instance: one per clip if clips are cut into windows, otherwise one per example.

    Attributes:
        instance: The number of the instance.
        task: The task that the instance was trained for.
        repeats: The tested examples of each repeat and seed whose finished folds are all present.
        own_folders: The folders that had the user's own modules when the experiment ran.
        origin: The text of `xval.answers.pretrained.clause` on pretrained parts that may have been trained on the tested
            speakers; empty if there are none.
        item: The word for an item of this dataset, such as speaker.
    """

    instance: int
    task: Task
    repeats: tuple[TestedExamples, ...]
    own_folders: tuple[str, ...] = ()
    origin: str = ""
    item: str = ITEM


def read_instance_predictions(instance: InstanceResults) -> InstancePredictions:
    """Read the stored test predictions of an instance.

    Raises:
        ResultsError: No fold is finished, predictions are missing or damaged, or there are more than 20 million values.
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
        examples = read_repeats(instance, repeats, averaging)
    except FileNotFoundError as error:
        raise ResultsError(f"{error.filename}: missing. Move its folder away to run that part again.") from error
    if not examples:
        raise ResultsError(f"{where}: no seed has all finished folds. Run the rest first.")
    own_folders, origin = tuple(instance.written.own_folders), clause(judge_instance(instance))
    return InstancePredictions(instance.number, instance.task, tuple(examples), own_folders, origin, item_word([instance]))
