"""The leakage verdict on the scores of an instance (clean, leaked or unknown) from the pretrained parts of its models.

Terminal, page, workbook, LaTeX and model card show it next to the scores. Facts that a record of an earlier version lacks are
unknown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from preprocessing.corpus import CUSTOM
from xval.base.errors import ResultsError, counted, first_of
from xval.models.saved.embedder import is_foreign, is_own
from xval.models.saved.provenance import State
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.settings.architectures import ENSEMBLE, may_load_weights, trains_network

ORIGIN = "leakage"
"""The column header of the verdicts in tables."""

NEAR_DUPLICATES = "near-duplicates of tested clips"
_MOST_NAMED = 3
_NOT_SAID = "its training data are not known"


@dataclass(frozen=True)
class Origin:
    """What is known about the pretrained parts of models.

    Attributes:
        state: clean: there is no pretrained part, or none was trained on test data; leaked: one was; unknown: this is not known
            for a part.
        parts: Short names of the parts that have leaked or are unknown.
        reasons: The reasons, in sentences.
        vouched: The training data of the unknown parts according to the user; empty: not given.
    """

    state: State = "clean"
    parts: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    vouched: str = ""


def judge_instance(instance: InstanceResults) -> Origin:
    """Return the verdict on an instance: the worst verdict of its finished jobs, with the parts of all jobs that have it.

    A job that was chosen among several instances is judged by the parameters of its own instance.
    """
    return worst(_judge_job(instance, key, record) for key, record in instance.done.items())


def judge_record(record: Mapping[str, Any], parameters: Mapping[str, Any]) -> Origin:
    """Return the verdict on a job from its record.json and the parameters of its instance."""
    chosen = {**parameters, **(record.get("search") or {}).get("values", {})}
    word = chosen.get("pretrained_on")
    parts = list(_parts(record, chosen))
    if word:
        parts = [replace(part, vouched=str(word)) if part.state == "unknown" and not part.vouched else part for part in parts]
    return worst(parts)


def worst(origins: Iterable[Origin]) -> Origin:
    """Return the worst of several verdicts: leaked, then unknown, then unknown but vouched for by the user, then clean."""
    known = list(origins)
    heaviest = max(map(_weight, known), default=0)
    chosen = [origin for origin in known if _weight(origin) == heaviest > 0]
    if not chosen:
        return Origin()
    parts = dict.fromkeys(part for origin in chosen for part in origin.parts)
    reasons = dict.fromkeys(reason for origin in chosen for reason in origin.reasons)
    vouched = dict.fromkeys(origin.vouched for origin in chosen if origin.vouched)
    return Origin(chosen[0].state, tuple(parts), tuple(reasons), "; ".join(vouched))


def clause(origin: Origin) -> str:
    """Return the text to show next to a score; empty if it is clean."""
    parts = name_parts(origin)
    if origin.state == "clean":
        return ""
    if origin.state == "leaked":
        return f"leaked: {parts}"
    if origin.vouched:
        return f"pretrained part {parts}, trained as stated on {origin.vouched}"
    return f"pretrained part of unknown origin: {parts}"


def name_parts(origin: Origin) -> str:
    """Return the first few parts: ``encoder.onnx; net.keras and 2 more``."""
    more = len(origin.parts) - _MOST_NAMED
    return "; ".join(origin.parts[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def explain(origin: Origin) -> str:
    """Return the text of `clause` with the reasons."""
    return clause(origin) + (f" ({'; '.join(origin.reasons)})" if origin.reasons else "")


def clauses(instances: Iterable[InstanceResults]) -> dict[int, str]:
    """Return the text of `clause` for each instance that is not clean, by number."""
    clause_by_number = {instance.number: clause(judge_instance(instance)) for instance in instances}
    return {number: text for number, text in clause_by_number.items() if text}


def to_record(origin: Origin) -> dict[str, Any]:
    """Return a verdict in the form of a record."""
    return asdict(origin)


def from_record(stated: object) -> Origin | None:
    """Return the verdict that `to_record` wrote; None: the value is not a verdict."""
    if not isinstance(stated, Mapping) or stated.get("state") not in ("clean", "leaked", "unknown"):
        return None
    parts, reasons = (tuple(map(str, stated.get(name) or ())) for name in ("parts", "reasons"))
    return Origin(stated["state"], parts, reasons, str(stated.get("vouched") or ""))


def _judge_job(instance: InstanceResults, key: JobKey, record: Mapping[str, Any]) -> Origin:
    number = instance.trained_job(key).instance
    if number == instance.number:
        return judge_record(record, instance.parameters)
    try:
        return judge_record(record, open_results(instance.experiment).settings(number).parameters)
    except ResultsError as error:
        return Origin("unknown", (f"that of instance {number}",), (str(error),))


def _parts(record: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[Origin]:
    """Yield the verdict on each part that may have seen test data."""
    if "expected_origin" in record:  # of a final model, whose scores are those of the folds
        yield from_record(record["expected_origin"]) or Origin("unknown", ("the models of its folds",), (_NOT_SAID,))
        return
    if n_alike := record.get("near_duplicates"):
        nearly = f"{counted(n_alike, 'test clip')} of a fold nearly equal to one in training or validation"
        yield Origin("leaked", (NEAR_DUPLICATES,), (nearly,))
    architecture = str(parameters.get("architecture") or "")
    if architecture == ENSEMBLE:
        yield from_record(record.get("members_origin")) or Origin(
            "unknown", ("its members",), ("made by a version that did not store their origin",)
        )
        return
    initial = parameters.get("initial_model") if trains_network(architecture) else None  # a setting of networks
    stated = record.get("initial_model_items")
    if stated in ("leaked", "unknown") or (initial is not None and stated != "unseen"):
        yield _model_origin(stated, f"initial_model {initial or ''}".strip(), record.get("initial_model_reason"))
    for model in record.get("models", ()):
        if model.get("leakage") != "clean":
            yield _model_origin(model.get("leakage"), str(model.get("path")), model.get("leakage_reason"))
    if parameters.get("features") == "embedding" and record.get("store") != CUSTOM:
        yield _embedder_origin(str(parameters.get("embedding_model") or ""), record.get("embedder_leakage") or {})
    if encoder := parameters.get("encoder"):
        yield _embedder_origin(str(encoder), record.get("embedder_leakage") or {})
    if architecture and may_load_weights(architecture):
        yield _network_origin(architecture, record)


def _model_origin(state: object, name: str, reason: object) -> Origin:
    return Origin("leaked" if state == "leaked" else "unknown", (name,), (str(reason or _NOT_SAID),))


def _embedder_origin(name: str, stated: Mapping[str, Any]) -> Origin:
    """Return the verdict on the model that made the features; ``stated`` is the verdict on a model of xval or a preset."""
    if not (is_own(name) or is_foreign(name)) or stated.get("state") == "clean":
        return Origin()
    return _model_origin(stated.get("state"), name, stated.get("reason"))


def _network_origin(architecture: str, record: Mapping[str, Any]) -> Origin:
    """Return the verdict on a network of the user's own, from the pretrained weights that its build() loads."""
    if "outside_weights" not in record:
        return Origin("unknown", (architecture,), ("made by a version that did not check whether its build() loads weights",))
    weights: Sequence[str] | None = record["outside_weights"]
    if weights is None:
        return Origin("unknown", (architecture,), ("its build() made different numbers of weights with different seeds",))
    if not weights:
        return Origin()
    more = f" and {counted(len(weights) - 1, 'more weight')}" if len(weights) > 1 else ""
    reason = f"its build() gives {first_of(weights, _MOST_NAMED)} the same values whatever the seed"
    return Origin("unknown", (f"{architecture}, {weights[0]}{more}",), (reason,))


def _weight(origin: Origin) -> int:
    return {"clean": 0, "unknown": 1 if origin.vouched else 2, "leaked": 3}[origin.state]
