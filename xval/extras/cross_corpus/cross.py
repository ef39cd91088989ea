"""Cross-corpus evaluation: train on one dataset and test on another, for all pairs; the diagonal is the cross-validation.

Each dataset has its own experiment, which runs as any other, and a final model trained on all its items. The final model is
tested on the other datasets as by ``xval evaluate``.

Labels are matched by name. Labels that some dataset lacks are excluded from training and test.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from preprocessing.console import progress_bar
from preprocessing.corpus import Corpus, open_corpus
from preprocessing.parallel import Progress, reading_processes
from xval.answers.item_words import item_word
from xval.answers.read import read_instances
from xval.answers.score_text import Estimate, estimate
from xval.base.errors import CorpusError, SettingsError, counted
from xval.experiment.cross_validate import choose_number
from xval.experiment.declare import Experiment
from xval.jobs.other_script import OF_ANY_SCRIPT
from xval.results.folder import ExperimentFolder
from xval.reuse.inference import load_model
from xval.reuse.new_data.evaluation import Choices, evaluate_on
from xval.reuse.new_data.labelled_clips import ReadOptions, read_labelled_clips
from xval.settings.resolve import Declaration, resolve
from xval.settings.schema import EXPERIMENT_KEYS

if TYPE_CHECKING:
    from rich.console import Console

    from xval.results.instance import InstanceResults
    from xval.settings.schema import Settings

_FEWEST = 2  # datasets, and common labels


def cross(
    datasets: Sequence[str], parameters: Mapping[str, object], console: "Console", *, quiet: bool = False
) -> pd.DataFrame:
    """Train and test all pairs of datasets.

    Args:
        datasets: Names of prepared datasets.
        parameters: The settings of the model: any key of config.ini and any option of the architecture.
        console: Prints excluded labels and the progress of the tests.
        quiet: The experiments print nothing.

    Returns:
        A row for each pair, with the columns trained_on, tested_on, metric, value, low, high (the 95 % confidence interval
        over the tested items), chance, n_items and n_clips. ``attrs["item_word"]`` is the word for an item in texts.

    Raises:
        UsageError: There are fewer than two datasets or common labels, the task is not classification, or a setting is wrong.
        JobError: A training failed.
    """
    if len(set(datasets)) < max(_FEWEST, len(datasets)):
        raise SettingsError(f"cross-corpus: expected two or more different datasets; received {', '.join(datasets)}.")
    settings = {name: _resolve(name, parameters) for name in datasets}  # before anything is trained
    task = settings[datasets[0]].task
    if task.name != "classification":
        raise SettingsError(f"cross-corpus: needs task_type=classification; received {task.name}.")
    corpora = {name: open_corpus(name, Path(chosen.data_folder)) for name, chosen in settings.items()}
    common = _common_labels(corpora, console)
    metric, rows, instances = task.main_metrics[0], [], []
    for name, corpus in corpora.items():
        instance, model_path = _train(name, parameters, corpus, common, quiet=quiet)
        instances.append(instance)
        within = estimate(instance, "clip_test" if instance.has_windows else "test", metric)
        n_items = instance.over_items["n_items"] if instance.over_items else 0
        rows.append(_row(name, name, metric, within, n_items, len(_labelled(corpus, common))))
        model = load_model(model_path)
        for other in (tested for tested in datasets if tested != name):
            clips = read_labelled_clips(other, task.name, ReadOptions(Path(settings[other].data_folder)))
            clips = clips.keep(clips.table["label"].isin(common))
            choices = Choices({}, n_processes=reading_processes(None))
            watch = partial(_watch, console, f"{name} on {other}")
            outcome = evaluate_on(model, clips, choices, watch)
            interval = outcome.scores.intervals.get(metric)
            low, high = (interval.low, interval.high) if interval else (None, None)
            tested = Estimate(outcome.scores.metrics[metric], low, high, "", 1 / len(common), ())
            rows.append(_row(name, other, metric, tested, outcome.clips.table["item"].nunique(), len(outcome.clips)))
    table = pd.DataFrame(rows)
    table.attrs["item_word"] = item_word(instances)
    return table


def as_matrix(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of `cross` as a matrix of texts: a row for each training dataset, a column for each tested dataset."""
    texts = [
        Estimate(value, None if pd.isna(low) else low, high, "", None, ()).text
        for value, low, high in table[["value", "low", "high"]].itertuples(index=False)
    ]
    order = table["trained_on"].unique()
    matrix = table.assign(text=texts).pivot(index="trained_on", columns="tested_on", values="text").loc[order, order]
    return matrix.rename_axis(None, axis="columns").reset_index(names="trained on \\ tested on")


