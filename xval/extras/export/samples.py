"""Check whether a network can be exported as an end-to-end model, and describe its input and output.

`xval.extras.export.end_to_end` builds the model. This module reads only its description and does not import Keras.
"""

from pathlib import Path

from preprocessing.store.waveforms import lengths_of_waveforms
from xval.base.errors import ExportError
from xval.models.saved.description import ModelDescription
from xval.models.saved.novelty import read_novelty

NOVELTY = "novelty"
"""Name of the last output column of a model with an out-of-distribution score, as in the tables of `predict`."""
_FRONTEND_FEATURES = ("logmel", "stft")


def check_samples(described: ModelDescription, path: Path, *, for_bundle: bool = False) -> None:
    """Check that the path from the samples of a clip to its prediction can be one graph.

    Args:
        described: The content of its model.json.
        path: The model, for errors.
        for_bundle: Whether `xval bundle` needs the graph, not ``xval export --from-samples``; errors say so.

    Raises:
        ExportError: It cannot; the message has the settings that prevent it and the values to set instead.
    """
    settings = described.feature_settings
    is_waveform = settings.features == "waveform"
    obstacles = (
        (described.is_custom, "it reads features made by a script, which cannot be computed from audio"),
        (described.task.target == "frame", "it labels frames of recordings of any length instead of clips"),
        (described.task.target == "input", "an autoencoder outputs its input instead of a class or number"),
        (
            not is_waveform and settings.features not in _FRONTEND_FEATURES,
            f"features={settings.features} is not supported; expected features=logmel, stft or waveform",
        ),
        (
            settings.trim_db is not None,
            f"trim_db={settings.trim_db} cuts the ends of a clip before the model. Set trim_db=none",
        ),
        (settings.vad != "none", f"vad={settings.vad} cuts the ends of a clip before the model. Set vad=none"),
        (settings.feature_deltas > 0, f"feature_deltas={settings.feature_deltas} is not supported. Set feature_deltas=0"),
        (
            settings.stretch_frames is not None,
            f"stretch_frames={settings.stretch_frames} is not supported. Set stretch_frames=none",
        ),
        (
            settings.example_length_s is not None,
            f"example_length_s={settings.example_length_s} cuts clips into windows. Set example_length_s=none",
        ),
        (
            is_waveform and settings.padding == "masked",
            "padding=masked marks the ends of samples before the model. Set padding=auto",
        ),
        (settings.crop_s is not None, f"crop_s={settings.crop_s} repeats short clips before the model. Set crop_s=none"),
    )
    if reasons := [reason for applies, reason in obstacles if applies]:
        what, export = (
            ("cannot be bundled, because a bundle predicts from samples", "xval export")
            if for_bundle
            else ("cannot be exported with --from-samples", "xval export without --from-samples")
        )
        raise ExportError(
            f"{path}: {what}: {'; '.join(reasons)}. Train a model without this, or share it as it is: {export} writes only the "
            "network, and xval predict reads its fold folder."
        )


def output_columns(described: ModelDescription, path: Path, n_columns: int) -> tuple[str, ...]:
    """Return the output columns of an end-to-end model: names (or numbers) of classes or targets, then the novelty if any."""
    last = (NOVELTY,) if read_novelty(path, described.novelty) else ()
    names = described.class_names or described.target_names or tuple(map(str, range(n_columns - len(last))))
    return (*names, *last)


def clip_length(described: ModelDescription) -> int:
    """Return the number of samples that a clip is zero-padded or cut to; raises ExportError if model.json lacks it."""
    settings, longest = described.feature_settings, described.clip_samples
    if longest is None:
        raise ExportError("its description (model.json) lacks the length of clips (clip_samples).")
    return (lengths_of_waveforms(settings, longest).tested or longest) if settings.features == "waveform" else longest
