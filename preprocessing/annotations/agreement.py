"""Measure how far the annotators of a dataset agree (seconds), as a table and as csv."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from preprocessing.annotations import intervals
from preprocessing.annotations.intervals import NS_PER_S
from preprocessing.annotations.labels import Annotations, common, intervals_by_label
from preprocessing.file_replacement import replace_file
from xval.base.csv_text import guarded


def disagreement_table(annotations_by_recording: Mapping[str, Annotations]) -> pd.DataFrame:
    """Compare the annotators of every recording, label by label.

    Args:
        annotations_by_recording: `Annotations` by the path of their recording.

    Returns:
        A row per recording and label that occurs in it: path; label; n_annotators, the number of annotators of the recording;
        ``<annotator>_s`` (``annotated_s`` if the annotator has no name), the seconds that each labelled, NaN for one who did
        not annotate the recording; agreed_s, labelled by all of them; disputed_s, labelled by some; agreement, the share of
        agreed_s in both (Jaccard 1912). The last three are NaN if there was only one annotator.
    """
    names = sorted({name for annotations in annotations_by_recording.values() for name in annotations["annotator"]})
    columns = {name: f"{name or 'annotated'}_s" for name in names}
    rows: list[dict[str, object]] = []
    for path, annotations in annotations_by_recording.items():
        for label, annotated in intervals_by_label(annotations).items():
            seconds = {name: intervals.total(segments) / NS_PER_S for name, segments in annotated.items()}
            agreed_ns, any_ns = intervals.total(common(annotated)), intervals.total(intervals.join(annotated.values()))
            compared = len(annotated) > 1
            rows.append(
                {"path": path, "label": label, "n_annotators": len(annotated)}
                | {columns[name]: seconds.get(name, math.nan) for name in names}
                | {
                    "agreed_s": agreed_ns / NS_PER_S if compared else math.nan,
                    "disputed_s": (any_ns - agreed_ns) / NS_PER_S if compared else math.nan,
                    "agreement": agreed_ns / any_ns if compared and any_ns else math.nan,
                }
            )
    order = ["path", "label", "n_annotators", *columns.values(), "agreed_s", "disputed_s", "agreement"]
    return pd.DataFrame(rows, columns=order)


def write_disagreement(path: Path, table: pd.DataFrame) -> None:
    """Write a `disagreement_table` as csv, completely or not at all; times to the microsecond, NaN as an empty cell."""
    rounded = table.round(6)
    replace_file(path, lambda temporary: guarded(rounded).to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n"))
