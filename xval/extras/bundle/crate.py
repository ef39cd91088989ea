"""ro-crate-metadata.json of a bundle: a description of its files and their origin, for archives that read RO-Crate.

The file is JSON-LD by RO-Crate 1.1 (Sefton et al. 2022, "RO-Crate metadata specification 1.1"). It is written without the
package rocrate, which would install eight more packages for these few entries.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from xval.base.version import __version__
from xval.extras.bundle.evidence import FOLDER, BundleEvidence
from xval.report.model_card import model_scores

CRATE_NAME = "ro-crate-metadata.json"
_SPECIFICATION = "https://w3id.org/ro/crate/1.1"
_MODELS = (".keras", ".skops", ".onnx", ".tflite")
_ABOUT = {
    "README.md": "The model card: purpose, performance and origin",
    "model.onnx": "The model as ONNX, from samples to predictions",
    "model.tflite": "The model as LiteRT, from samples to predictions",
    "model.keras": "The model as saved by Keras, from features to predictions",
    "model.skops": "The scikit-learn estimator, from features to predictions, as saved by skops",
    "model.json": "Its features, its classes and the items it was trained on",
    "index.html": "A page that runs the model in a browser",
    f"{FOLDER}/folds.json": "The training, validation and test items of each fold",
    f"{FOLDER}/settings.json": "Every setting of the experiment",
    f"{FOLDER}/code.zip": "The code that trained the model",
}


def describe_crate(evidence: BundleEvidence, licence: str, files: Collection[str], folder: Path) -> dict[str, Any]:
    """Return the content of ro-crate-metadata.json.

    Args:
        evidence: The model with its description, record and origin.
        licence: Licence of the model; empty: unknown.
        files: Names of all files of the bundle except ro-crate-metadata.json and SHA256SUMS.
        folder: The folder of these files.
    """
    described, instance, record = evidence.described, evidence.instance, evidence.record
    scores = model_scores(record, instance.settings, instance.written.item_word, evidence.scores) if instance and record else []
    metrics = [
        {"@id": f"#metric-{number}", "@type": "PropertyValue", "name": name, "value": value}
        for number, (name, value, _) in enumerate(scores, start=1)
    ]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": evidence.name,
        "description": f"{described.architecture}, trained on {described.dataset} ({described.task_type}), with its evidence",
        "datePublished": datetime.now(UTC).date().isoformat(),
        "license": {"@id": "#licence"},
        "hasPart": _references(files),
        "mentions": _references(["#training", *(str(metric["@id"]) for metric in metrics)]),
    }
    used = ["#corpus", *(name for name in files if name.startswith(FOLDER) and not name.endswith("record.json"))]
    made = [name for name in files if name.endswith("record.json") or Path(name).suffix in _MODELS]
    training = {
        "@id": "#training",
        "@type": "CreateAction",
        "name": "Training and cross-validation",
        "instrument": {"@id": "#xval"},
        "object": _references(used),
        "result": _references(made),
    }
    software = {"@id": "#xval", "@type": "SoftwareApplication", "name": "xval", "softwareVersion": __version__}
    return {
        "@context": f"{_SPECIFICATION}/context",
        "@graph": [
            {
                "@id": CRATE_NAME,
                "@type": "CreativeWork",
                "conformsTo": {"@id": _SPECIFICATION},
                "about": {"@id": "./"},
            },
            root,
            {"@id": "#licence", "@type": "CreativeWork", "name": licence or "unknown"},
            {"@id": "#corpus", "@type": "Dataset", "name": described.dataset},
            software,
            training,
            *metrics,
            *(_file(name, folder) for name in files),
        ],
    }


def _references(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"@id": name} for name in names]


def _file(name: str, folder: Path) -> dict[str, str]:
    kind = guess_type(name)[0]
    about = _ABOUT.get(name, "")
    if name.endswith("record.json"):
        about = "The record of one training: items, seeds and versions"
    if name.startswith("network_"):
        about = f"Of a network whose output the estimator reads: {_ABOUT[Path(name).name]}"
    entry = {"@id": name, "@type": "File", "name": Path(name).name, "contentSize": str((folder / name).stat().st_size)}
    return entry | ({"encodingFormat": kind} if kind else {}) | ({"description": about} if about else {})
