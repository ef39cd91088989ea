"""Count how often the test items of an experiment have been used by all experiments on its dataset in a results folder.

Other experiments are read from their summaries.

Choices after seeing test scores make later scores on the same items optimistically biased; REFORMS (Kapoor et al., Science
Advances 10(18), 2024) asks authors to report the number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xval.answers.item_words import item_word
from xval.base.errors import ResultsError, counted
from xval.report.experiment_list import rebuild_command
from xval.report.experiment_summary import tested_items, what_was_tested
from xval.results.folder import ExperimentFolder, find_experiments
from xval.results.instance import InstanceResults
from xval.results.open import open_results
from xval.results.summaries import list_experiments


@dataclass(frozen=True)
class Looks:
    """The experiments, instances, repeats and seeds that tested at least one of some items.

    Attributes:
        n_experiments: Number of experiments, including this one.
        n_instances: Number of instances with a finished fold.
        n_fold_repeats: Number of different partitions into folds.
        n_seeds: Number of different seeds, including seeds of repeats.
        unknown: Further experiments on the corpus for which this is not known.
    """

    n_items: int
    n_experiments: int
    n_instances: int
    n_fold_repeats: int
    n_seeds: int
    unknown: tuple[Path, ...]


def count_looks(instances: Sequence[InstanceResults]) -> Looks:
    """Return how often the test items of some instances have been used, by these and by other experiments."""
    here = instances[0].experiment.path
    items, own = set(tested_items(instances)), what_was_tested(instances)
    other_experiments = [path for path in find_experiments(here.parent, levels=1) if path.resolve() != here.resolve()]
    known, unknown = [own], list[Path]()
    for listed in list_experiments(other_experiments):
        tested = listed.summary.tested if listed.summary else None
        shares = None if tested is None else tested.items == own.items or _tests_any(listed.path, items)
        if tested is None or shares is None:
            unknown.append(listed.path)
        elif shares and tested.n_instances:
            known.append(tested)
    return Looks(
        n_items=len(items),
        n_experiments=len(known),
        n_instances=sum(tested.n_instances for tested in known),
        n_fold_repeats=_n_different(tested.fold_hashes for tested in known),
        n_seeds=_n_different(tested.seeds for tested in known),
        unknown=tuple(unknown),
    )


def describe_looks(instances: Sequence[InstanceResults]) -> str:
    """Return the counts as a sentence or two; empty if no fold is finished."""
    looks = count_looks(instances)
    if not looks.n_items:
        return ""
    alone = "this experiment" if looks.unknown else "this experiment only"
    who = alone if looks.n_experiments == 1 else f"{looks.n_experiments} experiments in this results folder"
    counts = (
        counted(looks.n_instances, "model"),
        counted(looks.n_fold_repeats, "partition"),
        counted(looks.n_seeds, "seed"),
    )
    text = (
        f"The {counted(looks.n_items, f'test {item_word(instances)}')} were used by {who}: {', '.join(counts)}. Choices made "
        "after seeing test values make later ones optimistic (Kapoor et al., 2024)."
    )
    if not looks.unknown:
        return text
    more = counted(len(looks.unknown), "further experiment")
    return f"{text} It is not known for {more} on this dataset: {rebuild_command(looks.unknown)}"


def _tests_any(path: Path, items: set[str]) -> bool | None:
    """Return whether the folds of an experiment test at least one of the items; None: they cannot be read."""
    try:
        folds = open_results(ExperimentFolder(path)).folds.plan.folds
    except (ResultsError, OSError):
        return None
    return any(not items.isdisjoint(fold.test) for fold in folds)


def _n_different(lists: Iterable[list[str]]) -> int:
    return len({text for experiment_texts in lists for text in experiment_texts})
