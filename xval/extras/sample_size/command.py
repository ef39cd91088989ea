"""Plan a study before recording: how many speakers are needed to show a difference between two systems.

The plan is computed from the variances in a pilot study: between speakers, between the clips of a speaker, and between
trainings. xval has the variances of RAVDESS (24 actors, emotions) and of fsdd (6 speakers, digits). --from EXPERIMENT reads
those of your own pilot.

  value ±           half of the 95 % confidence interval of the metric of one system
  difference ±      half of the 95 % confidence interval of the difference between two systems on the same speakers
  least difference  the smallest true difference that is significant (p at most 0.05) with a power of 80 %
  expected          the expected metric of a system that trains on this many speakers, with its 95 % interval; it needs
                    a pilot whose instances differ only in train_fraction

The formulas are those of xval compare.

exit code: 0 done; 2 if the variances cannot be estimated from the pilot
"""

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from preprocessing.console import make_console
from preprocessing.options.argument_parser import number_reader, whole_number
from preprocessing.quality.pictures import PICTURE_ENDINGS
from xval.answers.score_text import rounded
from xval.answers.summary import metric_words
from xval.base.errors import SettingsError, counted, plural_of
from xval.commands._output import add_output, output_of

if TYPE_CHECKING:
    import pandas as pd

    from xval.extras.sample_size.extrapolated_curve import ItemCurve
    from xval.extras.sample_size.pilot import Pilots
    from xval.measures.statistics.planning import Pilot

SUMMARY = "how many speakers to record, to show a difference (power analysis)"
NAME = "sample-size"

