"""`Results`: a finished or unfinished experiment in Python, with its tables, comparisons, page and models.

It can write the same files as the commands of ``xval``.
"""

import warnings
from collections.abc import Collection
from html import escape
from pathlib import Path
from typing import Any, Literal, NoReturn

import pandas as pd

from preprocessing.console import make_console
from xval.answers.comparison.choose import compare_instances
from xval.answers.comparison.outcome import Comparison
from xval.answers.dataframes import load_jobs, load_results, load_scores, summarize
from xval.answers.predictions import load_predictions
from xval.answers.ranking import rank_instances, summary_table
from xval.answers.read import read_finished
from xval.base.errors import JobError, ResultsError, counted
from xval.base.user_code import imports
from xval.experiment.refit import RefitRequest, refit_instance
from xval.report.rebuild import rebuild_if_stale
from xval.report.request import ExplainMethod, PageRequest
from xval.report.write import write_page
from xval.results.folder import find_experiment
from xval.results.named import RESULTS_FOLDER, given_path, number_of
from xval.reuse.inference import SavedModel, load_model
from xval.settings.resolve import describe_numbers


class Results:
    """The results of an experiment, which are read again at each access.

    Args:
        folder: ``results/<dataset>/experiment_<n>``.

    Raises:
        ResultsError: The folder holds no experiment.

    Example:
        >>> results = experiment.run()
        >>> results.scores.query("side == 'test' and metric == 'accuracy'")
        >>> results.compare().table
        >>> results.load_model().predict("new_recordings")
    """

    def __init__(self, folder: str | Path) -> None:
        self._experiment = find_experiment(given_path("Results(): folder", folder, RESULTS_FOLDER))

    @property
    def folder(self) -> Path:
        """The folder of the experiment, with results.xlsx and report.html."""
        return self._experiment.path

    @property
    def summary(self) -> pd.DataFrame:
        """The table at the end of a run as numbers: a row per instance; printing the results shows it as text.

        By instance (int64): is_selected (bool), comment_1, architecture, and for the validation score that ranks and each main
        test score columns such as test_accuracy_mean, test_accuracy_std (over folds), test_accuracy_estimate with
        test_accuracy_low and test_accuracy_high, its 95 % interval, and test_accuracy_chance: float64, NaN where undefined or
        not known; then seconds, n_folds, n_folds_done, and leakage (text), the test data that its models may have been trained
        on. `scores` has a row for each test score with more details.

        Raises:
            ResultsError: No fold is finished, or a file is damaged.
        """
        return summarize(read_finished(self._experiment))

    @property
    def jobs(self) -> pd.DataFrame:
        """A row for each ended job; see `xval.load_jobs`."""
        return load_jobs(self.folder)

    @property
    def folds(self) -> pd.DataFrame:
        """The metrics of every finished fold; see `xval.load_results`."""
        return _without_warning(load_results, self.folder)

    @property
    def scores(self) -> pd.DataFrame:
        """The test scores of all instances, with intervals and chance; see `xval.load_scores`."""
        return _without_warning(load_scores, self.folder)

    @property
    def figures(self) -> NoReturn:
        """The name that `scores` had in earlier versions: an error."""
        raise AttributeError("Results.figures is now Results.scores")

    @property
    def predictions(self) -> pd.DataFrame:
        """The predictions of all finished folds; see `xval.load_predictions`, which can read only some instances."""
        return _without_warning(load_predictions, self.folder)

    @property
    def not_done(self) -> list[dict[str, Any]]:
        """The folds that failed or are missing: dicts of dataset, experiment, instance, fold, repeat, status and error."""
        folds_not_done: list[dict[str, Any]] = self.folds.attrs["not_done"]
        return folds_not_done

    @property
    def best(self) -> int:
        """The number of the instance that the validation scores select; test scores are never used for this.

        Raises:
            ResultsError: No instance has a validation score.
        """
        selected = rank_instances(read_finished(self._experiment)).selected
        if selected is None:
            raise ResultsError(f"{self.folder}: no instance has a validation score to select it by.")
        return selected

    def compare(
        self, *instances: int | str, baseline: int | str | None = None, metric: str | None = None, rope: float = 0.01
    ) -> Comparison:
        """Compare instances with a baseline; see `xval.compare_instances`. The ``table`` of the result is a DataFrame."""
        return compare_instances(self.folder, instances, baseline=baseline, metric=metric, rope=rope)

    def report(
        self,
        *,
        audio: bool = True,
        audit: bool = True,
        explain: ExplainMethod | Literal["none"] | None = None,
        modules: Collection[str] = (),
    ) -> Path:
        """Write report.html again and return its path; warn of files that had to be skipped.

        Args:
            audio: Embed clips of the corpus.
            audit: Add the leakage audit.
            explain: Add pictures that explain the worst predictions, by this method; ``"none"``: remove those that the page
                has.
            modules: Your modules with metrics or layers, which are imported from their folder at the time of the run. No other
                code that came with the results runs.

        Raises:
            ResultsError: No fold is finished, a file is damaged, or the page has contents that the new one would lack.
        """
        with imports.reading_model(modules):
            for line in rebuild_if_stale(self._experiment):
                warnings.warn(f"skipped: {line}", UserWarning, stacklevel=2)
            return write_page(self._experiment, PageRequest(with_audio=audio, with_audit=audit, explain=explain))

    def refit(
        self,
        instance: int | str | None = None,
        *,
        gpu: int | str | None = None,
        epochs: int | None = None,
        overwrite: bool = False,
        quiet: bool = False,
    ) -> Path:
        """Train a final model on all items, like ``xval refit``, and return the path of its .keras file.

        Args:
            instance: Number of the instance; None: the best one.
            gpu: A GPU, or ``cpu``; None: the device of the experiment.
            epochs: Number of epochs; None: chosen by the folds.
            overwrite: Replace an existing final model.
            quiet: Print nothing.

        Raises:
            UsageError: A fold is not done, or the instance cannot be trained on all items.
            JobError: The training failed.
        """
        console = make_console()
        console.quiet = quiet
        device = None if gpu is None else str(gpu)
        number = None if instance is None else number_of("instance", instance)
        return refit_instance(self._experiment, RefitRequest(number, epochs, device, overwrite=overwrite), console)

    def load_model(self, instance: int | str | None = None, *, gpu: str | None = None) -> SavedModel:
        """Load the models of an instance's folds, which predict together; see `xval.load_model`.

        Args:
            instance: Number of the instance; None: the best one.
            gpu: As for `xval.load_model`.

        Raises:
            ResultsError: There is no such instance, or it has no usable model.
        """
        number = self.best if instance is None else number_of("instance", instance)
        if number not in (numbers := self._experiment.instances()):
            raise ResultsError(f"{self.folder}: there is no instance {number}. Available: {describe_numbers(numbers)}.")
        return load_model(self._experiment.instance_folder(number), gpu=gpu)

    def __repr__(self) -> str:
        """Return the folder and, if a fold is finished, the table at the end of a run; ``*``: selected by validation."""
        name = f"Results({str(self.folder)!r})"
        if not self._has_scores():
            return name
        table, notes = self._closing_table()
        return "\n".join([name, table.to_string(), *notes])

    def _repr_html_(self) -> str:
        name = f"<p>{escape(str(self.folder))}</p>"
        if not self._has_scores():
            return name
        table, notes = self._closing_table()
        return "".join([name, table.to_html(), *(f"<p>{escape(sentence)}</p>" for sentence in notes)])

    def _closing_table(self) -> tuple[pd.DataFrame, list[str]]:
        """Return the summary as text, as a run prints it, and the notes below it."""
        header, rows, _, notes = summary_table(read_finished(self._experiment))
        return pd.DataFrame(rows, columns=list(header)).set_index("instance"), notes

    def _has_scores(self) -> bool:
        return len(self.folds) > 0


def _without_warning(load: Any, folder: Path) -> pd.DataFrame:
    """Load a table without the warning of missing folds, which `Experiment.run` has given, and `not_done` lists."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*folds? not in the table", category=UserWarning)
        table: pd.DataFrame = load(folder)
    return table


def report_failures(results: Results, numbers: Collection[int]) -> None:
    """Warn of failed jobs of some instances.

    Raises:
        JobError: None of the instances has a finished job.
    """
    failed = [job for job in results.not_done if job["instance"] in numbers and job["status"] == "failed"]
    errors = "; ".join(dict.fromkeys(str(job["error"]) for job in failed))
    failed_trials = "trials of a search failed; see their records in instance_<i>/search"
    message = f"{results.folder}: {counted(len(failed), 'job') + f' failed: {errors}' if failed else failed_trials}"
    if not set(numbers) & set(results.folds["instance"]):
        raise JobError(message)
    warnings.warn(message, UserWarning, stacklevel=3)
