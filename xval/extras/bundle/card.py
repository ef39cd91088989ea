"""README.md of a bundle: the model card with the front matter of the Hugging Face Hub, and how to use the files.

Every value of the front matter is written as JSON, which is also YAML, so that a name is always read as text.
"""

import json
import re
from collections.abc import Collection
from pathlib import Path

from xval.answers.pretrained import explain
from xval.extras.bundle.evidence import BundleEvidence
from xval.extras.bundle.facts import NO_EXPORTS, BundleFacts
from xval.report.escaping import in_markdown
from xval.report.model_card import describe_model, model_scores
from xval.report.rendering import make_environment

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.-]*")
"""Pattern of licence identifiers of the Hugging Face Hub, such as mit, apache-2.0 or cc-by-4.0."""
_BREAKS_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def describe_bundle(evidence: BundleEvidence, licence: str, facts: BundleFacts | None, files: Collection[str]) -> str:
    """Return the text of README.md: front matter in YAML, then the model card in Markdown.

    Args:
        evidence: The model with its description, record and origin.
        licence: Licence of the model; empty: unknown.
        facts: Inputs and outputs of the exports; None: the model has no exports.
        files: Names of all files of the bundle except README.md, ro-crate-metadata.json and SHA256SUMS.
    """
    environment = make_environment(Path(__file__).with_name("templates"))
    environment.filters["plain"] = in_markdown
    instance, record = evidence.instance, evidence.record
    card = describe_model(record, instance.settings, instance.written.item_word, evidence.scores) if instance and record else ""
    text = environment.get_template("bundle_card.md").render(
        card=card,
        described=evidence.described,
        embedder=evidence.embedder,
        facts=facts,
        files=files,
        item=evidence.item_word,
        licence=licence,
        n_items=len(evidence.item_names),
        n_networks=len(evidence.models) - 1,
        name=evidence.name,
        no_exports=NO_EXPORTS,
        origin=explain(evidence.origin),
        parts=evidence.parts,
        state=evidence.origin.state,
    )
    return f"---\n{_front_matter(evidence, licence)}---\n\n{text}"


def _front_matter(evidence: BundleEvidence, licence: str) -> str:
    described, instance, record = evidence.described, evidence.instance, evidence.record
    is_named = _IDENTIFIER.fullmatch(licence) is not None
    entries: dict[str, object] = {"license": licence if is_named else "other" if licence else "unknown"}
    if licence and not is_named:
        entries["license_name"] = licence
    kind = "audio-classification" if described.class_names else "other"
    entries["library_name"] = "sklearn" if evidence.is_estimator else "keras"
    if described.class_names:
        entries["pipeline_tag"] = kind
    formats = ["skops"] if evidence.is_estimator else ["onnx", "tflite"]
    entries["tags"] = ["audio", *formats, "xval", described.task_type.replace("_", "-")]
    if instance and record:
        metrics = [
            {"type": name.rpartition(" ")[2], "name": name, "value": value}
            for name, value, _ in model_scores(record, instance.settings, instance.written.item_word, evidence.scores)
        ]
        dataset = {"name": described.dataset, "type": described.dataset}
        results = [{"task": {"type": kind}, "dataset": dataset, "metrics": metrics}]
        entries["model-index"] = [{"name": evidence.name, "results": results}]
    origin = evidence.origin
    entries["provenance"] = {
        "verdict": origin.state,
        "parts": [*origin.parts],
        "reasons": [*origin.reasons],
        "is_tested": not described.is_untested if record else None,
    }
    return "".join(f"{name}: {_yaml(value)}\n" for name, value in entries.items())


def _yaml(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _BREAKS_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
