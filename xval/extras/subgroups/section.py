"""The section of the page with scores by subgroup: groups with lower scores, and a table for each column of the dataset."""

from pathlib import Path

from markupsafe import Markup

from preprocessing.clips.columns import with_columns
from preprocessing.corpus import Corpus
from xval.answers.instance_predictions import InstancePredictions
from xval.answers.item_words import items_word
from xval.base.errors import UsageError
from xval.extras.subgroups.columns import find_groups, group_columns
from xval.extras.subgroups.groups import Groups, describe_gap, describe_weakness, measure_groups
from xval.report.contents import PageContents
from xval.report.rendering import render_section

PART, POSITION = "errors", 1
_TEMPLATE = Path(__file__).with_name("section.html")


def show(contents: PageContents) -> Markup:
    """Return the section as HTML; empty if no column of the dataset divides its clips into groups."""
    groups, note = _measure(contents.tested, contents.tested_note, contents.corpus)
    task = contents.instances[0].settings.task
    higher = task.higher_is_better(task.main_metrics[0])
    return render_section(
        _TEMPLATE,
        groups=groups,
        note=note,
        weaknesses=list(filter(None, (describe_weakness(grouping, higher_is_better=higher) for grouping in groups))),
        describe_gap=describe_gap,
        within_classes=any(grouping.gap is not None and grouping.gap.within for grouping in groups),
        items_word=items_word(contents.instances),
    )


def _measure(tested: InstancePredictions | None, note: str, corpus: Corpus | None) -> tuple[list[Groups], str]:
    """Return the scores of an instance by the groups of each additional column, or none and a note why they are missing."""
    if corpus is None:
        return [], ""
    try:
        clips = with_columns(corpus.index, corpus.folder)
        columns = group_columns(clips)
        if not corpus.is_custom and clips["duration_s"].nunique() > 1:
            columns.append("duration_s")
        if tested is None or not columns:
            return [], note if columns else ""
        return measure_groups(tested, [find_groups(clips, name) for name in columns]), ""
    except UsageError as error:
        return [], str(error)
