"""What makes a model learn something else than it should, though the corpus can be used.

Each is a sentence of what is and one of what to do, of at most 25 words; docs/data_messages.md says why each matters.

Comes in: an opened corpus and the features that are to be made. Goes out: texts, which preprocessing, a run, the workbook and
the page show; and what clips lose, for the protocol. No audio is decoded: what `near_duplicates.write_across_items` has found
is read from its file.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.clips.columns import further_columns, with_columns
from preprocessing.clips.label_sets import MULTI_LABEL, split_labels
from preprocessing.clips.listing import first_names
from preprocessing.clips.near_pairs import FILE_NAME, read_across_items
from preprocessing.clips.table import natural_key
from preprocessing.corpora._tables import NUMBER, are_measurements
from preprocessing.corpus import Corpus
from preprocessing.encoders import preset_of
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import clip_samples, lost_samples, window_samples
from preprocessing.quality.lost_events import lost_events
from xval.base.errors import counted, verb_of
from xval.folds.plan import Fold
from xval.folds.shared_audio import describe_shared_file, find_shared_files
from xval.folds.shared_columns import SharedColumn, find_shared_columns, first_on_two_sides

if TYPE_CHECKING:
    import pandas as pd

LARGEST_PADDING = 5
"""An example may be so many times as long as a clip in it before it is named."""
_FEWEST_NUMBERS, _MOST_DIGITS = 3, 10  # two numbers, or digits of one place, are names
_first = partial(first_names, most=3)


def find_cautions(corpus: Corpus, settings: FeatureSettings, frames: FrameSettings | None = None) -> list[str]:
    """Return what is to be known before a model is trained on these features, the weightiest first; copies do not count.

    Args:
        corpus: The corpus.
        settings: Of its features.
        frames: How its recordings are cut into frames, each with a label; None: clips have labels.
    """
    clips = corpus.index[~corpus.index["augmented"]]
    cautions = [_corrected(corpus), _near_duplicates(corpus), _shared_files(clips)]
    if corpus.task_type == "classification":
        cautions += [measured_labels(clips), lonely_classes(clips)]
    if corpus.task_type == MULTI_LABEL:
        cautions += [lonely_classes(one_label_per_row(clips)), _without_label(clips)]
    if corpus.task_type == "frame_classification":
        annotations = corpus.annotations()
        cautions += [_not_annotated(annotations, clips), _lonely_events(annotations, clips)]
        cautions += lost_events(annotations, clips, frames, settings.sample_rate_hz) if frames else []
    if not corpus.is_custom:
        if corpus.task_type in ("classification", MULTI_LABEL, "regression"):
            cautions.append(contradicting_labels(clips, list(corpus.target_columns.values()) or ["label"]))
        cautions += [upsampled(clips, settings), *lost_sound(corpus.lost_sound, settings)]
        cautions += [*cut(clips, settings), padded(clips, settings)] if corpus.task_type != "frame_classification" else []
    return [text for text in cautions if text]


def in_python(text: str) -> str:
    """Return a caution with the parameters of Python functions in the place of options of commands."""
    parameters = re.sub(
        r"--set \w+=\w+(?: --set \w+=\w+)*",
        lambda options: options[0].replace(" --set", ",").replace("--set", "the settings"),
        text,
    )
    parameters = parameters.replace("=none", "=None").replace("--task-type regression", 'task_type="regression"')
    return re.sub(r"(?<![\w.-])--([a-z]+(?:-[a-z]+)*)", lambda option: option[1].replace("-", "_"), parameters)


def _corrected(corpus: Corpus) -> str:
    """Return what the values of a corrected corpus are of; empty: it is none."""
    if not corpus.corrections:
        return ""
    changed, left_out = (corpus.corrections[count] for count in ("n_changed", "n_left_out"))
    return (
        f"a review corrected {counted(changed, 'label')} and excluded {counted(left_out, 'clip')}, also tested ones, which "
        "favours the model whose predictions were reviewed. Report the scores without the review too"
    )


def measured_labels(clips: "pd.DataFrame") -> str:
    """Return what to do about classes that are numbers; empty: nothing. Columns: label."""
    names = sorted(set(clips["label"]), key=natural_key)
    if not all(NUMBER.fullmatch(name) for name in names):
        return ""
    if not are_measurements(clips["label"].tolist()) and not _are_no_codes(names):
        return ""
    return (
        f"the {len(names)} classes of {counted(len(clips), 'clip')} are numbers ({_first(names)}) and are used as names. If "
        "they are measured values, give --task-type regression (in a table)"
    )


def _are_no_codes(names: Sequence[str]) -> bool:
    """Return whether numbers have fractions or gaps, as ages have; codes of classes are such as 0 to 9, 1 to 50, 01 and 03."""
    if any("." in name for name in names):
        return True
    if any(re.match(r"[+-]?0\d", name) for name in names):
        return False
    numbers = sorted(map(float, names))
    return len(names) >= _FEWEST_NUMBERS and numbers[-1] >= _MOST_DIGITS and numbers[-1] - numbers[0] >= len(names)


def lonely_classes(clips: "pd.DataFrame") -> str:
    """Return what to do about classes that one item alone has; empty: nothing. Columns: item, label."""
    n_items = clips.groupby("label")["item"].nunique()
    lonely = sorted(map(str, n_items.index[n_items == 1]), key=natural_key)
    if not lonely:
        return ""
    return (
        f"{len(lonely)} of {len(n_items)} classes {verb_of(len(lonely), 'have')} clips of only one item ({_first(lonely)}), so "
        "the fold that tests it cannot train on them. Remove them, merge them with others, or record more items"
    )


def one_label_per_row(clips: "pd.DataFrame") -> "pd.DataFrame":
    """Return a row for each label of each clip, where a clip may have several or none."""
    return clips.assign(label=clips["label"].map(split_labels)).explode("label").dropna(subset=["label"])


def _without_label(clips: "pd.DataFrame") -> str:
    n_without = int((clips["label"] == "").sum())
    if not n_without:
        return ""
    return (
        f"{n_without} of {len(clips)} clips {verb_of(n_without, 'have')} no label, so "
        f"{'it is' if n_without == 1 else 'they are'} used as {'a clip' if n_without == 1 else 'clips'} with nothing to find. "
        "Remove clips whose labels are unknown"
    )


def contradicting_labels(clips: "pd.DataFrame", columns: Sequence[str] = ("label",)) -> str:
    """Return what to do about identical audio under different labels; empty: nothing. Columns: clip, audio_hash, the labels."""
    labels = clips[list(columns)].astype(str).agg(", ".join, axis=1)
    wrong = clips.assign(label=labels)[labels.groupby(clips["audio_hash"]).transform("nunique") > 1]
    if wrong.empty:
        return ""
    same = wrong[wrong["audio_hash"] == wrong["audio_hash"].iloc[0]].drop_duplicates("label")
    first, second, *_ = [f"{clip} ({label})" for clip, label in zip(same["clip"], same["label"], strict=True)]
    return (
        f"{counted(len(wrong), 'clip')} have the same audio as another clip with another label, such as {first} and {second}. "
        "Correct the labels or remove these clips, because any prediction is wrong for one of them"
    )


def upsampled(clips: "pd.DataFrame", settings: FeatureSettings) -> str:
    """Return what to do about audio at a lower rate than its features; empty: nothing. Columns: sample_rate_hz."""
    wanted = settings.sample_rate_hz
    lower = clips.loc[clips["sample_rate_hz"] < wanted, "sample_rate_hz"]
    if lower.empty:
        return ""
    lowest = int(lower.min())
    who = "all clips have" if len(lower) == len(clips) else f"{len(lower)} of {len(clips)} clips {verb_of(len(lower), 'have')}"
    what = f"{who} a lower rate (down to {lowest} Hz) than sample_rate_hz={wanted}"
    if len(lower) < len(clips):
        what += ", which distinguishes them from the others"
    if settings.features == "embedding":
        return f"{what}. Compare the results of both kinds of clips, because the embedding may distinguish them"
    return f"{what}. Give {_at_rate(settings, lowest)}, here and in the experiment; windows keep their length in seconds"


def _at_rate(settings: FeatureSettings, rate_hz: int) -> str:
    """Return the options that give another sample rate, at which windows are as long in seconds."""
    given: dict[str, object] = {"sample_rate_hz": rate_hz}
    if settings.features != "waveform" or settings.frontend != "none":
        lengths = {name: getattr(settings, name) for name in ("n_fft", "win_length", "hop_length")}  # samples
        given |= {name: max(1, round(length * rate_hz / settings.sample_rate_hz)) for name, length in lengths.items()}
    if (settings.fmax_hz or 0) > rate_hz / 2:
        given["fmax_hz"] = "none"
    return " ".join(f"--set {name}={value}" for name, value in given.items())


def lost_sound(lost: Mapping[str, Any] | None, settings: FeatureSettings) -> list[str]:
    """Return what to do about sound that the settings throw away, as of `preprocessing.audio.lost_sound.summarise`.

    None: it is not known what they throw away.
    """
    if lost is None:
        unmeasured = "an earlier version prepared this dataset without measuring how much sound the settings discard"
        return [f"{unmeasured}. Prepare it again to measure it; its folds and results are kept"]
    preset = preset_of(settings.embedding_model or "") if settings.features == "embedding" else None
    texts, wanted = [], (preset.sample_rate_hz if preset else None) or settings.sample_rate_hz
    reader = "the rate of the embedding, " if settings.features == "embedding" else "sample_rate_hz="
    above = next((entry for entry in lost.get("above", ()) if 2 * entry["edge_hz"] >= wanted), None)
    if above is not None and above["lowest_rate_hz"] > wanted:
        shares = _percent(above["least"], above["most"])
        rate_hz = above["lowest_rate_hz"]
        fix = f"Give {_at_rate(settings, rate_hz)}, here and in the experiment; windows keep their length in seconds"
        if settings.features == "embedding":
            fix = f"Use features of frames instead, such as --set features=logmel --set sample_rate_hz={rate_hz}"
        texts.append(
            f"{_of_clips(above, 'have', 'has')} {shares} of the power above {wanted / 2000:g} kHz, which {reader}{wanted} "
            f"discards. {fix}"
        )
    if (cancelled := lost.get("cancelled")) and settings.channel_number is None:
        shares = _percent(1 - cancelled["most"], 1 - cancelled["least"])
        texts.append(
            f"{_of_clips(cancelled, 'lose', 'loses')} {shares} of the power, because the channels cancel in their mean. Give "
            "--set channel=0, here and in the experiment"
        )
    is_relative = settings.db_reference == "max" and settings.scale == "db" and bool(settings.kinds)
    if (unscaled := lost.get("unscaled")) and not is_relative:
        texts.append(
            f"{_of_clips(unscaled, 'reach', 'reaches')} {unscaled['least']:.0f} to {unscaled['most']:.0f} times full scale, "
            "like integers in a float file. Divide them by 32768 (16 bit) and write them again, or give --set "
            "db_reference=max"
        )
    if tracks := lost.get("tracks"):
        texts.append(
            f"{_of_clips(tracks, 'have', 'has')} up to {tracks['most']:g} sound tracks in a file, of which only the first is "
            "read. If the others are wanted, write them to separate files and list these"
        )
    return texts


def _of_clips(lost: Mapping[str, Any], verb: str, verb_of_one: str) -> str:
    n_chosen, n_clips = lost["n_chosen"], lost["n_clips"]
    return f"{n_chosen} of {counted(n_clips, 'clip')}, such as {lost['clip']}, {verb_of_one if n_chosen == 1 else verb}"


def _percent(least: float, most: float) -> str:
    first, last = f"{100 * least:.0f}", f"{100 * most:.0f}"
    return f"{first} %" if first == last else f"{first} to {last} %"


class LostAudio(NamedTuple):
    """How many clips lose how much.

    Attributes:
        n_clips: All of them, of known length.
        n_cut: Those that are longer than what is used of a clip.
        share: Of the audio of these, what is lost, 0 to 1.
        n_shorter: Those that are shorter than that.
        is_trimmed: Whether silence is taken off first, so that clips lose less than that, or nothing.
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


