"""Make an ensemble of finished instances: an instance of the same experiment, without training.

Either all of its folds are made, or none.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from preprocessing.corpus_folder import find_corpus_folder
from preprocessing.store import open_store
from preprocessing.store.checksums import refuse_damage
from xval.answers.summary import MEMBERS_DIFFER
from xval.base.errors import ResultsError, SettingsError, suggestion
from xval.base.json_files import name_refused, write_json
from xval.base.operating_system import peak_memory_mb, read_regular
from xval.engine.worker.run import run_fold
from xval.folds.plan import Fold
from xval.folds.predefined import SIDES
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.jobs.plan import make_job, write_settings
from xval.jobs.written_settings import restore_instance
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.reuse.ensembles.fold import fit_members
from xval.reuse.ensembles.members import Member, find_members
from xval.settings.architectures import ENSEMBLE
from xval.settings.further_metrics import untrusted
from xval.settings.resolve import Instance

_NAMES = {"mean": "", "choose": ", chosen", "stack": ", stacked"}
METHODS = tuple(_NAMES)
FIRST_NUMBER = 901
"""The number of the first ensemble of an experiment, above the numbers of instances that a script may add."""


@dataclass(frozen=True)
class Ensemble:
    """An ensemble that was made.

    Attributes:
        number: Number of its instance.
        name: ``ensemble 1+3+5``, or with other methods than the mean ``ensemble 1+3+5, chosen`` or ``..., stacked``.
        weights: For each fold, the keys of the members and their weights.
        left_out: The metrics without values, because their code is not imported, each with the reason.
    """

    number: int
    name: str
    weights: dict[int, list[tuple[JobKey, float]]]
    left_out: dict[str, str]


def make_ensemble(
    folder: ExperimentFolder,
    numbers: Sequence[int],
    *,
    method: str = "mean",
    number: int | None = None,
    data_folder: Path | None = None,
) -> Ensemble:
    """Combine the stored predictions of instances, fold by fold; an ensemble of the same members is replaced.

    If Keras is not loaded, it is loaded with the backend of KERAS_BACKEND.

    Args:
        folder: The results folder.
        numbers: Numbers of the instances; every seed is a member.
        method: mean; choose: the mean of members that greedy forward selection on the validation items chooses; stack: a
            regression on their predictions, fitted to the validation items.
        number: Number of the ensemble; None: its present number, or the first free one from 901 on.
        data_folder: The folder of corpora; None: the one in the settings of the instances.
    """
    if method not in METHODS:
        raise SettingsError(f"unknown method '{method}'. {suggestion(method, METHODS)}")
    members, folds = find_members(folder, numbers), open_results(folder).folds
    instance = _describe(folder, numbers, method, number)
    if missing := sorted(set(folds.numbers) - set(members)):
        raise ResultsError(f"{folder.path}: no member has fold {', '.join(map(str, missing))}.")
    first = members[folds.numbers[0]][0]
    corpus = find_corpus_folder(first.settings.dataset, data_folder or Path(first.settings.data_folder))
    keys = [JobKey(instance.number, fold) for fold in folds.numbers]
    jobs = [_make_job(folder, instance, members[key.fold][0], corpus, folds.hash_of(key.fold)) for key in keys]
    for store in sorted({job.store_folder for job in jobs}):
        refuse_damage(open_store(store).folder)
    weights = _make_folds(folder, instance, jobs, members, method)
    folder.end_replacing(instance.number, keys, keys)  # begun by an earlier version
    return Ensemble(instance.number, instance.settings.comment_1, weights, untrusted(instance.settings.metrics))


def _make_folds(
    folder: ExperimentFolder, instance: Instance, jobs: Sequence[Job], members: Mapping[int, Sequence[Member]], method: str
) -> dict[int, list[tuple[JobKey, float]]]:
    """Make all folds in temporary folders and publish them when all are done; return the weights of their members."""
    temporary_folders: dict[JobKey, Path] = {}
    weights, had_jobs, is_ours = {}, bool(folder.jobs(instance.number)), True
    try:
        with ExitStack() as stack:
            for job in jobs:
                is_ours = stack.enter_context(folder.claim(*job.key))
                if not is_ours:
                    raise ResultsError(f"{job.key}: another process is making it.")  # noqa: TRY301 - it leaves the claims of the others
                if not temporary_folders:
                    write_settings(folder, instance, read_description(folder))
                temporary_folders[job.key] = temporary = folder.begin_fold(*job.key)
                stack.callback(shutil.rmtree, temporary, ignore_errors=True)
                record = _make_fold(job, temporary, members[job.fold.number], method)
                weights[job.fold.number] = [(JobKey.of(member), member["weight"]) for member in record["members"]]
            for key, temporary in temporary_folders.items():
                folder.publish(temporary, *key)
    except BaseException as error:
        name_refused(error, folder.instance_folder(instance.number))
        if is_ours and not had_jobs:
            shutil.rmtree(folder.instance_folder(instance.number), ignore_errors=True)
        raise
    return weights


def _make_fold(job: Job, temporary: Path, members: Sequence[Member], method: str) -> dict[str, Any]:
    """Write the files of a fold, including record.json, and return its record."""
    started = time.monotonic()
    observers = Observers()
    record = run_fold(job, temporary, observers, partial(fit_members, members, method))
    observers.complete(record)
    record |= {"seconds": round(time.monotonic() - started, 3), "peak_memory_mb": peak_memory_mb(), "device": "cpu"}
    write_json(temporary / "record.json", record, flushed=False)
    return record


def read_description(folder: ExperimentFolder) -> str:
    """Return the description of an experiment; empty if its file is gone."""
    path = folder.path / "description.txt"
    try:
        return read_regular(path).decode().strip()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise ResultsError(
            f"{path}: not text in UTF-8 (byte {error.start}). Write the description again, or delete it."
        ) from error


def _describe(folder: ExperimentFolder, numbers: Sequence[int], method: str, number: int | None) -> Instance:
    """Return the instance: the settings of the first member (where others differ, the sources say so), members and method."""
    members = [restore_instance(folder, member) for member in numbers]
    first, *others = (member.settings for member in members)
    settings = first.model_copy(
        update={
            "architecture": ENSEMBLE,
            "comment_1": f"ensemble {'+'.join(map(str, numbers))}{_NAMES[method]}",
            "comment_2": "",
            "repeats": 1,
            "initial_model": None,
            "pretrained_on": None,  # the members' records say what was vouched for
            "tensorboard": False,
            "overwrite_results": False,
        }
    )
    options: dict[str, object] = {"members": tuple(numbers), "method": method}
    sources = dict.fromkeys((*type(settings).model_fields, *options), "xval ensemble")
    for name in type(settings).model_fields:
        if getattr(settings, name) == getattr(first, name) and any(
            getattr(other, name) != getattr(first, name) for other in others
        ):
            sources[name] = MEMBERS_DIFFER
    own_folders = tuple(dict.fromkeys(folder for member in members for folder in member.own_folders))  # of their metrics
    unnumbered = Instance(0, settings, options, sources, own_folders)
    known = {instance: folder.settings(instance) or {} for instance in folder.instances()}
    same = (instance for instance, written in known.items() if written.get("settings_hash") == unnumbered.settings_hash)
    # Without settings and jobs: left by a try that was killed.
    taken = {instance for instance, written in known.items() if written or folder.jobs(instance)}
    free = next(unused for unused in range(FIRST_NUMBER, FIRST_NUMBER + len(known) + 1) if unused not in taken)
    chosen = number or next(same, free)
    if known.get(chosen, {}).get("settings_hash", unnumbered.settings_hash) != unnumbered.settings_hash:
        raise SettingsError(f"instance {chosen} already exists and is different. Choose a free number, such as {free}.")
    return replace(unnumbered, number=chosen)


def _make_job(folder: ExperimentFolder, instance: Instance, first: Member, corpus: Path, folds_hash: str) -> Job:
    """Return the job of a fold, made from that of its first member."""
    record = first.record
    fold = Fold(first.key.fold, *(tuple(record["items"][side]) for side in SIDES))
    store, code = corpus / "features" / Path(record["store"]).name, folder.path / "code" / str(record["code_hash"])
    return make_job(folder, instance, fold, folds_hash, store=store, code=code, own_code={})
