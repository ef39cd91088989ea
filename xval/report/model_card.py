"""The model card in Markdown: details, intended use, training data and evaluation; model_card.md of a refit.

Its parts follow Mitchell et al. (2019), Model cards for model reporting.
"""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from preprocessing.corpus import CUSTOM
from xval.answers.item_words import describe_item_scaling
from xval.answers.pretrained import explain, judge_record
from xval.answers.score_text import fixed, format_score
from xval.answers.summary import record_side
from xval.base.item_word import ITEM, call_items
from xval.base.json_files import write_atomically
from xval.results.scores import Scores
from xval.settings.schema import Settings

CARD_NAME = "model_card.md"


def write_card(folder: Path, record: Mapping[str, Any], settings: Settings, item_word: str = "") -> None:
    """Write the card of a refit from its record.json into the folder of its model; `item_word`: the word for an item."""
    write_atomically(folder / CARD_NAME, describe_model(record, settings, item_word).encode())


def describe_model(record: Mapping[str, Any], settings: Settings, item_word: str = "", scores: Scores | None = None) -> str:
    """Return the card of a refit, or of a fold with its scores; the other arguments are those of `write_card`."""
    from xval.report.escaping import in_markdown
    from xval.report.rendering import make_environment

    record = {"epochs": 0, **record}  # the fold of an estimator names none
    environment = make_environment()
    environment.filters["plain"] = in_markdown
    about = record.get("expected_about", "")
    template = environment.get_template("model_card.md")
    is_custom = record["store"] == CUSTOM
    origin = explain(judge_record(record, settings.model_dump()))
    return template.render(
        record=record,
        settings=settings,
        task=settings.task,
        is_refit="expected" in record,
        file="model.keras" if record["epochs"] else "model.skops",
        scores=[(name, text) for name, _, text in model_scores(record, settings, item_word, scores)],
        about=about,
        is_custom=is_custom,
        origin=origin,
        item_scaling=describe_item_scaling(item_word or ITEM, enrolment_s=settings.enrolment_s)
        if settings.scales_items
        else "",
        item=item_word or ITEM,
        items=call_items("items", item_word),
        note=call_items(record.get("expected_note", ""), item_word),
    )


def model_scores(
    record: Mapping[str, Any], settings: Settings, item_word: str = "", scores: Scores | None = None
) -> list[tuple[str, float, str]]:
    """Return name, value and text of each known metric of a model.

    For a refit these are means over the folds; for a fold, its scores on its test items.
    """
    side = record_side(record, settings, item_word)
    if "expected" not in record:
        own = scores.side("clip_test") if scores else {}
        return [(f"{side} {name}", value, fixed(value)) for name, value in own.items() if isfinite(value)]
    n_folds, intervals = len(record["best_epochs_of_folds"]), record.get("expected_intervals", {})  # of earlier versions: none
    return [
        (f"{side} {name}", score["mean"], f"{format_score(score, n_folds)}{intervals.get(name, '')}")
        for name, score in record["expected"].items()
        if score["mean"] is not None
    ]
