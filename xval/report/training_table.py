"""How each instance was trained, a table of the page: optimizer, batch size, clip length, features, augmentation.

Comes in: instances. Goes out: a header and a row of text per instance.
"""

from collections.abc import Mapping, Sequence

from xval.answers.names import names_of
from xval.report.figures import parameter_text
from xval.results.instance import InstanceResults
from xval.settings.architectures import trains_network
from xval.settings.schema import Settings

HEADER = ("name", "optimizer", "learning rate", "batch size", "clip length", "features", "augmentation in training")
_NETWORK = ("optimizer", "learning_rate", "batch_size")
_PREFIX = "augment_"
_WIDTHS = {"augment_time_mask_frames", "augment_frequency_mask_bins", "augment_mixstyle_alpha"}
"""Of an augmentation that another setting switches on."""


def training_rows(instances: Sequence[InstanceResults]) -> list[tuple[str, ...]]:
    """Return a row of `HEADER` per instance; ``–`` stands for what only networks have."""
    names = names_of(instances)
    rows = []
    for instance in instances:
        settings = instance.settings
        is_network = trains_network(settings.architecture)
        of_network = (parameter_text(instance, name) if is_network else "–" for name in _NETWORK)
        augmentation = _augmentation(instance.parameters) if is_network else "–"
        rows.append((names[instance.number], *of_network, _length(settings), _features(settings), augmentation))
    return rows


def _length(settings: Settings) -> str:
    parts = []
    if settings.clip_length_s is not None:
        parts.append(f"first {settings.clip_length_s:g} s")
    if settings.stretch_frames is not None:
        parts.append(f"stretched to {settings.stretch_frames} frames")
    if settings.example_length_s is not None:
        parts.append(f"windows of {settings.example_length_s:g} s")
    if settings.crop_s is not None:
        parts.append(f"random crops of {settings.crop_s:g} s")
    return ", ".join(parts) or "whole clips"


def _features(settings: Settings) -> str:
    kind = settings.frontend if settings.features == "waveform" and settings.frontend != "none" else settings.features
    size = {"logmel": f", {settings.n_mels} bands", "mfcc": f", {settings.n_mfcc} coefficients"}.get(kind, "")
    if kind == "embedding":
        return f"embedding, {settings.embedding_model}"
    encoder = f", {settings.encoder}" if settings.encoder else ""
    return f"{kind}{size}, {settings.sample_rate_hz} Hz{encoder}"


def _augmentation(parameters: Mapping[str, object]) -> str:
    values = {name: value for name, value in parameters.items() if name.startswith(_PREFIX) and name not in _WIDTHS and value}
    return ", ".join(f"{name.removeprefix(_PREFIX)} {value}" for name, value in values.items()) or "none"
