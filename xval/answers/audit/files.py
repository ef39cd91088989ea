"""The rule that the files of all other rules are complete and can be read."""

import os
from contextlib import suppress
from pathlib import Path

from preprocessing.clips.parquet_files import column_names
from preprocessing.store.checksums import find_damage
from preprocessing.store.moments import DAMAGE
from xval.answers.audit.evidence import Evidence, JobEvidence, NotCheckableError
from xval.answers.audit.verdict import WARNING, Findings
from xval.base.errors import ResultsError, SettingsError, brief
from xval.base.findings import Finding, Rule
from xval.models.saved.description import ModelDescription, read_description
from xval.models.saved.initial import has_changed, name_model
from xval.models.saved.load import find_architecture
from xval.models.saved.provenance import SEEN_AUDIO_NAME

FILES = Finding("every finished fold has all its files, and they and the feature stores are undamaged", slug="files")
UNREADABLE = Finding("{error}")
INCOMPLETE = Finding("{faults}. Move {folder} away and {again}.")
NO_CHECKSUMS = Finding("{folder} was made without checksums; the next run stores them", level=WARNING)
MISSING = Finding("{file} is missing")
NO_COLUMN = Finding("{file} has no column '{column}'")
DAMAGED_FILE = Finding("{file} is damaged ({error})")
OTHER_MODEL = Finding("another model is at {place} than it was made with")
OTHER_CLASSES = Finding("model.json has other classes than record.json")
OTHER_VALUE = Finding("model.json has another {name} than {source}")


@Rule(1, FILES, UNREADABLE, INCOMPLETE, NO_CHECKSUMS, MISSING, NO_COLUMN, DAMAGED_FILE, OTHER_MODEL, OTHER_CLASSES, OTHER_VALUE)
def _check(evidence: Evidence, findings: Findings) -> None:
    findings.add(*(UNREADABLE.fill(error=error) for error in evidence.damage))
    stores: set[Path] = set()
    for job in evidence.jobs:
        findings.n_checked += 1
        if faults := _faults(job, evidence):
            again = "make the ensemble again" if job.is_ensemble else "run the experiment again"
            findings.add(INCOMPLETE.fill(faults="; ".join(faults), folder=job.folder, again=again), what=job.name)
        with suppress(NotCheckableError):  # other rules say why
            stores.add(evidence.store(job).folder)
    for folder in sorted(stores) if evidence.with_checksums else ():
        damage = find_damage(folder)
        findings.add(*(UNREADABLE.fill(error=error) for error in damage or ()))
        if damage is None:
            findings.add(NO_CHECKSUMS.fill(folder=folder))


def _faults(job: JobEvidence, evidence: Evidence) -> list[str]:
    """Return the missing and damaged files of a finished fold."""
    history = ["history.csv"] if "best_epoch" in job.record else []
    needed = [job.model_path.name, *history, *_audio_hashes(job, evidence), *job.record.get("model_sha256", ())]
    missing = [file_name for file_name in dict.fromkeys(needed) if not (job.folder / file_name).is_file()]
    faults = [MISSING.fill(file=file_name).message for file_name in missing]
    try:
        job.description()
        faults += _faults_of_description(job, evidence, read_description(job.model_path))
    except NotCheckableError as error:
        faults.append(str(error))
    except (ResultsError, OSError) as error:
        faults.append(str(error).removeprefix(f"{job.folder}{os.sep}").removesuffix("."))
    faults += _replaced_models(job)
    predictions = job.folder / "predictions.parquet"
    try:
        columns = {"item", "clip", "side"} - set(column_names(predictions))
        faults += [NO_COLUMN.fill(file=predictions.name, column=column).message for column in sorted(columns)]
    except FileNotFoundError:
        faults.append(MISSING.fill(file=predictions.name).message)
    except DAMAGE as error:
        faults.append(DAMAGED_FILE.fill(file=predictions.name, error=brief(error, 300)).message)
    return faults


def _replaced_models(job: JobEvidence) -> list[str]:
    """Return a fault for each replaced model that a fold started from, combines or computed its features with."""
    try:
        settings = job.settings
        return [OTHER_MODEL.fill(place=name_model(settings)).message] if has_changed(job.record, settings) else []
    except NotCheckableError:  # other rules say why
        return []
    except SettingsError as error:
        return [str(error).removesuffix(".")]


def _audio_hashes(job: JobEvidence, evidence: Evidence) -> tuple[str, ...]:
    """Return the file of audio hashes that a fold must have if the corpus has hashes and no earlier model is used."""
    with suppress(NotCheckableError):
        settings, hashes = job.settings, evidence.corpus.index["audio_hash"].fillna("")
        uses_models = job.is_ensemble or settings.start_model or settings.embedding_model or job.record.get("models")
        return (SEEN_AUDIO_NAME,) if (hashes != "").all() and not uses_models else ()
    return ()  # other rules say why


def _faults_of_description(job: JobEvidence, evidence: Evidence, described: ModelDescription) -> list[str]:
    """Return where a model.json contradicts the record, the settings of its instance or its feature store."""
    if not job.is_estimator and not job.is_ensemble:
        find_architecture(job.model_path, described.architecture)
    faults: list[str] = []
    if described.class_names and list(described.class_names) != job.record.get("class_names"):
        faults.append(OTHER_CLASSES.message)
    with suppress(NotCheckableError):
        wanted, saved = (
            feature_settings.model_dump() for feature_settings in (job.feature_settings(), described.feature_settings)
        )
        own = {"sample_rate_hz"} if described.embedder else set()  # the embedder has decided on it
        other = [name for name in wanted if wanted[name] != saved[name] and name not in own]
        faults += [OTHER_VALUE.fill(name=name, source="settings.json").message for name in other]
    with suppress(NotCheckableError):
        store = evidence.store(job)
        stored = (store.description.clip_samples, store.description.feature_settings is None, store.target_names)
        given = (described.clip_samples, described.is_custom, described.target_names)
        names = ("clip_samples", "is_custom", "target_names")
        differ = [
            name for name, stored_value, given_value in zip(names, stored, given, strict=True) if stored_value != given_value
        ]
        faults += [OTHER_VALUE.fill(name=name, source="the feature store").message for name in differ]
    return faults
