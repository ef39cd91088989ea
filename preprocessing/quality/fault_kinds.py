"""Every kind of fault that a corpus may have: when it is found, what becomes of the clips, and what to do.

Goes out: `FAULTS`; faults.py looks for them.
"""

from dataclasses import dataclass
from math import log10
from typing import Literal, TypeAlias

from preprocessing.audio.lost_sound import LARGEST_PEAK
from preprocessing.audio.read import SILENCE_PEAK_DBFS
from preprocessing.quality import rules
from preprocessing.quality.cautions import LARGEST_PADDING
from preprocessing.quality.facts import (
    DOES_NOT_DECODE,
    DOES_NOT_OPEN,
    EMPTY,
    FLAT_TOP_SAMPLES,
    MISSING,
    NOT_FETCHED,
    NOT_FINITE,
    OUTSIDE,
)
from preprocessing.quality.rules import LARGEST_SHARE_OF_DURATIONS, SMALLEST_N_ITEMS, Rule

LARGEST_DC_OFFSET = 0.01

Level: TypeAlias = Literal["refused", "left out", "doubtful"]
"""refused: no folds are made of such a corpus; left out: preprocessing passes over the clip; doubtful: it is used as it is."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: What it is called in quality.csv.
        level: What becomes of a corpus or clip with it.
        meaning: When it is found; ``{...}`` are `Criteria`.
        find: Finds it.
        subject: What has it: a clip, class, item or sample rate.
        shows_first: The terminal has the reason of the first clip.
    """

    name: str
    level: Level
    meaning: str
    advice: str
    find: Rule
    subject: str = "clip"
    shows_first: bool = False


_UNREADABLE = {
    MISSING: (
        "The dataset lists a file that does not exist.",
        "Fetch the dataset again, or correct the path in its list.",
    ),
    EMPTY: (
        "The file has 0 bytes, or a header and no samples.",
        "Fetch the file again; its download or recording was cut short.",
    ),
    NOT_FETCHED: (
        "Instead of audio, the file is a pointer of Git LFS or git-annex, a web page, a server's message, or an archive.",
        "Pointers: git lfs pull (git annex get .) in the folder fetches the audio. Others: fetch the file again.",
    ),
    DOES_NOT_OPEN: (
        "The file has no audio header, an impossible sample rate, or fewer samples than its header says.",
        "Fetch the file again, or convert it to wav with the program that wrote it.",
    ),
    OUTSIDE: (
        "The annotated segment is not inside its file.",
        "Check the unit of the annotation (seconds, samples) and that it belongs to this file.",
    ),
    DOES_NOT_DECODE: (
        "The header can be read, but the audio cannot, or only in part.",
        "Fetch the file again; it is damaged or cut short.",
    ),
    NOT_FINITE: (
        "Some samples are NaN or infinite.",
        "Export the file again; a program that processed it probably divided by zero.",
    ),
}
"""What makes a clip unreadable, with what it means and what to do."""

