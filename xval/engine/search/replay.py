"""The search of one fold as a function of the records of its trials: the trials to run next, or the choice.

The search has no stored state. It is replayed each time: Optuna's sampler with the seed of the fold suggests a generation of
trials, the records have their results, Optuna receives these in the order of the trials' numbers, and so on up to the first
generation with a trial without record. Thus a killed search continues with the same result as an uninterrupted one, for any
number of workers. Within a generation the sampler only knows that the other trials are running, not their results ("constant
liar").

Sources: the tree-structured Parzen estimator of Bergstra et al., NeurIPS 2011, by Optuna (Akiba et al., KDD 2019); nested
cross-validation: Varma and Simon, BMC Bioinformatics 7:91, 2006; Cawley and Talbot, JMLR 11, 2010.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from xval.base.json_files import part_of, remove_stale_parts
from xval.engine.search.pruning import Tried, epoch_limits, is_behind
from xval.engine.search.storage import copy_study
from xval.folds.plan import Fold
from xval.jobs.job import COMPLETE, FAILED, PRUNED, Job, Trial, job_seed
from xval.results.job_key import SEARCH, JobKey
from xval.results.read import Record
from xval.settings.further_metrics import monitor_is_maximised
from xval.settings.parameters import hash_parameters
from xval.settings.resolve import Instance
from xval.settings.space import Choice, Interval, SearchPlan, option_text

if TYPE_CHECKING:
    import optuna

_FEWEST_FOR_IMPORTANCE = 4


class FoldSearch:
    """The search of one fold.

    Args:
        job: The job of the fold, with the settings of its instance.
        folds: The folds over which a trial is scored, without test items: the fold itself, or its inner folds.
        resolve: Function that resolves the instance with values of the space.
        find_store: Function that returns the feature store of a resolved instance; None: all trials use that of the job.

    Attributes:
        tried: The trials of all ended generations at the last replay.
    """

    def __init__(
        self,
        job: Job,
        plan: SearchPlan,
        folds: Sequence[Fold],
        resolve: Callable[[Mapping[str, object]], Instance],
        find_store: Callable[[Instance], str] | None = None,
    ) -> None:
        if any(fold.test or set(job.fold.test) & {*fold.training, *fold.validation} for fold in folds):
            raise ValueError(f"{job.key}: the search of a fold must not use its test items")
        self.job, self.folds = job, folds
        self.tried: list[Tried] = []
        self._plan, self._resolve, self._find_store = plan, resolve, find_store
        self._folder = job.folder
        settings = job.settings
        self._maximised = monitor_is_maximised(settings.monitor, settings.task_type, settings.metrics)
        self._study: optuna.Study | None = None
        self._instances: dict[str, Instance] = {}  # by values: a replay asks for those of all trials again

    @property
    def n_trials(self) -> int:
        """The total number of trials."""
        return self._plan.n_trials

    def next_jobs(self, failed: Collection[JobKey] = ()) -> list[Job]:
        """Return the trials to run now, without those that `failed` in this run; empty if the search has ended."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=job_seed(self.job.settings.seed, self.job.fold.number), constant_liar=True)
        direction: Literal["maximize", "minimize"] = "maximize" if self._maximised else "minimize"
        self._study = study = optuna.create_study(direction=direction, sampler=sampler, study_name=str(self.job.key))
        distributions = {name: _distribution(drawn) for name, drawn in self._plan.space.items()}
        self.tried = []
        while (n_tried := len(self.tried)) < self._plan.n_trials:
            asked = [study.ask(distributions) for _ in range(min(self._plan.at_once, self._plan.n_trials - n_tried))]
            generation = [Tried(trial.number + 1, self._values(trial.params), COMPLETE, [], []) for trial in asked]
            for inner in range(len(self.folds)):
                if missing := self._read(generation, inner, failed):
                    return missing
            for trial, tried in zip(asked, generation, strict=True):
                _tell(study, trial, tried, self.job.settings.num_epochs)
            self.tried += generation
        return []

    def _read(self, generation: Sequence[Tried], inner: int, failed: Collection[JobKey]) -> list[Job]:
        """Add the records of an inner fold to the trials so far; return the jobs without a record."""
        missing, ended = [], []
        for trial in (tried for tried in generation if tried.state == COMPLETE):
            job = self._job(trial, inner)
            record: Record | None = self._folder.record(*job.key)
            if not record or job.identity.changes(record):
                missing.append(job)
            elif record["status"] != "done":
                if job.key not in failed:
                    missing.append(job)
                ended.append((trial, FAILED, record))
            else:
                ended.append((trial, record["state"], record))
        if missing:
            return missing
        for trial, state, record in ended:
            trial.state, trial.seconds = state, trial.seconds + record["seconds"]
            trial.curves += [record["values"]] if record.get("values") else []
            trial.scores += [record["score"]] if record.get("score") is not None else []
            has_more = inner + 1 < len(self.folds)
            if state == COMPLETE and has_more and is_behind(self._plan, trial, self.tried, maximised=self._maximised):
                trial.state = PRUNED
        return []

    def _instance(self, values: Mapping[str, object]) -> Instance:
        key = json.dumps(values, sort_keys=True)
        if key not in self._instances:
            self._instances[key] = self._resolve(values)
        return self._instances[key]

    def _job(self, trial: Tried, inner: int) -> Job:
        job, fold, instance = self.job, self.folds[inner], self._instance(trial.values)
        n_epochs = job.settings.num_epochs
        limits = epoch_limits(self._plan, trial.number, inner, self.tried, n_epochs, maximised=self._maximised)
        described = {"trial": {"limits": limits, "training": fold.training, "validation": fold.validation}}
        return replace(
            self._with(job, instance),
            fold=fold,
            settings_hash=hash_parameters(instance.parameters | described),
            seed=job_seed(job.settings.seed, fold.number, inner + 1),
            repeat=inner + 1,
            trial=Trial(trial.number, trial.values, limits),
        )

    def _with(self, job: Job, instance: Instance) -> Job:
        """Return a job with the settings, the options and the features of an instance."""
        store = job.store_folder if self._find_store is None else self._find_store(instance)
        return replace(job, settings=instance.settings, options=instance.options, store_folder=store)

    def _values(self, suggested: Mapping[str, Any]) -> dict[str, object]:
        """Return the values that Optuna suggests, in the form of settings."""
        values: dict[str, object] = {}
        for name, drawn in self._plan.space.items():
            by_text = {option_text(option): option for option in drawn.options} if isinstance(drawn, Choice) else {}
            values[name] = by_text.get(suggested[name], suggested[name]) if by_text else suggested[name]
        return values

    def choose(self, job: Job | None = None) -> Job | None:
        """Return a job of the fold with the settings of the best trial, the first one in a tie; None: no trial has a score.

        `job` is a job of the fold with another seed; None: the job of the search.
        """
        sign = 1 if self._maximised else -1
        scored = [(sign * trial.score, -trial.number, trial) for trial in self.tried if trial.score is not None]
        if not scored:
            return None
        best = max(scored, key=lambda scored_trial: scored_trial[:2])[2]
        return replace(self._with(job or self.job, self._instance(best.values)), chosen=self._describe(best))

    def best_epochs(self, trial: Tried) -> list[int]:
        """Return the epoch, from 1, whose value is the score of the trial in each inner fold; the first one in a tie."""
        return [list(values).index(score) + 1 for values, score in zip(trial.curves, trial.scores, strict=True)]

    def _describe(self, best: Tried) -> dict[str, Any]:
        """Return the entry of the fold's record on its search."""
        return {
            "trial": best.number,
            "values": best.values,
            "score": best.score,
            "monitor": self.job.settings.monitor,
            "maximised": self._maximised,
            "inner_folds": self._plan.inner_folds,
            "seconds": round(sum(trial.seconds for trial in self.tried), 3),
            "importance": self._importance(),
            "trials": [
                {
                    "number": trial.number,
                    "values": trial.values,
                    "state": trial.state,
                    "score": trial.score,
                    "epochs": sum(map(len, trial.curves)),
                    "seconds": round(trial.seconds, 3),
                }
                for trial in self.tried
            ],
        }

    def _importance(self) -> dict[str, float]:
        """Return the share of the variance of the scores that each setting explains: fANOVA (Hutter et al., ICML 2014)."""
        import optuna

        scores = [trial.score for trial in self.tried if trial.score is not None]
        if self._study is None or len(scores) < _FEWEST_FOR_IMPORTANCE or len(set(scores)) == 1:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        importances = optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {name: float(importances[name]) for name in self._plan.space if name in importances}

    def copy_to(self, storage: "optuna.storages.BaseStorage") -> None:
        """Copy the study to a database, whose driver may raise any error, under the names of experiment and fold."""
        if self._study is not None:
            experiment = "/".join(self._folder.path.resolve().parts[-2:])
            copy_study(self._study, storage, f"{experiment}, {self.job.key}")

    def write_journal(self) -> Path:
        """Write the study as a journal for Optuna's own tools; xval does not read it."""
        import optuna
        from optuna.storages.journal import JournalFileBackend

        path = self._folder.instance_folder(self.job.instance) / SEARCH / f"fold_{self.job.fold.number}.journal"
        remove_stale_parts(path.parent, path.name)
        if self._study is not None:
            with part_of(path) as temporary:
                storage = optuna.storages.JournalStorage(JournalFileBackend(str(temporary)))
                optuna.copy_study(from_study_name=self._study.study_name, from_storage=self._study._storage, to_storage=storage)
                temporary.rename(path)
        return path


def _distribution(drawn: Interval | Choice) -> "optuna.distributions.BaseDistribution":
    from optuna import distributions

    if isinstance(drawn, Choice):
        return distributions.CategoricalDistribution([option_text(option) for option in drawn.options])
    if drawn.whole:
        return distributions.IntDistribution(int(drawn.low), int(drawn.high), log=drawn.log)
    return distributions.FloatDistribution(drawn.low, drawn.high, log=drawn.log)


def _tell(study: "optuna.Study", trial: "optuna.Trial", tried: Tried, n_epochs: int) -> None:
    """Report the result of a trial to Optuna: a diverged one is worse than all others, a failed one has no result."""
    from optuna.trial import TrialState

    if tried.score is not None:
        study.tell(trial, tried.score)
    elif tried.state == FAILED:
        study.tell(trial, state=TrialState.FAIL)
    else:
        if tried.state == PRUNED and tried.scores:
            step = (len(tried.curves) - 1) * n_epochs + len(tried.curves[-1])
            trial.report(fmean(tried.scores), step)
        study.tell(trial, state=TrialState.PRUNED)
