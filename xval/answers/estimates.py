"""Scores that are computed from the predictions of an instance: metrics that are added later, and scores over its items.

Added metrics become rows of scores.parquet. Scores over items are kept in estimates.json, and are computed again if the
predictions have changed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from xval.base.errors import ResultsError, XvalError
from xval.base.user_code import imports
from xval.base.user_code.modules import looking_in
from xval.measures import binary, metrics
from xval.measures.metrics import Metric, metric_names
from xval.results.added_metrics import (
    AddedMetric,
    load_metric,
    requested_of_xval,
    trained_with,
    trained_with_positive,
    version_of,
)
from xval.results.estimates_file import Estimates, write_estimates
from xval.results.instance import InstanceResults, JoinedSeeds
from xval.results.item_scores import EARLIER_OF_THIS_FORM, OVER_ITEMS_VERSION, ItemScore, OverItems
from xval.results.job_key import JobKey
from xval.results.open import OpenResults, open_results
from xval.results.read import Record, WrittenInstance
from xval.results.scores import SCORES_FILE, Added, ScoreRow, Scores, collect, write_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xval.measures.statistics.intervals import Bootstrap

Measured = TypeVar("Measured", bound=InstanceResults)
_KINDS: tuple[Literal["items", "pooled"], ...] = ("items", "pooled")


def update_further(results: OpenResults, instance: int, damaged: list[str]) -> dict[str, Metric]:
    """Compute and store the requested metrics that are missing, or whose source code has changed.

    Args:
        results: The results of the experiment.
        instance: Number of the instance.
        damaged: Receives a line for each score that cannot be computed.

    Returns:
        The metrics, by name.
    """
    state = results.folder.state(instance)
    try:
        written, requested = results.settings(instance), results.requested_metrics
    except ResultsError:
        return {}  # named by the reader of records
    current = results.current(instance, results.records(instance)[0])
    done = {key: record for key, record in current.items() if record["status"] == "done"}
    if not done or not requested:
        return {}
    loaded, errors = load_requested(results, instance)
    for name, error in errors.items():
        short = name.rpartition(".")[2]
        loaded[short] = None  # what is kept of it stays
        if not _has_scores(results, instance, done, name):
            damaged.append(f"{error} New values of {short} of instance {instance} are missing.")
    changed: dict[Path, Scores] = {}
    for key, record in done.items():
        path = results.folder.fold_folder(*key)
        try:
            scores = results.scores(key, record)
        except ResultsError:
            continue  # named by the reader of scores
        rows, facts = list(scores.rows()), dict(scores.added)
        for name, added in loaded.items():
            is_own = name in scores.side("test") and name not in facts
            if is_own or added is None or (name in facts and facts[name].version == added.version):
                continue
            try:
                computed = _measure(written, record, path / "predictions.parquet", added)
            except FileNotFoundError:
                damaged.append(f"{path / 'predictions.parquet'}: missing, so that {name} of this fold is missing, too.")
            except XvalError as error:
                damaged.append(f"{error} {name} of {key} is missing.")
            else:
                rows = [*(row for row in rows if row.metric != name), *computed]
                facts[name] = Added(added.version, added.metric.higher_is_better)
        if facts != scores.added:
            changed[path] = collect(rows, facts)
    if changed and results.folder.state(instance) == state:
        for path, scores in changed.items():
            write_scores(path, scores, flushed=True)
    return {name: added.metric for name, added in loaded.items() if added}


def with_bootstrap(instance: Measured, bootstrap: "Bootstrap", only: Collection[str] | None = None) -> Measured:
    """Return an instance with bootstrap intervals over items, which take seconds per metric and are not stored.

    Args:
        instance: An instance with scores over items.
        bootstrap: The kind of bootstrap.
        only: Metrics of the task that get an interval; None: all. Metrics that cannot be computed from predictions get none.

    Raises:
        ResultsError: Predictions or a metric of the user's own cannot be used.
    """
    if instance.over_items is None:
        return instance
    with looking_in(instance.written.own_folders):
        names = open_results(instance.experiment).requested_metrics
        asked = {name.rpartition(".")[2]: load_metric(instance.task.name, name).metric for name in names}
    computed, faults = compute_over_items(instance, asked, bootstrap, only)
    if computed is None or faults:
        raise ResultsError("\n".join(faults))
    scores = {
        side: {
            name: _with_ends(score, _drawn(computed["figures"].get(side, {}).get(name))) for name, score in side_scores.items()
        }
        for side, side_scores in instance.over_items["figures"].items()
    }
    return replace(instance, over_items=instance.over_items | {"figures": scores})


def _drawn(score: ItemScore | None) -> ItemScore | None:
    """Return a score with its bootstrap interval, or with the exact limit of a value at its bound; None: another interval."""
    method = str(score and score["method"])
    return score if method.endswith("bootstrap") or method == "exact limit" else None


def _with_ends(score: ItemScore, other: ItemScore | None) -> ItemScore:
    """Return a score with the interval of another score; None: without an interval."""
    ends = {name: other and other[name] for name in ("low", "high", "method", "covers")}
    return cast("ItemScore", score | ends)


def load_requested(results: OpenResults, instance: int) -> tuple[dict[str, AddedMetric | None], dict[str, XvalError]]:
    """Return the requested metrics by the names of their scores, and errors by the requested names."""
    loaded, errors = dict[str, AddedMetric | None](), dict[str, XvalError]()
    for name in results.requested_metrics:
        try:
            with looking_in(results.own_folders(instance)):
                added = load_metric(results.settings(instance).settings.task_type, name)
                loaded[added.name] = added
        except XvalError as error:
            errors[name] = error
    return loaded, errors


def _has_scores(results: OpenResults, instance: int, done: Mapping[JobKey, Record], written: str) -> bool:
    """Return whether all finished jobs have scores of a metric of the user's own, computed by its present code."""
    short = written.rpartition(".")[2]
    try:
        with looking_in(results.own_folders(instance)):
            version = version_of(written)
        known = [results.scores(key, record).added.get(short) for key, record in done.items()]
    except XvalError:
        return False
    return all(facts and facts.version == version for facts in known)


