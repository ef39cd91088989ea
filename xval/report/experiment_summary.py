"""summary.json: the summary of an experiment for lists of experiments, written together with the workbook."""

from collections.abc import Sequence

from xval.answers.headline import find_headline, hash_texts
from xval.answers.names import names_of
from xval.answers.ranking import rank_instances, selected_method
from xval.answers.score_text import estimate
from xval.base.json_files import hash_text
from xval.base.numbers import finite_or_none
from xval.report.score_columns import main_columns
from xval.results.instance import InstanceResults
from xval.results.open import OpenResults
from xval.results.status import BY_WEIGHT, read_status
from xval.results.summaries import ANY_EXPERIMENT, SUMMARY_VERSION, Main, Summary, Tested


def summarise(
    results: OpenResults, instances: Sequence[InstanceResults], made_of: str, content: str, ended: float | None
) -> Summary:
    """Return the summary of an experiment.

    Args:
        results: The results of the experiment.
        instances: All instances with settings, at least one.
        made_of: The state from `state_of_files` before the instances were read.
        content: The hash from `content_of_files` at the same time.
        ended: When the last job ended.
    """
    status = read_status(results.folder, results)
    ranking = rank_instances(instances)
    number, selected = ranking.selected, selected_method(instances, ranking)
    first = instances[0]
    return Summary(
        version=SUMMARY_VERSION,
        made_of=made_of,
        content=content,
        ended=ended,
        description=first.written.description,
        corpus=str(first.parameters.get("dataset", results.folder.path.parent.name)),
        n_instances=len(instances),
        jobs={state: n for state in BY_WEIGHT if (n := status.count(state))},
        selected=number,
        name=names_of(instances)[number] if number is not None else "",
        main=_main_figure(instances, selected) if selected else None,
        lines=find_headline(instances, ANY_EXPERIMENT)._asdict(),
        texts=hash_texts(),
        tested=what_was_tested(instances),
    )


def _main_figure(instances: Sequence[InstanceResults], selected: InstanceResults) -> Main | None:
    task = selected.task
    columns = main_columns(instances, task.main_metrics)
    if not columns:
        return None
    side, metric = columns[0].side, columns[0].name
    test = estimate(selected, side, metric)
    values = {name: finite_or_none(getattr(test, name)) for name in ("value", "low", "high", "chance")}
    return Main(metric=metric, side=side, higher_is_better=task.higher_is_better(metric), **values)


def tested_items(instances: Sequence[InstanceResults]) -> list[str]:
    """Return the tested items of the finished jobs of some instances, sorted."""
    return sorted({item for instance in instances for key in instance.done for item in instance.scores[key].items})


def what_was_tested(instances: Sequence[InstanceResults]) -> Tested:
    """Return the tested items, folds and seeds of the finished jobs of some instances."""
    jobs = [(instance, key, record) for instance in instances for key, record in instance.done.items()]
    items = tested_items(instances)
    seeds = {(str(instance.parameters.get("seed")), key.repeat) for instance, key, _ in jobs}
    return Tested(
        items=hash_text("\n".join(items).encode()) if items else "",
        n_instances=sum(bool(instance.done) for instance in instances),
        fold_hashes=sorted({str(record["folds_hash"]) for *_, record in jobs}),
        seeds=[seed if repeat == 1 else f"{seed}/{repeat}" for seed, repeat in sorted(seeds)],
    )