_FEWEST, _MOST = 3, 100_000
_UNLIMITED = 1e15  # items: their error is then negligible next to the error of training runs
_MOST_ROWS = 11
_WIDTH_OF_FILES = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `xval sample-size` to a parser."""
    parser.add_argument(
        "--speakers", type=_read_sizes, default="10..60", metavar="N..M", help="numbers of speakers (default: %(default)s)"
    )
    parser.add_argument(
        "--clips", type=lambda text: whole_number("--clips", text, smallest=1), metavar="N",
        help="clips of each speaker (default: as in the pilot)",
    )  # fmt: skip
    parser.add_argument(
        "--runs", type=lambda text: whole_number("--runs", text, smallest=1), metavar="N",
        help="trainings: repeats of the cross-validation, or seeds if the pilot has one repeat (default: as in the pilot)",
    )  # fmt: skip
    parser.add_argument(
        "--difference", type=number_reader("--difference", is_positive=True), default=0.05, metavar="X",
        help="the difference that the study should show, in the unit of the metric (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="source", default="ravdess", metavar="EXPERIMENT[:N]",
        help="pilot study: results/<dataset>/experiment_<n>, with :N its instance N (default: the second best by validation); "
        "or ravdess or fsdd (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--baseline", type=int, metavar="N", help="instance to compare with (default: the best by validation)")
    parser.add_argument("--metric", metavar="NAME", help="a test metric of the pilot (default: the main one of the task)")
    add_output(parser, "the table, or draw the plan", PICTURE_ENDINGS)


def run(options: argparse.Namespace) -> int:
    """Print the plan, and write it to a table or picture if --output names one."""
    from xval.extras.sample_size.extrapolated_curve import find_curve
    from xval.extras.sample_size.picture import write_picture
    from xval.extras.sample_size.pilot import find_pilots
    from xval.report.text_tables import print_table, write_table

    output = output_of(options, PICTURE_ENDINGS)
    pilots, instances = find_pilots(options.source, options.baseline, options.metric)
    metric = metric_words(pilots.metric, instances)
    if options.difference > pilots.largest_difference:
        most = f"two values of {metric} differ by at most {pilots.largest_difference:g}"
        raise SettingsError(f"--difference {options.difference:g}: {most}.")
    difference_pilot = pilots.difference or pilots.value
    if options.clips is not None and math.isnan(difference_pilot.clip_share):
        raise SettingsError(f"--clips {options.clips}: this pilot does not show the effect of more clips. Remove --clips.")
    n_runs = options.runs or round(difference_pilot.n_runs)
    console = make_console(least_width=_WIDTH_OF_FILES)
    table = _make_table(pilots, options.speakers, n_runs, options.clips)
    curve = find_curve(instances, pilots.metric, pilots.baseline)
    if curve:
        table["expected"] = _expected_scores(curve, options.speakers)
    table = table.rename(columns={"n_items": plural_of(pilots.item)})
    if not output.is_printed:
        for line in _describe_pilots(pilots, metric, n_runs, options.runs):
            console.print(line, markup=False)
        console.print()
        print_table(table, console, nothing="")
        console.print()
        for line in describe_needed(pilots, options.difference, n_runs, options.clips):
            console.print(line, markup=False)
        for line in _describe_curve(curve, pilots) if instances else ():
            console.print(line, markup=False)
    path = output.path
    if path is None or path.suffix.lower() not in PICTURE_ENDINGS:
        write_table(table, output, console)
        return 0
    write_table(table, output._replace(path=None), console)
    numbers = range(min(options.speakers), max(options.speakers) + 1)
    drawn = _make_table(pilots, numbers[:: max(1, len(numbers) // 100)], n_runs, options.clips)
    needed = _needed(pilots.difference, options.difference, n_runs, options.clips) if pilots.difference else None
    write_picture(
        path, drawn, item=pilots.item, difference=options.difference, needed=needed,
        curve=curve, title=f"{metric}, {_describe_size(pilots, n_runs, options.clips)}",
    )  # fmt: skip
    make_console(is_error=output.is_printed).print(f"Picture: {path}", markup=False)
    return 0


def _read_sizes(text: str) -> list[int]:
    """Return the numbers of speakers of a range such as ``10..60``, evenly spaced, or of a list such as ``12,24``."""
    error = SettingsError(
        f"--speakers {text}: expected numbers from {_FEWEST} to {_MOST}, as 10..60 (the first and the last) or 12,24,48."
    )
    first, dots, last = text.partition("..")
    try:
        numbers = [int(first), int(last)] if dots else [int(part) for part in text.split(",")]
    except ValueError:
        raise error from None
    if min(numbers) < _FEWEST or max(numbers) > _MOST or sorted(set(numbers)) != numbers:
        raise error
    if not dots:
        return numbers
    low, high = numbers
    n_steps = min(_MOST_ROWS - 1, high - low)
    return sorted({low + round((high - low) * step / n_steps) for step in range(n_steps + 1)})


def _make_table(pilots: "Pilots", sizes: Sequence[int], n_runs: int, n_clips: int | None) -> "pd.DataFrame":
    """Return a row per number of items: n_items, and half the widths of the intervals, in the unit of the metric."""
    import pandas as pd

    columns: dict[str, list[float]] = {"value ±": [pilots.value.half_width(size, n_runs, n_clips) for size in sizes]}
    if pilots.difference:
        columns["difference ±"] = [pilots.difference.difference_half_width(size, n_runs, n_clips) for size in sizes]
        columns["least difference"] = [pilots.difference.detectable(size, n_runs, n_clips) for size in sizes]
    return pd.DataFrame({"n_items": list(sizes), **columns}).round(4)


def _needed(pilot: "Pilot", difference: float, n_runs: int, n_clips: float | None) -> int | None:
    """Return the number of items that shows a difference with a power of 80 %; None if 100,000 are not enough."""
    from xval.measures.statistics.planning import items_needed

    return items_needed(lambda n_items: pilot.detectable(n_items, n_runs, n_clips), difference, _FEWEST, _MOST)


def _describe_size(pilots: "Pilots", n_runs: int, n_clips: int | None) -> str:
    from xval.extras.sample_size.pilot import clips_text

    clips = clips_text(pilots.value.n_clips if n_clips is None else n_clips)
    return f"{clips} of each {pilots.item}, trained {counted(n_runs, 'time')}"


def _describe_pilots(pilots: "Pilots", metric: str, n_runs: int, requested_runs: int | None) -> list[str]:
    """Return lines with the source of the variances, their standard deviations, and what is unknown."""
    lines = [f"Measured on {pilots.source}. Standard deviations:"]
    for what, pilot in ((metric, pilots.value), ("difference", pilots.difference)):
        if pilot:
            items, clips, runs = ("not known" if math.isnan(value) else f"{value:.3f}" for value in pilot.deviations)
            lines.append(f"  {what}: between {plural_of(pilots.item)} {items}, of one clip {clips}, between trainings {runs}")
    if len((pilots.difference or pilots.value).components) < 2:
        lines.append(
            "The variance between trainings is unknown or 0, so the plan is for these trained models. A pilot with "
            "fold_repeats = 3 measures it."
        )
        if requested_runs:
            lines[-1] += f" --runs {n_runs} changes nothing."
    return lines


def describe_needed(pilots: "Pilots", difference: float, n_runs: int, n_clips: int | None) -> list[str]:
    """Return sentences with the number of items that a study needs to show a difference, and how certain this number is.

    Args:
        pilots: The variances of a pilot study.
        difference: The difference to show, in the unit of the metric.
        n_runs: The number of trainings.
        n_clips: The number of clips per item; None: as in the pilot.
    """
    items = plural_of(pilots.item)
    if pilots.difference is None:
        return [f"The pilot has one instance, so differences are not known. Train a second one on the same {items}."]
    pilot, size = pilots.difference, _describe_size(pilots, n_runs, n_clips)
    needed = _needed(pilot, difference, n_runs, n_clips)
    is_shown_by_more = not pilot.detectable(_UNLIMITED, n_runs, n_clips) > difference
    if needed is None and is_shown_by_more:
        return [f"More than {_MOST:,} {items} are needed to show a difference of {difference:g} with {size}."]
    if needed is None:
        line = (
            f"No number of {items} shows a difference of {difference:g} with {size}, because the variance between trainings "
            "is larger. Train more often (--runs), or give a larger --difference."
        )
        return [line]
    lines = [
        f"Record {counted(needed, pilots.item)} to show a difference of {difference:g} with a probability of 80 % ({size})."
    ]
    cautious = pilot.cautious()
    enough = _needed(cautious, difference, n_runs, n_clips)
    number = f"{enough} are enough"
    if enough is None:
        is_any = not cautious.detectable(_UNLIMITED, n_runs, n_clips) > difference
        number = f"more than {_MOST:,} are needed" if is_any else "no number of them shows it"
    lines.append(
        f"{counted(round(pilot.n_items), pilots.item)} estimate their variance roughly: at its upper 80 % limit, {number}."
    )
    if pilot.clip_share == 1:
        lines.append(f"Clips vary so much that differences between {items} cannot be seen. Record more clips of each first.")
    return lines


def _expected_scores(curve: "ItemCurve", sizes: Sequence[int]) -> list[str]:
    """Return the expected score with its interval, such as ``0.700 [0.650, 0.750]``, for each number of items."""
    values, low, high, *_ = curve.at([size * curve.share for size in sizes])
    return ["{} [{}, {}]".format(*rounded(*ends)) for ends in zip(values, low, high, strict=True)]


def _describe_curve(curve: "ItemCurve | None", pilots: "Pilots") -> list[str]:
    """Return sentences on the fit of the learning curve and the error of its smaller half, or what to run to get a curve."""
    items = plural_of(pilots.item)
    if curve is None:
        what_to_run = (
            f"The effect of more training {items} is unknown. Run the instance with three or more shares of them, such as "
            "experiment.grid(..., train_fraction=[0.25, 0.5, 0.75, 1])."
        )
        return [what_to_run]
    most = curve.sizes[-1]
    law = (
        f"Expected: a power law through {len(curve.sizes)} numbers of training {items}, {curve.sizes[0]:.3g} to {most:.3g}; "
        f"{curve.share:.0%} of the {items} train."
    )
    if not curve.n_smaller:
        return [law]
    smaller = curve.at([most], curve.n_smaller)
    measured, value = float(curve.values[..., -1].mean()), smaller.values[0]
    check = (
        f"Check: the {curve.n_smaller} numbers up to {curve.sizes[curve.n_smaller - 1]:.3g} alone give {value:.3f} "
        f"[{smaller.low[0]:.3f}, {smaller.high[0]:.3f}] at {most:.3g}, where {measured:.3f} was measured (error "
        f"{value - measured:+z.3f})."
    )
    return [law, check]
