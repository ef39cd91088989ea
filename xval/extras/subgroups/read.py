"""Read the predictions of an instance and the columns of its dataset, and compute scores by subgroup."""

from collections.abc import Sequence
from pathlib import Path

from preprocessing.clips.columns import with_columns
from xval.answers.instance_predictions import read_instance_predictions
from xval.answers.read import choose_instance, read_corpus
from xval.base.errors import CorpusError
from xval.extras.subgroups.columns import find_groups, group_columns
from xval.extras.subgroups.groups import Groups, measure_groups
from xval.results.folder import ExperimentFolder


def read_groups(
    folder: ExperimentFolder,
    instance: int | None = None,
    by: Sequence[str] | None = None,
    *,
    metric: str | None = None,
    data_folder: Path | None = None,
) -> list[Groups]:
    """Return the test scores of an instance by the groups of each column.

    Args:
        folder: The folder of the experiment.
        instance: The number of the instance; None: the instance that the validation scores select.
        by: The names of the columns; None: all additional columns that divide the clips into 2 to 20 groups.
        metric: A test metric; None: the first main metric of the task.
        data_folder: The folder of all datasets; None: the folder in the experiment's settings.

    Raises:
        CorpusError: No column divides the clips into 2 to 20 groups.
        SettingsError: There is no such column or metric.
        ResultsError: The instance has no finished fold, or its predictions are missing or damaged.
    """
    chosen = choose_instance(folder, instance)
    corpus = read_corpus(folder, chosen.settings, data_folder)
    table = with_columns(corpus.index, corpus.folder)
    columns = by or group_columns(table)
    if not columns:
        raise CorpusError(
            f"{corpus.folder}: no extra column divides its clips into 2 to 20 groups. Add one (gender, age, recorder ...) to "
            "the table and prepare the dataset again, which keeps folds and results; or give a column with --by."
        )
    tested = read_instance_predictions(chosen)
    return measure_groups(tested, [find_groups(table, name) for name in columns], metric)
