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
        "The corpus lists a file that is not there.",
        "Fetch the corpus again, or correct the path in its list.",
    ),
    EMPTY: (
        "The file has 0 bytes, or a header and no samples.",
        "Fetch the file again; its download or recording was cut short.",
    ),
    NOT_FETCHED: (
        "In place of the audio is a pointer of Git LFS or git-annex, a web page, the answer of a server, or an archive.",
        "Pointers: git lfs pull (git annex get .) in the folder fetches the audio. Others: fetch the file again.",
    ),
    DOES_NOT_OPEN: (
        "The file has no header of an audio file, one with a sample rate that cannot be, or it ends before its header says.",
        "Fetch the file again, or convert it to wav with the program that wrote it.",
    ),
    OUTSIDE: (
        "The annotated stretch does not lie in its file.",
        "Check the unit of the annotation (seconds, samples) and that it belongs to this file.",
    ),
    DOES_NOT_DECODE: (
        "The header can be read, the audio cannot, or not all of it.",
        "Fetch the file again; it is damaged or cut short.",
    ),
    NOT_FINITE: (
        "Some samples are NaN or infinite.",
        "Export the file again; a program that processed it divided by zero.",
    ),
}
"""What makes a clip unreadable, with what it means and what to do."""

FAULTS = (
    Fault(
        "identical across items",
        "refused",
        "The same decoded audio is under several items: a model that trains on one is tested on the other (leakage).",
        "Give both clips the same item, or leave one of them out of the corpus.",
        rules.same_audio("item"),
    ),
    Fault(
        "overlapping across items",
        "refused",
        "Stretches of one file, of links to it or of copies of it overlap and are under several items (leakage).",
        "Give both clips the same item, or correct where they begin and end.",
        rules.overlaps_across_items,
    ),
    Fault(
        "copies across items",
        "refused",
        "A clip and copies of it (column source_clip) are under several items (leakage).",
        "Give a copy the item of its source.",
        rules.copies_across_items,
    ),
    Fault(
        "too few items",
        "refused",
        f"Training, validation and test need an item each: {SMALLEST_N_ITEMS} at least.",
        "Check what was chosen as the item (--item, of folders --item-pattern), or add speakers.",
        rules.too_few_items,
        "item",
    ),
    Fault(
        "class of one item",
        "refused",
        "Only one item has clips of this class: when it is tested, no model has seen the class.",
        "Leave the class out, join it with another, or give it at least two items, better three.",
        rules.class_of_one_item,
        "class",
    ),
    Fault(
        "one file across items",
        "doubtful",
        "Segments of one file, of links to it or of copies of it are under several items: one recording trains and is tested.",
        "Give all of them the same item, unless other people speak in them (--shared-files keep).",
        rules.shared_files,
    ),
    Fault(
        "items share a column",
        "doubtful",
        "Several items have one value of a column, as sessions have one speaker: folds over items put it on two sides.",
        "If results are to hold for new ones, make that column the item.",
        rules.columns_of_several_items,
        "column",
    ),
    Fault(
        "nearly identical across items",
        "doubtful",
        "One recording is under several items at another level, in another encoding or with other ends: a model that "
        "trains on one is tested on the other (leakage). Folds do not see this.",
        "Listen; give both clips the same item, or leave one of them out of the corpus.",
        rules.nearly_identical(across_items=True),
    ),
    Fault(
        "identical, other label",
        "doubtful",
        "The same decoded audio has several labels.",
        "Listen, and correct the wrong label; leave out clips that are ambiguous.",
        rules.same_audio("label"),
    ),
    *(Fault(kind, "left out", meaning, advice, rules.broken_clips(kind)) for kind, (meaning, advice) in _UNREADABLE.items()),
    Fault(
        "silent",
        "left out",
        f"No sample reaches {SILENCE_PEAK_DBFS:g} dBFS.",
        "Check the recording; it is left out of training and test.",
        rules.clips_where("peak_dbfs", lambda peaks, _: peaks < SILENCE_PEAK_DBFS, "peak {:.1f} dBFS"),
    ),
    Fault(
        "longer than its header",
        "doubtful",
        "The file holds more than its header says, as joined files do, or those of a recorder that lost power.",
        "All of it is read. Check that it belongs to one recording; other programs may stop at the header.",
        rules.files_with("longer"),
        shows_first=True,
    ),
    Fault(
        "several sound tracks",
        "doubtful",
        "The file has several sound tracks, of which the first is read, as recorders with a track for each microphone write.",
        "Write the others into files of their own, and list these, if they are meant.",
        rules.files_with("tracks"),
        shows_first=True,
    ),
    Fault(
        "too short",
        "doubtful",
        "Shorter than {min_duration_s:g} s.",
        "Listen whether the label can be heard at all; leave out what is cut off.",
        rules.clips_where("duration_s", lambda durations, criteria: durations < criteria.min_duration_s, "{:.4g} s"),
    ),
    Fault(
        "clipped",
        "doubtful",
        f"At least {{clipped_share:g}} % of the samples of a channel stand in flat tops: {FLAT_TOP_SAMPLES} or more equal "
        "samples in a row at the highest or lowest value of the clip, reached or left with a jump "
        "(below full scale: at least two such tops).",
        "Keep them if all classes and items have them alike; else the distortion may be learnt instead of the label.",
        rules.clips_where("clipped_share", lambda shares, criteria: shares >= criteria.clipped_share, "{:.2%} of the samples"),
    ),
    Fault(
        "identical",
        "doubtful",
        "The same decoded audio is there more than once, under one item.",
        "Leave one out; it counts twice in training and in the test.",
        rules.same_audio(None),
    ),
    Fault(
        "nearly identical",
        "doubtful",
        "One recording is there more than once under one item, at another level, in another encoding or with other ends.",
        "Leave one out; it counts twice in training and in the test.",
        rules.nearly_identical(across_items=False),
    ),
    Fault(
        "mixed sample rates",
        "doubtful",
        "Files of several sample rates. All are resampled, but where the spectrum of a file ends still tells them apart.",
        "Set sample_rate_hz to the lowest of them, above all if rates go with classes or items.",
        rules.mixed_rates,
        "sample rate",
    ),
    Fault(
        "numbers as classes",
        "doubtful",
        "All labels are numbers, with fractions, gaps or few clips each: as classes, 20 is as far from 21 as from 90.",
        "If they were measured, prepare the corpus with --task-type regression.",
        rules.numbers_as_classes,
        "class",
    ),
    Fault(
        "upsampled",
        "doubtful",
        "Files of a lower rate than that of the features: the bands above half their own rate are empty.",
        "Set sample_rate_hz to the lowest rate of the files, and scale n_fft, win_length and hop_length (samples) with it.",
        rules.upsampled_rates,
        "sample rate",
    ),
    Fault(
        "sound above half the rate",
        "doubtful",
        "More than half of the power of these clips lies above half of sample_rate_hz, and is thrown away.",
        "Set sample_rate_hz to the rate of the files, and scale n_fft, win_length and hop_length (samples) with it.",
        rules.lost_above,
        "sample rate",
    ),
    Fault(
        "channels cancel",
        "doubtful",
        "The mean of the channels, which is read, has less than half of the power that the mean of different ones has.",
        "Set channel=0, or another one; a cable or a plug turned the sign of a channel.",
        rules.cancelling_channels,
    ),
    Fault(
        "beyond full scale",
        "doubtful",
        f"Samples reach more than {LARGEST_PEAK:g} times full scale: integers in a float file, or a wrong gain.",
        "Divide them by 32768 (16 bit) and write them again, or set db_reference=max; other clips have another level.",
        rules.clips_where("peak_dbfs", lambda peaks, _: peaks > 20 * log10(LARGEST_PEAK), "peak {:.1f} dBFS"),
    ),
    Fault(
        "padded",
        "doubtful",
        f"Half of the clips or more are padded with zeros to over {LARGEST_PADDING} times their length: models see silence.",
        "Leave out what is much longer than the others, or cut all into windows (example_length_s).",
        rules.padded_clips,
    ),
    Fault(
        "durations go with classes",
        "doubtful",
        f"Over {LARGEST_SHARE_OF_DURATIONS:.0%} of the variance of the durations (of their ranks) lies between classes: the "
        "zeros behind a short clip then tell its class.",
        "Cut clips into windows (example_length_s) or crops (crop_s), or stretch them to one length (stretch_frames).",
        rules.durations_of_classes,
        "class",
    ),
    Fault(
        "DC offset",
        "doubtful",
        f"The mean of the samples is more than {LARGEST_DC_OFFSET:g} of full scale away from 0.",
        "Harmless for mel features with fmin_hz above 20; else high-pass the files.",
        rules.clips_where("dc_offset", lambda means, _: means.abs() > LARGEST_DC_OFFSET, "mean {:+.3f}"),
    ),
    Fault(
        "class of one clip",
        "doubtful",
        "The class has a single clip.",
        "Leave the class out, or join it with another.",
        rules.class_of_one_clip,
        "class",
    ),
    Fault(
        "item of one clip",
        "doubtful",
        "The item has a single clip, while others have more; a misspelt name makes such items.",
        "Check the name; its values in the results rest on one clip.",
        rules.item_of_one_clip,
        "item",
    ),
)
"""Every kind of fault, the worst first."""