def lost_audio(clips: "pd.DataFrame", settings: FeatureSettings) -> LostAudio:
    """Return what ``clip_length_s`` leaves out of clips. Columns: duration_s, NaN where unknown."""
    durations = clips["duration_s"].dropna().to_numpy()
    n_samples = (durations * settings.sample_rate_hz).round()
    lost = lost_samples(n_samples, settings, None)
    is_cut = lost > 0
    share = float(lost.sum() / n_samples[is_cut].sum()) if is_cut.any() else 0.0
    n_shorter = int((durations < (settings.clip_length_s or 0)).sum())
    return LostAudio(len(durations), int(is_cut.sum()), share, n_shorter, settings.is_trimmed)


def cut(clips: "pd.DataFrame", settings: FeatureSettings) -> list[str]:
    """Return how many clips ``clip_length_s`` cuts, and of how many ``crop_s`` takes a part in each epoch.

    Columns: duration_s.
    """
    texts = []
    lost = lost_audio(clips, settings)
    if said := lost.describe():
        length = f"clip_length_s={settings.clip_length_s:g}"
        is_filled = not (settings.example_length_s or settings.crop_s or settings.is_pooled)
        verb = verb_of(lost.n_shorter)
        shorter = f"; {counted(lost.n_shorter, 'shorter one')} {verb} zero-padded" if lost.n_shorter and is_filled else ""
        fix = f"Give --set example_length_s={settings.clip_length_s:g} instead"
        if settings.example_length_s:
            fix = "Remove clip_length_s"
        texts.append(f"{said} after {length}{shorter}. {fix} to use all audio")
    if settings.crop_s is not None:
        of_crops = lost_audio(clips, settings.model_copy(update={"clip_length_s": settings.crop_s}))
        if said := of_crops.describe():
            texts.append(
                f"{said} in each epoch, because it trains on a crop of crop_s={settings.crop_s:g}. Raise crop_s if that is "
                f"too little; validation and test use {'windows of them' if settings.example_length_s else 'whole clips'}"
            )
    return texts


