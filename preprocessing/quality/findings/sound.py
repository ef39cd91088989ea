"""Rules about levels, sample rates and channels, by which sound is lost or distorted before features are computed."""

from collections.abc import Iterator
from math import log10

import pandas as pd

from preprocessing.audio.lost_sound import LARGEST_PEAK, MOST_LOST, share_above, smallest_kept
from preprocessing.encoders import preset_of
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.quality.facts import FLAT_TOP_SAMPLES
from preprocessing.quality.rules import Caution, Criteria, Fault, Features, Reasons, clips_where, count_clips
from xval.base.errors import counted
from xval.base.findings import Finding

LARGEST_DC_OFFSET = 0.01
_WHO = "{n_chosen} of {n_clips} {n_clips:clip|clips}, such as {clip}, "
_GIVE_RATE = "Give {options}, here and in the experiment; windows keep their length in seconds"
_LOWER = (
    "{some:?{n} of {n_clips} clips {n:has|have}}{all:?all clips have} a lower rate (down to {lowest} Hz) than "
    "sample_rate_hz={wanted}{some:?, which distinguishes them from the others}"
)

LOWER_RATE = Finding(_LOWER, _GIVE_RATE)
LOWER_RATE_OF_EMBEDDING = Finding(
    _LOWER, "Compare the results of both kinds of clips, because the embedding may distinguish them"
)
UNMEASURED = Finding(
    "an earlier version prepared this dataset without measuring how much sound the settings discard",
    "Prepare it again to measure it; its folds and results are kept",
)
ABOVE = Finding(
    _WHO + "{n_chosen:has|have} {shares} of the power above {khz:g} kHz, which sample_rate_hz={wanted} discards",
    _GIVE_RATE,
)
ABOVE_OF_EMBEDDING = Finding(
    _WHO
    + "{n_chosen:has|have} {shares} of the power above {khz:g} kHz, which the rate of the embedding ({wanted} Hz) discards",
    "Use features of frames instead, such as --set features=logmel --set sample_rate_hz={lowest_rate_hz}",
)
CANCELLED = Finding(
    _WHO + "{n_chosen:loses|lose} {shares} of the power, because the channels cancel in their mean",
    "Give --set channel=0, here and in the experiment",
)
UNSCALED = Finding(
    _WHO + "{n_chosen:reaches|reach} {least:.0f} to {most:.0f} times full scale, like integers in a float file",
    "Divide them by 32768 (16 bit) and write them again, or give --set db_reference=max",
)
MORE_TRACKS = Finding(
    _WHO + "{n_chosen:has|have} up to {most:g} sound tracks in a file, of which only the first is read",
    "If the others are wanted, write them to separate files and list these",
)


@Fault(
    18,
    "mixed sample rates",
    "doubtful",
    "Files have different sample rates. All are resampled, but the highest frequency of a file still distinguishes them.",
    "Set sample_rate_hz to the lowest of them, especially if rates correlate with classes or items.",
    "sample rate",
)
def _mixed_rates(facts: pd.DataFrame, _: Criteria) -> Reasons:
    counts = facts.loc[facts["broken"].isna(), "sample_rate_hz"].value_counts()
    return {f"{rate} Hz": counted(count, "clip") for rate, count in counts.items()} if len(counts) > 1 else {}


@Fault(
    20,
    "upsampled",
    "doubtful",
    "Files have a lower sample rate than the features: bands above half of their rate are empty.",
    "Set sample_rate_hz to the lowest rate of the files, and scale n_fft, win_length and hop_length (samples) with it.",
    "sample rate",
)
def _upsampled_rates(facts: pd.DataFrame, criteria: Criteria) -> Reasons:
    rates, wanted_hz = facts.loc[facts["broken"].isna(), "sample_rate_hz"], criteria.settings.sample_rate_hz
    counts = rates[rates < wanted_hz].value_counts()
    return {f"{rate} Hz": f"{counted(count, 'clip')}, read at {wanted_hz} Hz" for rate, count in counts.items()}


@Fault(
    21,
    "sound above half the rate",
    "doubtful",
    "More than half of the power of these clips is above half of sample_rate_hz and is discarded.",
    "Set sample_rate_hz to the rate of the files, and scale n_fft, win_length and hop_length (samples) with it.",
    "sample rate",
)
def _lost_above(facts: pd.DataFrame, criteria: Criteria) -> Reasons:
    if "shares_above" not in facts:
        return {}
    wanted_hz, clips = criteria.settings.sample_rate_hz, count_clips(facts)
    lost = clips["shares_above"].map(lambda shares: share_above(shares, wanted_hz))
    is_lost = (lost > MOST_LOST) & (clips["sample_rate_hz"] > wanted_hz)
    return {
        f"{rate} Hz": f"{counted(len(shares), 'clip')}, {shares.min():.0%} to {shares.max():.0%} of the power above "
        f"{wanted_hz / 2000:g} kHz"
        for rate, shares in lost[is_lost].groupby(clips["sample_rate_hz"])
    }


