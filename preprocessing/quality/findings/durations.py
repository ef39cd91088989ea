"""Rules about clips that are cut or padded, and about classes that the duration of a clip reveals."""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import clip_samples, lost_samples, window_samples
from preprocessing.quality.rules import Caution, Criteria, Fault, Features, PreparingCaution, Reasons, count_clips
from xval.base.errors import counted
from xval.base.findings import Finding

LARGEST_PADDING = 5
"""Largest ratio of the length of an example to that of its clip without a finding."""
LARGEST_SHARE_OF_DURATIONS = 0.5
_FEWEST_DURATIONS = 20

_CUT = "{lost} after clip_length_s={length:g}{n_shorter:?; {n_shorter} shorter {n_shorter:one is|ones are} zero-padded}"
CUT = Finding(_CUT, "Give --set example_length_s={length:g} instead to use all audio")
CUT_TWICE = Finding(_CUT, "Remove clip_length_s to use all audio")
_CROP = "{lost} in each epoch, because it trains on a crop of crop_s={crop_s:g}"
_RAISE = "Raise crop_s if that is too little; validation and test use "
CROPPED = Finding(_CROP, _RAISE + "whole clips")
CROPPED_WINDOWS = Finding(_CROP, _RAISE + "windows of them")
_PADDED = (
    f"{{n}} of {{n_clips}} clips {{n:is|are}} zero-padded to over {LARGEST_PADDING} times {{n:its|their}} length, from "
    "{least:.2g} s to {length_s:.3g} s "
)
PADDED_BY_WINDOWS = Finding(_PADDED + "(example_length_s={example_length_s:g})", "Give shorter windows (example_length_s)")
PADDED_BY_LENGTH = Finding(_PADDED + "(clip_length_s={clip_length_s:g})", "Give a shorter clip_length_s")
PADDED = Finding(
    _PADDED + "(the longest, {longest})",
    "Remove clips that are too long, or cut all clips into windows with --set example_length_s={window:.2g}",
)

LONG_WINDOW = Finding(
    "example_length_s={window:g} is not shorter than any clip (the longest has {longest:.2g} s), so each becomes one padded "
    "example",
    "Give a shorter example_length_s",
)


@Fault(
    25,
    "durations go with classes",
    "doubtful",
    f"Over {LARGEST_SHARE_OF_DURATIONS:.0%} of the variance of the durations (of their ranks) is between classes, so the "
    "zeros after a short clip reveal its class.",
    "Cut clips into windows (example_length_s) or crops (crop_s), or stretch them to one length (stretch_frames).",
    "class",
)
def _durations_of_classes(facts: pd.DataFrame, criteria: Criteria) -> Reasons:
    clips = facts[facts["broken"].isna()]
    if criteria.task_type != "classification" or clips["label"].nunique() < 2 or len(clips) < _FEWEST_DURATIONS:
        return {}
    ranks = clips["duration_s"].rank()
    whole = float(((ranks - ranks.mean()) ** 2).sum())
    between = float(((ranks.groupby(clips["label"]).transform("mean") - ranks.mean()) ** 2).sum())
    if not whole or between / whole < LARGEST_SHARE_OF_DURATIONS:
        return {}
    medians = clips.groupby("label")["duration_s"].median()
    return {str(label): f"median {median:.2g} s" for label, median in medians.items()}


@Fault(
    24,
    "padded",
    "doubtful",
    f"Half of the clips or more are padded with zeros to over {LARGEST_PADDING} times their length, so models see mostly "
    "silence.",
    "Remove clips that are much longer than the others, or cut all into windows (example_length_s).",
)
def _padded_clips(facts: pd.DataFrame, criteria: Criteria) -> Reasons:
    if not criteria.has_examples:
        return {}
    short, length_s = padded_durations(count_clips(facts), criteria.settings)
    rows = zip(map(int, short.index), short, strict=True)
    return {row: f"{seconds:.2g} s, padded to {length_s:.3g} s" for row, seconds in rows}


def padded_durations(clips: pd.DataFrame, settings: FeatureSettings) -> "tuple[pd.Series[float], float]":
    """Return the durations of clips that are padded to more than `LARGEST_PADDING` times their length, and the padded length.

    If these are less than half of the clips, none is returned, because every dataset has a few short clips.

    Args:
        clips: One row per clip: duration_s; NaN: not known.
        settings: Settings of the features.

    Returns:
        The durations (s) with the index of the clips, and the length of an example (s).
    """
    durations = clips["duration_s"].dropna()
    longest = clip_samples(settings, float(durations.max())) if len(durations) else None
    n_samples = window_samples(settings) or longest
    if n_samples is None or settings.crop_s is not None:  # crops are not padded
        return durations.iloc[:0], 0.0
    if settings.features == "waveform" and settings.clip_length_s is not None:
        n_samples = min(n_samples, round(settings.clip_length_s * settings.sample_rate_hz))
    length_s = n_samples / settings.sample_rate_hz
    short = durations[durations * LARGEST_PADDING < length_s]
    return (short if 2 * len(short) >= len(durations) else short.iloc[:0]), length_s