def over_items_of(
    instance: InstanceResults, damaged: list[str], further: Mapping[str, Metric] | None = None
) -> OverItems | None:
    """Return the scores over items of the finished jobs; None: they cannot be computed.

    Further metrics, and the user's own of the instance, are among them if all finished jobs have them.

    Args:
        instance: An instance without scores over items.
        damaged: The faults of further metrics; receives a line for each score that cannot be computed.
        further: The requested metrics, whose scores are stored; None: no file is written, and neither these nor the user's own
            metrics are computed.
    """
    results, path = open_results(instance.experiment), instance.estimates_file
    jobs = {instance.folder(key).relative_to(path.parent).as_posix(): key for key in instance.done}
    known = results.estimates(path)
    if known and _is_known(results, known, instance, jobs):
        return cast("OverItems", known.over_items)
    numbers = sorted({instance.trained_job(key).instance for key in instance.done})
    state = [instance.experiment.state(number) for number in numbers]
    if further is None:
        make = partial(compute_over_items, instance, None)
        computed, faults = results.once(("over items", path, *numbers), (jobs, state), make)
    else:
        sources = {
            name: results.source(instance.trained_job(key)) | {"further": _versions(instance.scores[key])}
            for name, key in jobs.items()
        }
        computed, faults = compute_over_items(instance, further)
        is_unchanged = state == [instance.experiment.state(number) for number in numbers]
        # Code that was not named here may be named by another call.
        if computed and is_unchanged and not ((faults or damaged) and imports.is_restricted()):
            is_of_one = path == instance.experiment.estimates_file(instance.number)
            scores = {
                name: results.scores(key, instance.done[key])
                for name, key in jobs.items()
                if is_of_one and SCORES_FILE in sources[name]["files"]
            }
            write_estimates(path, Estimates(OVER_ITEMS_VERSION, sources, computed, scores))
    damaged += faults
    return computed


def over_items_of_seeds(joint: JoinedSeeds) -> OverItems | None:
    """Return the scores over items of variants that are joined by their seeds; None: they cannot be computed.

    The user's own metrics, whose code is not run, are the means of those of the variants, without intervals.

    Args:
        joint: An instance of `join_seeds`, whose parts have their scores over items.
    """
    if len(joint.parts) == 1:
        return joint.over_items
    computed = over_items_of(joint, [])
    if computed is None:
        return None
    of_xval = {*metric_names(joint.task.name), *binary.NAMES}
    scores = {side: dict(side_scores) for side, side_scores in computed["figures"].items()}
    for side, side_scores in scores.items():
        for name in {name for part in joint.parts for name in (part.over_items or computed)["figures"].get(side, {})}:
            known = [score for part in joint.parts if (score := part.item_score(side, name))]
            kinds = {score["of"] for score in known}
            is_computed = name in of_xval and name in side_scores and side_scores[name]["of"] in kinds
            if not is_computed and len(known) == len(joint.parts) and len(kinds) == 1:
                means = {kind: _mean_of_seeds(joint, [score[kind] for score in known]) for kind in _KINDS}
                without = {"low": None, "high": None, "method": None, "covers": None}
                side_scores[name] = cast("ItemScore", {**known[0], **means, **without})
                side_scores[name].pop("left_out", None)
    return {**computed, "figures": scores}