FAULTS = (
    Fault(
        "identical across items",
        "refused",
        "The same decoded audio belongs to several items: a model trained on one is tested on the other (leakage).",
        "Give both clips the same item, or remove one of them from the dataset.",
        rules.same_audio("item"),
    ),
    Fault(
        "overlapping across items",
        "refused",
        "Segments of one file, of links to it or of copies of it overlap and belong to several items (leakage).",
        "Give both clips the same item, or correct where they begin and end.",
        rules.overlaps_across_items,
    ),
    Fault(
        "copies across items",
        "refused",
        "A clip and copies of it (column source_clip) belong to several items (leakage).",
        "Give a copy the item of its source.",
        rules.copies_across_items,
    ),
    Fault(
        "too few items",
        "refused",
        f"Training, validation and test need one item each: at least {SMALLEST_N_ITEMS}.",
        "Check the choice of the item (--item, for folders --item-pattern), or add speakers.",
        rules.too_few_items,
        "item",
    ),
    Fault(
        "class of one item",
        "refused",
        "Only one item has clips of this class: when it is tested, the model has never seen the class.",
        "Remove the class, merge it with another, or give it at least two items, better three.",
        rules.class_of_one_item,
        "class",
    ),
    Fault(
        "one file across items",
        "doubtful",
        "Segments of one file, of links to it or of copies of it belong to several items: one recording is in training and "
        "test.",
        "Give all of them the same item, unless different people speak in them (--shared-files keep).",
        rules.shared_files,
    ),
    Fault(
        "items share a column",
        "doubtful",
        "Several items share one value of a column, as sessions of one speaker do: folds over items put it on two sides.",
        "To test on unseen values, make that column the item.",
        rules.columns_of_several_items,
        "column",
    ),
    Fault(
        "nearly identical across items",
        "doubtful",
        "One recording belongs to several items, at another level, in another encoding or with other ends: a model trained "
        "on one is tested on the other (leakage). Folds do not detect this.",
        "Listen; give both clips the same item, or remove one of them from the dataset.",
        rules.nearly_identical(across_items=True),
    ),
    Fault(
        "identical, other label",
        "doubtful",
        "The same decoded audio has several labels.",
        "Listen and correct the wrong label; remove ambiguous clips.",
        rules.same_audio("label"),
    ),
    *(Fault(kind, "left out", meaning, advice, rules.broken_clips(kind)) for kind, (meaning, advice) in _UNREADABLE.items()),
    Fault(
        "silent",
        "left out",
        f"No sample reaches {SILENCE_PEAK_DBFS:g} dBFS.",
        "Check the recording; it is excluded from training and test.",
        rules.clips_where("peak_dbfs", lambda peaks, _: peaks < SILENCE_PEAK_DBFS, "peak {:.1f} dBFS"),
    ),
    Fault(
        "longer than its header",
        "doubtful",
        "The file is longer than its header says, as after joining files or a power loss of the recorder.",
        "All of it is read. Check that it belongs to one recording; other programs may stop at the header.",
        rules.files_with("longer"),
        shows_first=True,
    ),
    Fault(
        "several sound tracks",
        "doubtful",
        "The file has several sound tracks, for example one per microphone. Only the first is read.",
        "If the others are wanted, write them to separate files and list these.",
        rules.files_with("tracks"),
        shows_first=True,
    ),
    Fault(
        "too short",
        "doubtful",
        "Shorter than {min_duration_s:g} s.",
        "Listen whether the label can be heard at all; remove clips that are cut off.",
        rules.clips_where("duration_s", lambda durations, criteria: durations < criteria.min_duration_s, "{:.4g} s"),
    ),
    Fault(
        "clipped",
        "doubtful",
        f"At least {{clipped_share:g}} % of the samples of a channel are in flat tops: {FLAT_TOP_SAMPLES} or more equal "
        "samples in a row at the highest or lowest value of the clip, with a jump at one end (below full scale: at least two "
        "such tops).",
        "Keep them if all classes and items have them equally often; otherwise a model may learn the distortion instead of "
        "the label.",
        rules.clips_where("clipped_share", lambda shares, criteria: shares >= criteria.clipped_share, "{:.2%} of the samples"),
    ),
    Fault(
        "identical",
        "doubtful",
        "One item has the same decoded audio more than once.",
        "Remove one; it counts twice in training or test.",
        rules.same_audio(None),
    ),
    Fault(
        "nearly identical",
        "doubtful",
        "One item has a recording more than once, at another level, in another encoding or with other ends.",
        "Remove one; it counts twice in training or test.",
        rules.nearly_identical(across_items=False),
    ),
    Fault(
        "mixed sample rates",
        "doubtful",
        "Files have different sample rates. All are resampled, but the highest frequency of a file still distinguishes them.",
        "Set sample_rate_hz to the lowest of them, especially if rates correlate with classes or items.",
        rules.mixed_rates,
        "sample rate",
    ),
    Fault(
        "numbers as classes",
        "doubtful",
        "All labels are numbers, with fractions, gaps or few clips each: as classes, 20 is as far from 21 as from 90.",
        "If they are measured values, prepare the dataset with --task-type regression.",
        rules.numbers_as_classes,
        "class",
    ),
    Fault(
        "upsampled",
        "doubtful",
        "Files have a lower sample rate than the features: bands above half of their rate are empty.",
        "Set sample_rate_hz to the lowest rate of the files, and scale n_fft, win_length and hop_length (samples) with it.",
        rules.upsampled_rates,
        "sample rate",
    ),
    Fault(
        "sound above half the rate",
        "doubtful",
        "More than half of the power of these clips is above half of sample_rate_hz and is discarded.",
        "Set sample_rate_hz to the rate of the files, and scale n_fft, win_length and hop_length (samples) with it.",
        rules.lost_above,
        "sample rate",
    ),
    Fault(
        "channels cancel",
        "doubtful",
        "The mean of the channels is used, and has less than half of the expected power.",
        "Set channel=0 or another one; a cable or a plug probably inverted a channel.",
        rules.cancelling_channels,
    ),
    Fault(
        "beyond full scale",
        "doubtful",
        f"Samples reach more than {LARGEST_PEAK:g} times full scale, because of integers in a float file or a wrong gain.",
        "Divide them by 32768 (16 bit) and write them again, or set db_reference=max; other clips have another level.",
        rules.clips_where("peak_dbfs", lambda peaks, _: peaks > 20 * log10(LARGEST_PEAK), "peak {:.1f} dBFS"),
    ),
    Fault(
        "padded",
        "doubtful",
        f"Half of the clips or more are padded with zeros to over {LARGEST_PADDING} times their length, so models see mostly "
        "silence.",
        "Remove clips that are much longer than the others, or cut all into windows (example_length_s).",
        rules.padded_clips,
    ),
    Fault(
        "durations go with classes",
        "doubtful",
        f"Over {LARGEST_SHARE_OF_DURATIONS:.0%} of the variance of the durations (of their ranks) is between classes, so the "
        "zeros after a short clip reveal its class.",
        "Cut clips into windows (example_length_s) or crops (crop_s), or stretch them to one length (stretch_frames).",
        rules.durations_of_classes,
        "class",
    ),
    Fault(
        "DC offset",
        "doubtful",
        f"The mean of the samples is more than {LARGEST_DC_OFFSET:g} of full scale away from 0.",
        "Harmless for mel features with fmin_hz above 20; otherwise high-pass the files.",
        rules.clips_where("dc_offset", lambda means, _: means.abs() > LARGEST_DC_OFFSET, "mean {:+.3f}"),
    ),
    Fault(
        "class of one clip",
        "doubtful",
        "The class has only one clip.",
        "Remove the class, or merge it with another.",
        rules.class_of_one_clip,
        "class",
    ),
    Fault(
        "item of one clip",
        "doubtful",
        "The item has only one clip, while others have more; perhaps its name is misspelt.",
        "Check the name; its scores are based on one clip.",
        rules.item_of_one_clip,
        "item",
    ),
)
"""Every kind of fault, the worst first."""