@Fault(
    22,
    "channels cancel",
    "doubtful",
    "The mean of the channels is used, and has less than half of the expected power.",
    "Set channel=0 or another one; a cable or a plug probably inverted a channel.",
)
def _cancelling_channels(facts: pd.DataFrame, criteria: Criteria) -> Reasons:
    if "kept_in_mean" not in facts or criteria.settings.channel_number is not None:
        return {}
    clips = facts[facts["broken"].isna() & facts["kept_in_mean"].notna()]
    rows = zip(map(int, clips.index), clips["kept_in_mean"], clips["n_channels"], strict=True)
    return {row: f"{1 - kept:.0%} of the power is lost" for row, kept, n_channels in rows if kept < smallest_kept(n_channels)}


@Caution(11, LOWER_RATE, LOWER_RATE_OF_EMBEDDING)
def _warn_of_upsampling(features: Features) -> Iterator[Finding]:
    clips, settings = features.clips, features.settings
    lower = clips.loc[clips["sample_rate_hz"] < settings.sample_rate_hz, "sample_rate_hz"]
    if not lower.empty and not features.corpus.is_custom:
        finding = LOWER_RATE_OF_EMBEDDING if settings.features == "embedding" else LOWER_RATE
        yield finding.fill(
            n=len(lower),
            some=len(lower) < len(clips),
            all=len(lower) == len(clips),
            n_clips=len(clips),
            lowest=int(lower.min()),
            wanted=settings.sample_rate_hz,
            options=_at_rate(settings, int(lower.min())),
        )


def _at_rate(settings: FeatureSettings, rate_hz: int) -> str:
    """Return the options for another sample rate, with window and hop lengths that stay the same in seconds."""
    given: dict[str, object] = {"sample_rate_hz": rate_hz}
    if settings.features != "waveform" or settings.frontend != "none":
        lengths = {name: getattr(settings, name) for name in ("n_fft", "win_length", "hop_length")}  # samples
        given |= {name: max(1, round(length * rate_hz / settings.sample_rate_hz)) for name, length in lengths.items()}
    if (settings.fmax_hz or 0) > rate_hz / 2:
        given["fmax_hz"] = "none"
    return " ".join(f"--set {name}={value}" for name, value in given.items())


@Caution(12, UNMEASURED, ABOVE, ABOVE_OF_EMBEDDING, CANCELLED, UNSCALED, MORE_TRACKS)
def _warn_of_lost_sound(features: Features) -> Iterator[Finding]:
    lost, settings = features.corpus.lost_sound, features.settings
    if features.corpus.is_custom:
        return
    if lost is None:
        yield UNMEASURED
        return
    preset = preset_of(settings.embedding_model or "") if settings.features == "embedding" else None
    wanted = (preset.sample_rate_hz if preset else None) or settings.sample_rate_hz
    above = next((entry for entry in lost.get("above", ()) if 2 * entry["edge_hz"] >= wanted), None)
    if above is not None and above["lowest_rate_hz"] > wanted:
        finding = ABOVE_OF_EMBEDDING if settings.features == "embedding" else ABOVE
        shares, options = _percent(above["least"], above["most"]), _at_rate(settings, above["lowest_rate_hz"])
        yield finding.fill(**above, shares=shares, khz=wanted / 2000, wanted=wanted, options=options)
    if (cancelled := lost.get("cancelled")) and settings.channel_number is None:
        yield CANCELLED.fill(**cancelled, shares=_percent(1 - cancelled["most"], 1 - cancelled["least"]))
    is_relative = settings.db_reference == "max" and settings.scale == "db" and bool(settings.kinds)
    if (unscaled := lost.get("unscaled")) and not is_relative:
        yield UNSCALED.fill(**unscaled)
    if tracks := lost.get("tracks"):
        yield MORE_TRACKS.fill(**tracks)


def _percent(least: float, most: float) -> str:
    first, last = f"{100 * least:.0f}", f"{100 * most:.0f}"
    return f"{first} %" if first == last else f"{first} to {last} %"


FAULTS = (
    Fault(
        14,
        "too short",
        "doubtful",
        "Shorter than {min_duration_s:g} s.",
        "Listen whether the label can be heard at all; remove clips that are cut off.",
    )(clips_where("duration_s", lambda durations, criteria: durations < criteria.min_duration_s, "{:.4g} s")),
    Fault(
        15,
        "clipped",
        "doubtful",
        f"At least {{clipped_share:g}} % of the samples of a channel are in flat tops: {FLAT_TOP_SAMPLES} or more equal "
        "samples in a row at the highest or lowest value of the clip, with a jump at one end (below full scale: at least two "
        "such tops).",
        "Keep them if all classes and items have them equally often; otherwise a model may learn the distortion instead of "
        "the label.",
    )(clips_where("clipped_share", lambda shares, criteria: shares >= criteria.clipped_share, "{:.2%} of the samples")),
    Fault(
        23,
        "beyond full scale",
        "doubtful",
        f"Samples reach more than {LARGEST_PEAK:g} times full scale, because of integers in a float file or a wrong gain.",
        "Divide them by 32768 (16 bit) and write them again, or set db_reference=max; other clips have another level.",
    )(clips_where("peak_dbfs", lambda peaks, _: peaks > 20 * log10(LARGEST_PEAK), "peak {:.1f} dBFS")),
    Fault(
        26,
        "DC offset",
        "doubtful",
        f"The mean of the samples is more than {LARGEST_DC_OFFSET:g} of full scale away from 0.",
        "Harmless for mel features with fmin_hz above 20; otherwise high-pass the files.",
    )(clips_where("dc_offset", lambda means, _: means.abs() > LARGEST_DC_OFFSET, "mean {:+.3f}")),
)
