"""Abstaining on the page: the error rate over the share of clips that are predicted, and the coverage of sets of classes."""

from pathlib import Path

from markupsafe import Markup

from xval.answers.item_words import item_word, items_word
from xval.extras.abstention.abstention import when_to_answer
from xval.extras.abstention.picture import draw_risk
from xval.report.contents import PageContents
from xval.report.rendering import render_section

PART, POSITION = "errors", 2
_TEMPLATE = Path(__file__).with_name("section.html")


def show(contents: PageContents) -> Markup:
    """Return the section as HTML; empty: the instance whose errors are shown does not distinguish classes of clips."""
    answering = when_to_answer(contents.shown) if contents.shown else None
    if answering is None:
        return Markup()
    return render_section(
        _TEMPLATE,
        answering=answering,
        risk_picture=draw_risk(answering.curve),
        interval_words=contents.interval_words,
        item_word=item_word(contents.instances),
        items_word=items_word(contents.instances),
    )
