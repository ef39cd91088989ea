"""Find the finished instance that a command is about: the one with its number, or else the one that validation selects."""

from xval.answers.ranking import rank_instances
from xval.answers.read import read_finished
from xval.base.errors import ResultsError
from xval.results.folder import ExperimentFolder
from xval.results.instance import InstanceResults


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
