"""Read what figures by group need: the predictions of an instance, and the columns of its corpus.

Comes in: the folder of an experiment. Goes out: `Groups` for each column.
"""

from collections.abc import Sequence
from pathlib import Path

from preprocessing.clips.columns import with_columns
from xval.answers.chosen_instance import choose_instance
from xval.answers.instance_predictions import read_instance_predictions
from xval.answers.read_corpus import read_corpus
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
    """Return the figures of an instance by the groups of each column.

    Args:
        folder: Of the experiment.
        instance: Its number; None: the one that the validation figures select.
        by: The columns; None: all further columns that make 2 to 20 groups.
        metric: A test metric; None: the first main metric of the task.
        data_folder: The folder of corpora; None: that of the experiment's settings.
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
