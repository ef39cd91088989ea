"""Write a bundle: a folder with a model as ONNX and LiteRT, a page that runs it, its card, its evidence and checksums.

A scikit-learn estimator has neither of these formats; its bundle has the files that xval needs to run it. The folder gets its
name only when it is complete.
"""

import shutil
import zipfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from xval.base.errors import ExportError, ResultsError, SettingsError, counted, first_of
from xval.base.json_files import json_text, only_writer, part_of, refuse_appeared
from xval.base.operating_system import quote, refusal
from xval.extras.bundle.card import describe_bundle
from xval.extras.bundle.checksums import CHECKSUMS_NAME, file_names, write_checksums
from xval.extras.bundle.crate import CRATE_NAME, describe_crate
from xval.extras.bundle.evidence import BundleEvidence, gather_evidence
from xval.extras.bundle.facts import NO_EXPORTS, BundleFacts
from xval.extras.bundle.page import Runtime, make_page, read_runtime
from xval.extras.bundle.places import find_naming_files, without_places
from xval.extras.export.api import (
    Export,
    check_samples,
    clip_length,
    export_model,
    find_format,
    find_model,
    output_columns,
)
from xval.jobs.model_files import refuse_replaced
from xval.models.saved.novelty import read_novelty
from xval.results.folder import neighbour_folder
from xval.reuse.inference import load_model

CARD_NAME = "README.md"
_N_NAMED = 3
_EXPORTS = {"model.onnx": "onnx", "model.tflite": "tflite"}


@dataclass(frozen=True)
class BundleRequest:
    """The options of a bundle.

    Attributes:
        to: The folder to write; None: <dataset>_instance_<i>_fold_<k>_bundle next to the results.
        is_zipped: Also write a zip file next to the folder.
        licence: Licence of the model; empty: unknown.
        runtime: The package onnxruntime-web, a .tgz file or its folder; None: the bundle has no page.
        overwrite: Replace an existing bundle.
    """

    to: Path | None = None
    is_zipped: bool = False
    licence: str = ""
    runtime: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Bundle:
    """A written bundle.

    Attributes:
        folder: The folder of the bundle.
        zip_file: The zip file of the folder; None: not requested.
        differences: The largest difference between the outputs of an export and of the Keras model, by the name of its file.
        notes: Lines for the user, such as the speakers that the files name.
    """

    folder: Path
    zip_file: Path | None
    differences: dict[str, float]
    notes: tuple[str, ...]


def write_bundle(model: Path, request: BundleRequest) -> Bundle:
    """Write the bundle of a model.

    Args:
        model: A .keras file, model.skops, or the fold folder of either.
        request: The options of the bundle.

    Raises:
        ExportError: The model cannot be exported as a graph from samples to predictions.
        ResultsError: The model is missing or damaged, or the folder cannot be written.
        SettingsError: A package is missing, onnxruntime-web is not the expected package, or it is passed for an estimator.
    """
    path = find_model(model, or_estimator=True)
    evidence = gather_evidence(path)
    refuse_replaced(path)
    if evidence.is_estimator:
        if request.runtime:
            raise SettingsError(f"--onnxruntime-web: {path} cannot have a page. {NO_EXPORTS} Remove the option.")
        load_model(path)  # a model that does not load here would not load from the bundle
    else:
        check_samples(evidence.described, path, for_bundle=True)
        for name in _EXPORTS.values():
            find_format(name).check_packages()
    runtime = read_runtime(request.runtime) if request.runtime else None
    target = request.to or neighbour_folder(path) / f"{evidence.name}_bundle"
    zip_file = target.with_name(f"{target.name}.zip") if request.is_zipped else None
    _check_target(target, zip_file, overwrite=request.overwrite)
    try:
        with only_writer(target, "--output") as temporary:
            differences = _fill(temporary, evidence, request.licence, runtime)
            contents = {name: (temporary / name).read_bytes() for name in file_names(temporary)}
            naming = find_naming_files(contents, list(evidence.places))
            with nullcontext() if zip_file is None else part_of(zip_file) as part:
                if part:
                    _zip(temporary, target.name, part)
                for path in filter(None, (target, zip_file)):
                    refuse_appeared(path, "--output", overwrite=request.overwrite)
                _put_in_place(temporary, target, part, zip_file)
    except OSError as error:
        raise ResultsError(f"{target}: cannot be written ({refusal(error)}). Choose another place with --output.") from error
    notes = [NO_EXPORTS] if evidence.is_estimator else [runtime.note] if runtime and runtime.note else []
    if evidence.is_estimator and evidence.embedder:
        notes.append(f"Its features are made by {evidence.embedder}, which is not in the bundle. Share it too.")
    if names := evidence.item_names:
        notes.append(
            f"The files name {counted(len(names), evidence.item_word)} ({first_of(names, _N_NAMED)}). Check that these names "
            "may be shared."
        )
    if naming:
        notes.append(f"Folders of this machine are named in {first_of(naming, _N_NAMED)}. Check that they may be shared.")
    return Bundle(target, zip_file, differences, tuple(notes))