def padded(clips: "pd.DataFrame", settings: FeatureSettings) -> str:
    """Return what to do about clips that are padded with zeros to many times their length; empty: nothing.

    Columns: clip, duration_s.
    """
    short, length_s = padded_durations(clips, settings)
    if short.empty:
        return ""
    durations = clips["duration_s"]
    if settings.example_length_s is not None:
        cause, fix = f"example_length_s={settings.example_length_s:g}", "Give shorter windows (example_length_s)"
    elif settings.clip_length_s is not None:
        cause, fix = f"clip_length_s={settings.clip_length_s:g}", "Give a shorter clip_length_s"
    else:
        cause = f"the longest, {clips['clip'].tolist()[durations.argmax()]}"
        window = f"--set example_length_s={durations.median():.2g}"
        fix = f"Remove clips that are too long, or cut all clips into windows with {window}"
    return (
        f"{len(short)} of {len(clips)} clips {verb_of(len(short))} zero-padded to over {LARGEST_PADDING} times "
        f"{'its' if len(short) == 1 else 'their'} length, from {short.min():.2g} s to {length_s:.3g} s ({cause}). {fix}"
    )


def padded_durations(clips: "pd.DataFrame", settings: FeatureSettings) -> "tuple[pd.Series[float], float]":
    """Return the durations of the clips padded to more than `LARGEST_PADDING` times their length, and to what length in s.

    None where it is less than half of the clips: a few short ones are in every corpus. Columns: duration_s, NaN where unknown.
    """
    durations = clips["duration_s"].dropna()
    longest = clip_samples(settings, float(durations.max())) if len(durations) else None
    n_samples = window_samples(settings) or longest
    if n_samples is None or settings.crop_s is not None:  # crops are cut of what is there
        return durations.iloc[:0], 0.0
    if settings.features == "waveform" and settings.clip_length_s is not None:
        n_samples = min(n_samples, round(settings.clip_length_s * settings.sample_rate_hz))
    length_s = n_samples / settings.sample_rate_hz
    short = durations[durations * LARGEST_PADDING < length_s]
    return (short if 2 * len(short) >= len(durations) else short.iloc[:0]), length_s