class LostAudio(NamedTuple):
    """How many clips are cut, and how much audio they lose.

    Attributes:
        n_clips: Number of clips of known length.
        n_cut: Number of clips that are longer than the used part.
        share: Share of the audio of the cut clips that is lost, 0 to 1.
        n_shorter: Number of clips that are shorter than the used part.
        is_trimmed: Whether silence is removed first, so that clips may lose less than that, or nothing.
    """

    n_clips: int
    n_cut: int
    share: float
    n_shorter: int
    is_trimmed: bool

    def describe(self) -> str:
        """Return ``118 of 120 clips lose 61 % of their audio``; empty: none is cut."""
        if not self.n_cut:
            return ""
        at_most = "up to " if self.is_trimmed else ""
        share = f"{100 * self.share:.0f}" if self.share >= 0.01 else "less than 1"
        verb, whose = ("loses", "its") if self.n_cut == 1 else ("lose", "their")
        return f"{at_most}{self.n_cut} of {counted(self.n_clips, 'clip')} {verb} {at_most}{share} % of {whose} audio"


def lost_audio(clips: pd.DataFrame, settings: FeatureSettings) -> LostAudio:
    """Return how much audio ``clip_length_s`` cuts off.

    Args:
        clips: One row per clip: duration_s; NaN: not known.
        settings: Settings of the features.
    """
    durations = clips["duration_s"].dropna().to_numpy()
    n_samples = (durations * settings.sample_rate_hz).round()
    lost = lost_samples(n_samples, settings, None)
    is_cut = lost > 0
    share = float(lost.sum() / n_samples[is_cut].sum()) if is_cut.any() else 0.0
    n_shorter = int((durations < (settings.clip_length_s or 0)).sum())
    return LostAudio(len(durations), int(is_cut.sum()), share, n_shorter, settings.is_trimmed)


@Caution(13, CUT, CUT_TWICE, CROPPED, CROPPED_WINDOWS)
def cut(features: Features) -> Iterator[Finding]:
    """Yield findings on the number of clips that ``clip_length_s`` cuts, and of which ``crop_s`` uses a part in each epoch."""
    clips, settings = features.clips, features.settings
    if not features.has_whole_clips:
        return
    lost = lost_audio(clips, settings)
    if text := lost.describe():
        is_filled = not (settings.example_length_s or settings.crop_s or settings.is_pooled)
        finding = CUT_TWICE if settings.example_length_s else CUT
        yield finding.fill(lost=text, length=settings.clip_length_s, n_shorter=lost.n_shorter * is_filled)
    if settings.crop_s is not None:
        crop_loss = lost_audio(clips, settings.model_copy(update={"clip_length_s": settings.crop_s}))
        if text := crop_loss.describe():
            yield (CROPPED_WINDOWS if settings.example_length_s else CROPPED).fill(lost=text, crop_s=settings.crop_s)


@PreparingCaution(2, LONG_WINDOW)
def _warn_of_long_windows(features: Features) -> Iterator[Finding]:
    window, longest = features.settings.example_length_s, features.clips["duration_s"].max()
    if window is not None and window >= longest:
        yield LONG_WINDOW.fill(window=window, longest=longest)


@Caution(14, PADDED, PADDED_BY_LENGTH, PADDED_BY_WINDOWS)
def _warn_of_padding(features: Features) -> Iterator[Finding]:
    clips, settings = features.clips, features.settings
    short, length_s = padded_durations(clips, settings)
    if short.empty or not features.has_whole_clips:
        return
    durations = clips["duration_s"]
    finding = PADDED if settings.clip_length_s is None else PADDED_BY_LENGTH
    if settings.example_length_s is not None:
        finding = PADDED_BY_WINDOWS
    yield finding.fill(
        n=len(short),
        n_clips=len(clips),
        least=short.min(),
        length_s=length_s,
        longest=clips["clip"].tolist()[durations.argmax()],
        window=durations.median(),
        example_length_s=settings.example_length_s,
        clip_length_s=settings.clip_length_s,
    )