def _put_in_place(temporary: Path, target: Path, part: Path | None, zip_file: Path | None) -> None:
    """Rename the folder and the zip file to their final names; if that fails, restore the folder that was there before."""
    replaced = temporary.with_name(f"{temporary.name}.replaced")
    try:
        if target.exists():
            target.rename(replaced)
        temporary.rename(target)
        if part and zip_file:
            part.replace(zip_file)
    except BaseException:  # also Ctrl-C
        if not temporary.exists():
            target.rename(temporary)
        if replaced.exists():
            replaced.rename(target)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def _check_target(target: Path, zip_file: Path | None, *, overwrite: bool) -> None:
    """Raise ResultsError for a folder that is not a bundle, and for a bundle that exists unless ``overwrite`` is set."""
    if target.exists() and not is_bundle(target):
        raise ResultsError(f"{target}: exists and is not a bundle. Give another folder with --output.")
    for path in filter(None, (target, zip_file)):
        if path.exists() and not overwrite:
            raise ResultsError(f"{path}: already exists. Name another folder with --output, or replace it with --overwrite.")


def is_bundle(folder: Path) -> bool:
    """Return whether a folder has the files that `write_bundle` always writes."""
    return all((folder / name).is_file() for name in (CHECKSUMS_NAME, CARD_NAME, CRATE_NAME, "model.json"))


def _fill(folder: Path, evidence: BundleEvidence, licence: str, runtime: Runtime | None) -> dict[str, float]:
    """Write all files of a bundle, the checksums last; return the largest difference of each export from the Keras model."""
    exports = {} if evidence.is_estimator else _export(evidence.path, folder)
    for name, source in evidence.model_files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(source, folder / name)
    facts = _facts(evidence, exports["model.tflite"]) if exports else None
    contents = evidence.files()
    if runtime and facts:
        contents |= make_page(evidence.name, facts, (folder / "model.onnx").read_bytes(), runtime)
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    files = file_names(folder)
    card = without_places(describe_bundle(evidence, licence, facts, files), evidence.places)
    (folder / CARD_NAME).write_text(card, encoding="utf-8")
    crate = describe_crate(evidence, licence, [CARD_NAME, *files], folder)
    (folder / CRATE_NAME).write_text(json_text(crate), encoding="utf-8")
    write_checksums(folder)
    return {name: export.agreement.difference for name, export in exports.items()}


def _export(path: Path, folder: Path) -> dict[str, Export]:
    """Write a network as ONNX and LiteRT, without descriptions; return the exports by the names of their files."""
    try:
        exports = {name: export_model(path, kind, folder / name, from_samples=True) for name, kind in _EXPORTS.items()}
    except ExportError as error:
        raise ExportError(
            f"{error} A bundle has both formats, onnx and tflite; to write only one: xval export "
            f"{quote(str(path))} --from-samples --format NAME"
        ) from error
    for export in exports.values():
        export.description.unlink()  # model.json of the bundle describes both
    return exports


def _facts(evidence: BundleEvidence, tflite: Export) -> BundleFacts:
    described, settings = evidence.described, evidence.described.feature_settings
    return BundleFacts(
        sample_rate_hz=settings.sample_rate_hz,
        n_samples=clip_length(described),
        channel=settings.channel_number,
        columns=output_columns(described, evidence.path, tflite.n_outputs),
        has_novelty=read_novelty(evidence.path, described.novelty) is not None,
        are_probabilities=bool(described.class_names),
        thresholds=[described.thresholds[name] for name in described.class_names] if described.thresholds else None,
        tflite_batch=tflite.input_shape[0],
    )


def _zip(folder: Path, name: str, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (*file_names(folder), CHECKSUMS_NAME):
            archive.write(folder / file, f"{name}/{file}")
