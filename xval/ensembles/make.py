"""Make an ensemble of finished instances: an instance of the same experiment, with records like theirs, without training.

Comes in: a results folder, numbers of instances and how they are combined. Goes out: instance_<n>/ with a folder for each fold,
and fresh derived files.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from preprocessing.store.checksums import refuse_damage
from xval.ensembles.fold import combine_fold
from xval.ensembles.members import Member, find_members
from xval.errors import ResultsError, SettingsError, suggestion
from xval.folds.split import Fold
from xval.jobs.claim import ClaimedFold
from xval.jobs.job import Job, job_seed
from xval.jobs.plan import write_settings
from xval.jobs.written_settings import read_instance
from xval.operating_system import read_regular
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.read import read_folds
from xval.settings.architectures import ENSEMBLE
from xval.settings.resolve import Instance

_NAMES = {"mean": "", "choose": ", chosen", "stack": ", stacked"}
METHODS = tuple(_NAMES)
FIRST_NUMBER = 901
"""The number of the first ensemble of an experiment, behind those of instances that a script may add."""
_LARGEST_DESCRIPTION_BYTES = 1 << 20


@dataclass(frozen=True)
class Ensemble:
    """What was made.

    Attributes:
        number: Of its instance.
        name: ``ensemble 1+3+5``; of other methods than the mean ``ensemble 1+3+5, chosen`` or ``..., stacked``.
        weights: By fold, the weight of each member with its key.
    """

    number: int
    name: str
    weights: dict[int, list[tuple[JobKey, float]]]


def make_ensemble(
    folder: ExperimentFolder,
    numbers: Sequence[int],
    *,
    method: str = "mean",
    number: int | None = None,
    data_folder: Path | None = None,
) -> Ensemble:
    """Combine the stored predictions of instances, fold by fold; an ensemble of the same members is replaced.

    Keras must be loaded, or is loaded here as KERAS_BACKEND says.

    Args:
        folder: The results folder.
        numbers: The instances; each repeat of each is a member.
        method: mean; choose: the mean of members that greedy forward selection on the validation items chooses; stack: a
            regression on their answers, fitted to the validation items.
        number: Of the ensemble; None: the number that it has, or the first free one from 901 on.
        data_folder: The folder of corpora; None: that of the instances.

    Raises:
        SettingsError: Members cannot be combined, the method is unknown, or the number belongs to an instance that is trained.
        ResultsError: Members do not fit together, or files are missing or damaged.
        CorpusError: A feature store is gone or damaged.
    """
    if method not in METHODS:
        raise SettingsError(f"unknown method '{method}'. {suggestion(method, METHODS)}")
    members, folds = find_members(folder, numbers), read_folds(folder)
    instance = _describe(folder, numbers, method, number)
    if missing := sorted(set(folds.numbers) - set(members)):
        raise ResultsError(f"{folder.path}: no member has fold {', '.join(map(str, missing))}.")
    first = members[folds.numbers[0]][0]
    corpus = (data_folder or Path(first.settings.data_folder)) / first.settings.dataset
    keys = [JobKey(instance.number, fold) for fold in folds.numbers]
    if earlier := [key for key in keys if folder.fold_folder(*key).exists()]:
        folder.replace(instance.number, earlier)
    weights = {}
    try:
        write_settings(folder, instance, read_description(folder))
        jobs = [_make_job(folder, instance, members[key.fold][0], corpus, folds.hash_of(key.fold)) for key in keys]
        for store in sorted({job.store_folder for job in jobs}):
            refuse_damage(Path(store))
        for job in jobs:
            weights[job.fold.number] = _make_fold(job, members[job.fold.number], method)
    except BaseException:
        if not folder.jobs(instance.number):
            shutil.rmtree(folder.instance_folder(instance.number), ignore_errors=True)
        raise
    folder.end_replacing(instance.number, keys, keys)
    return Ensemble(instance.number, instance.settings.comment_1, weights)


def _make_fold(job: Job, members: Sequence[Member], method: str) -> list[tuple[JobKey, float]]:
    """Make and publish a fold; return the weights of its members."""
    folder = ExperimentFolder(Path(job.experiment_folder))
    if folder.is_replacement(*job.key):  # by a try that was interrupted; its members may have changed since
        shutil.rmtree(folder.fold_folder(*job.key))
    with ClaimedFold(job, lambda _: None, device="cpu") as claimed:
        if claimed.outcome is not None:
            raise ResultsError(f"{job.key}: another process is making it.")
        record = combine_fold(job, claimed.temporary, members, method)
        claimed.publish(record)
    return [(JobKey.of(member), member["weight"]) for member in record["members"]]


def read_description(folder: ExperimentFolder) -> str:
    """Return the description of an experiment; empty where its file is gone.

    Raises:
        ResultsError: It is no text in UTF-8.
        OSError: It cannot be read, is no regular file, or larger than `_LARGEST_DESCRIPTION_BYTES`.
    """
    path = folder.path / "description.txt"
    try:
        return read_regular(path, _LARGEST_DESCRIPTION_BYTES).decode().strip()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise ResultsError(
            f"{path}: no text in UTF-8 (byte {error.start}). Write the description again, or delete it."
        ) from error


def _describe(folder: ExperimentFolder, numbers: Sequence[int], method: str, number: int | None) -> Instance:
    """Return the instance: the settings of the first member, and what it is made of."""
    first = read_instance(folder, numbers[0])
    settings = first.settings.model_copy(
        update={
            "architecture": ENSEMBLE,
            "comment_1": f"ensemble {'+'.join(map(str, numbers))}{_NAMES[method]}",
            "comment_2": {"mean": "mean", "choose": "chosen by validation", "stack": "stacked on validation items"}[method],
            "repeats": 1,
            "initial_model": None,
            "tensorboard": False,
            "overwrite_results": False,
        }
    )
    options: dict[str, object] = {"members": tuple(numbers), "method": method}
    sources = dict.fromkeys((*type(settings).model_fields, *options), "python -m xval ensemble")
    made = Instance(0, settings, options=options, sources=sources)
    known = {each: folder.settings(each) or {} for each in folder.instances()}
    same = (each for each, written in known.items() if written.get("settings_hash") == made.settings_hash)
    taken = {each for each, written in known.items() if written or folder.jobs(each)}  # without: left by a try that was killed
    free = next(each for each in range(FIRST_NUMBER, FIRST_NUMBER + len(known) + 1) if each not in taken)
    chosen = number or next(same, free)
    if known.get(chosen, {}).get("settings_hash", made.settings_hash) != made.settings_hash:
        raise SettingsError(f"instance {chosen} is there and is another one; choose a free number, such as {free}.")
    return Instance(chosen, settings, options=options, sources=sources)


def _make_job(folder: ExperimentFolder, instance: Instance, first: Member, corpus: Path, folds_hash: str) -> Job:
    items, fold = first.record["items"], first.key.fold
    return Job(
        experiment_folder=str(folder.path.resolve()),
        code_folder=str((folder.path / "code" / str(first.record["code_hash"])).resolve()),
        store_folder=str((corpus / "features" / Path(first.record["store"]).name).resolve()),
        instance=instance.number,
        fold=Fold(fold, tuple(items["training"]), tuple(items["validation"]), tuple(items["test"])),
        settings=instance.settings,
        options=instance.options,
        settings_hash=instance.settings_hash,
        folds_hash=folds_hash,
        seed=job_seed(instance.settings.seed, fold),
    )