def _resolve(dataset: str, parameters: Mapping[str, object]) -> "Settings":
    shared = {"dataset": dataset, **_experiment_parameters(parameters)}
    return resolve(Declaration("cross", "", OF_ANY_SCRIPT, shared, {1: _instance_parameters(parameters)}))[0].settings


def _common_labels(corpora: Mapping[str, Corpus], console: "Console") -> list[str]:
    """Return the sorted labels that all datasets have, and print the others; raises CorpusError for fewer than two."""
    labels = {name: set(_labelled(corpus)["label"]) for name, corpus in corpora.items()}
    common = sorted(set.intersection(*labels.values()))
    if len(common) < _FEWEST:
        listed = "; ".join(f"{name}: {', '.join(sorted(names))}" for name, names in labels.items())
        raise CorpusError(
            f"cross: the datasets have {counted(len(common), 'label')} in common; expected at least two ({listed:.600}). "
            "Prepare them with the same label names."
        )
    for name, names in labels.items():
        if excluded := sorted(names - set(common)):
            n_clips = int(_labelled(corpora[name])["label"].isin(excluded).sum())
            console.print(
                f"{name}: excluded {counted(n_clips, 'clip')} with labels that not all datasets have: {', '.join(excluded)}.",
                markup=False,
            )
    console.print(f"Labels: {', '.join(common)}.", markup=False)
    return common


def _labelled(corpus: Corpus, labels: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the clips of a dataset without augmented copies; with ``labels`` only the clips with one of these labels."""
    clips = corpus.index[~corpus.index["augmented"].astype(bool)]
    return clips if labels is None else clips[clips["label"].isin(labels)]


def _train(
    name: str, parameters: Mapping[str, object], corpus: Corpus, common: list[str], *, quiet: bool
) -> "tuple[InstanceResults, Path]":
    """Cross-validate a dataset and train its final model; return the instance and the path of the model."""
    shared: dict[str, object] = {"dataset": name, **_experiment_parameters(parameters)}
    label_filter = {}
    if set(corpus.index["label"]) > set(common):
        label_filter = dict.fromkeys(("train_where", "test_where"), f"label in {tuple(common)!r}")
    instance_values = _instance_parameters(parameters) | label_filter
    number = choose_number(shared, instance_values, refit=True)
    experiment = Experiment(OF_ANY_SCRIPT, **shared)
    experiment[number] = instance_values
    results = experiment.run(number, quiet=quiet)
    model_path = results.refit(number, quiet=quiet)
    return read_instances(ExperimentFolder(results.folder), [number])[0], model_path


def _experiment_parameters(parameters: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in parameters.items() if name in EXPERIMENT_KEYS}


def _instance_parameters(parameters: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in parameters.items() if name not in EXPERIMENT_KEYS}


def _watch(console: "Console", pair: str, title: str) -> AbstractContextManager[Progress]:
    return progress_bar(console, f"{title}, {pair}")


def _row(trained_on: str, tested_on: str, metric: str, score: Estimate, n_items: int, n_clips: int) -> dict[str, object]:
    return {
        "trained_on": trained_on, "tested_on": tested_on, "metric": metric, "value": score.value, "low": score.low,
        "high": score.high, "chance": score.chance, "n_items": n_items, "n_clips": n_clips,
    }  # fmt: skip
