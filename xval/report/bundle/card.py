"""README.md of a bundle: the model card with the front matter of the Hugging Face Hub, and how to use the files.

Comes in: what is known of a model and the names of its files. Goes out: the text. Every value of the front matter is written as
JSON, which is YAML, too, so that no name can be anything but text.
"""

import json
import re
from collections.abc import Collection

from xval.answers.pretrained import explain
from xval.report.bundle.evidence import Evidence
from xval.report.bundle.facts import BundleFacts
from xval.report.escaping import in_markdown
from xval.report.model_card import describe_model, model_figures
from xval.report.rendering import make_environment

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.-]*")
"""A licence as the Hub writes it: mit, apache-2.0, cc-by-4.0."""
_BREAKS_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def describe_bundle(evidence: Evidence, facts: BundleFacts, files: Collection[str]) -> str:
    """Return the text of README.md."""
    environment = make_environment()
    environment.filters["plain"] = in_markdown
    instance, record = evidence.instance, evidence.record
    card = describe_model(record, instance.settings, instance.written.item_word) if instance and record else ""
    text = environment.get_template("bundle_card.md").render(
        card=card,
        described=evidence.described,
        facts=facts,
        files=files,
        item=evidence.item_word,
        n_items=len(evidence.item_names),
        name=evidence.name,
        origin=explain(evidence.origin),
        parts=evidence.parts,
        state=evidence.origin.state,
    )
    return f"---\n{_front_matter(evidence, facts.licence)}---\n\n{text}"


def _front_matter(evidence: Evidence, licence: str) -> str:
    described, instance, record = evidence.described, evidence.instance, evidence.record
    is_named = _IDENTIFIER.fullmatch(licence) is not None
    entries: dict[str, object] = {"license": licence if is_named else "other" if licence else "unknown"}
    if licence and not is_named:
        entries["license_name"] = licence
    kind = "audio-classification" if described.class_names else "other"
    entries |= {"library_name": "keras", "pipeline_tag": kind} if described.class_names else {"library_name": "keras"}
    entries["tags"] = ["audio", "onnx", "tflite", "xval", described.task_type.replace("_", "-")]
    if instance and record:
        metrics = [
            {"type": name.rpartition(" ")[2], "name": name, "value": value}
            for name, value, _ in model_figures(record, instance.settings, instance.written.item_word)
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
