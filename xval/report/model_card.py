"""The card of a final model, in Markdown: what it is, what is known of it, and what is not.

Comes in: the record of a refit and the settings of its instance. Goes out: model_card.md beside the model.

The parts are those of Mitchell et al. (2019), Model cards for model reporting.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preprocessing.corpus import CUSTOM
from xval.answers.figure_text import format_figure
from xval.answers.item_sentences import describe_item_scaling
from xval.answers.pretrained import explain, judge_record
from xval.answers.summary import record_side
from xval.base.item_word import ITEM, call_items
from xval.base.json_files import write_atomically
from xval.settings.schema import Settings

CARD_NAME = "model_card.md"


def write_card(folder: Path, record: Mapping[str, Any], settings: Settings, item_word: str = "") -> None:
    """Write the card of a refit, by its record.json, into the folder of its model; `item_word`: what an item is, if known."""
    write_atomically(folder / CARD_NAME, describe_model(record, settings, item_word).encode())


def describe_model(record: Mapping[str, Any], settings: Settings, item_word: str = "") -> str:
    """Return the card; the arguments are those of `write_card`."""
    from xval.report.escaping import in_markdown
    from xval.report.rendering import make_environment

    environment = make_environment()
    environment.filters["plain"] = in_markdown
    side, n_folds = record_side(record, settings, item_word), len(record["best_epochs_of_folds"])
    intervals = record.get("expected_intervals", {})  # a final model of an earlier version has none
    expected = [
        (f"{side} {name}", f"{format_figure(figure, n_folds)}{intervals.get(name, '')}")
        for name, figure in record["expected"].items()
        if figure["mean"] is not None
    ]
    about = record.get("expected_about", "")
    template = environment.get_template("model_card.md")
    is_custom = record["store"] == CUSTOM
    origin = explain(judge_record(record, settings.model_dump()))
    return template.render(
        record=record,
        settings=settings,
        task=settings.task,
        expected=expected,
        about=about,
        is_custom=is_custom,
        origin=origin,
        item_scaling=describe_item_scaling(item_word or ITEM, enrolment_s=settings.enrolment_s)
        if settings.scales_items
        else "",
        item=item_word or ITEM,
        items=call_items("items", item_word),
        note=call_items(record["expected_note"], item_word),
    )