def _lonely_events(annotations: "pd.DataFrame", clips: "pd.DataFrame") -> str:
    """Return which classes of events are annotated in one item alone."""
    events = annotations.dropna(subset=["start_s"]).merge(clips[["clip", "item"]], on="clip")
    n_items = events.groupby("label")["item"].nunique()
    lonely = sorted(n_items.index[n_items == 1])
    if not lonely:
        return ""
    return (
        f"{counted(len(lonely), 'class')} of events ({_first(lonely)}) annotated in only one item, so the fold that tests it "
        "cannot train on them. Record more items with such events, or remove these classes"
    )


def _not_annotated(annotations: "pd.DataFrame", clips: "pd.DataFrame") -> str:
    n_without = int((~clips["clip"].isin(annotations["clip"])).sum())
    if not n_without:
        return ""
    return (
        f"{n_without} of {len(clips)} recordings {verb_of(n_without, 'have')} no row among the events, so "
        f"{'it counts' if n_without == 1 else 'they count'} as not annotated and {verb_of(n_without)} not used. For a "
        "recording without events, add a row without start_s and end_s"
    )


def shared_columns(corpus: Corpus, folds: Sequence[Fold] | None = None) -> list[SharedColumn]:
    """Return the further columns whose values several items share; with folds those of which one has a value on two sides."""
    table = with_columns(corpus.index, corpus.folder)
    clips = table[~table["augmented"].astype(bool)]
    found = find_shared_columns(clips, further_columns(clips.columns))
    if folds is None:
        return found
    return [column for column in found if first_on_two_sides(clips, column.column, folds) is not None]


def describe_shared(column: SharedColumn, item: str) -> str:
    """Return a caution on a column of `shared_columns`; `item` is what the corpus calls an item."""
    return f"{column.describe(item)}, so one '{column.column}' is in training and test. {column.advice}"


def _shared_files(clips: "pd.DataFrame") -> str:
    shared = list(find_shared_files(clips))
    if not shared:
        return ""
    more = f" ({len(shared)} such files)" if len(shared) > 1 else ""
    return (
        f"{describe_shared_file(shared[0])}{more}, so one recording may be in training and test. Give the segments of a file "
        "one item, unless different people speak in them"
    )


def _near_duplicates(corpus: Corpus) -> str:
    pairs = read_across_items(corpus.folder, corpus.index_hash)
    if pairs is None or pairs.empty:
        return ""
    first = pairs.iloc[0]
    kind = "values" if corpus.is_custom else "audio"
    return (
        f"{counted(len(pairs), 'pair')} of clips of different items have nearly the same {kind}, such as {first['clip']} and "
        f"{first['other_clip']} ({FILE_NAME} lists all). Listen, and give both one item or remove one"
    )