def _mean_of_seeds(joint: JoinedSeeds, values: Sequence[float | None]) -> float | None:
    """Return the mean of a score of each part, which counts as often as it has repeats; None: that of one is not known."""
    known = [value for value in values if value is not None]
    return fmean(known, [part.n_repeats for part in joint.parts]) if len(known) == len(values) else None


def kept_jobs(results: OpenResults, instance: int) -> list[str]:
    """Return the names of the folders of the jobs that the kept scores over items are of."""
    estimates = results.estimates(results.folder.estimates_file(instance))
    return list(estimates.jobs) if estimates else []


def _is_known(results: OpenResults, known: Estimates, instance: InstanceResults, jobs: Mapping[str, JobKey]) -> bool:
    """Return whether scores were computed from the present jobs of an instance, by this version of the code.

    Those of an earlier version of the same form count too where predictions are gone, without which nothing can be computed.
    """
    if known.jobs.keys() != jobs.keys():
        return False
    if known.version != OVER_ITEMS_VERSION:
        is_last = not all(instance.predictions_file(key).exists() for key in jobs.values())
        if known.version not in EARLIER_OF_THIS_FORM or not is_last:
            return False
    sources = known.jobs
    return all(
        sources[name]["further"] == _versions(instance.scores[key])
        and results.is_source(sources[name], instance.trained_job(key))
        for name, key in jobs.items()
    )


def _versions(scores: Scores) -> dict[str, str]:
    return {name: facts.version for name, facts in scores.added.items()}


def compute_over_items(
    instance: InstanceResults,
    further: Mapping[str, Metric] | None,
    bootstrap: "Bootstrap | None" = None,
    only: Collection[str] | None = None,
) -> tuple[OverItems | None, list[str]]:
    """Return the scores over items of an instance, or of the jobs that folds choose among several, and the faults.

    Args:
        instance: With its finished jobs.
        further: Requested metrics; the user's own metrics of the instance are added. None: of both only those of xval, so that
            no code of the user's is run.
        bootstrap: The kind of bootstrap for intervals; None: t intervals.
        only: As for `with_bootstrap`.
    """
    from xval.answers.over_items import measure_over_items  # here, because it loads pandas and scipy

    faults: list[str] = []
    tested = [instance.scores[key].side("test") for key in instance.done]
    task_type, text = instance.task.name, str(instance.parameters.get("metrics"))
    class_names = next(iter(instance.done.values()), {}).get("class_names", [])
    positive = instance.settings.positive_number(class_names)
    if further is None:
        own = trained_with_positive(task_type, text, positive)
        further = requested_of_xval(task_type, open_results(instance.experiment).requested_metrics)
    else:
        with looking_in(instance.written.own_folders):
            own = trained_with(task_type, text, positive, faults)
    further = {name: metric for name, metric in {**own, **further}.items() if all(name in job_scores for job_scores in tested)}
    for chosen in (further, {}) if further else ({},):  # a fault of the user's metric costs only its own scores
        try:
            names = None if only is None else [*only, *(chosen or ())]
            return measure_over_items(instance, chosen, bootstrap, names), faults
        except (XvalError, OSError) as error:
            whose = f"{', '.join(chosen)} of " if chosen else ""
            faults.append(f"{error} The pooled values of {whose}instance {instance.number} are missing.")
    return None, faults


def _measure(written: WrittenInstance, record: Record, path: Path, added: AddedMetric) -> list[ScoreRow]:
    """Return the scores of a job in a metric, for examples, for clips and for the clips of each test item; NaN: undefined."""
    from xval.results.tested_examples import read_fold  # here, because it loads pandas

    task = written.task

    def measure(targets: "NDArray[Any]", predictions: "NDArray[Any]") -> float:
        return metrics.measure(task.name, targets, predictions, {added.name: added.metric})[added.name]

    averaging = None if task.target == "frame" else written.settings.averaging
    sides = read_fold(task, record["fold"], path, record.get("class_names", []), averaging)
    rows = [ScoreRow(side, "", added.name, measure(part.targets, part.predictions)) for side, part in sides.items()]
    clips = sides["clip_test"]
    return rows + [
        ScoreRow("test", item, added.name, measure(clips.targets[item_rows], clips.predictions[item_rows]))
        for item, item_rows in zip(clips.names, clips.rows, strict=True)
    ]
