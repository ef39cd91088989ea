"""The section of the page on abstaining: error rate over the share of clips predicted, and coverage of sets of classes."""

from pathlib import Path

from markupsafe import Markup

from xval.answers.item_words import item_word, items_word
from xval.extras.abstention.abstention import measure_abstention
from xval.extras.abstention.picture import draw_risk
from xval.report.contents import PageContents
from xval.report.rendering import render_section

PART, POSITION = "errors", 2
_TEMPLATE = Path(__file__).with_name("section.html")


def show(contents: PageContents) -> Markup:
    """Return the section as HTML; empty if the instance whose errors are shown does not predict one class per clip."""
    abstention = measure_abstention(contents.shown) if contents.shown else None
    if abstention is None:
        return Markup()
    return render_section(
        _TEMPLATE,
        abstention=abstention,
        risk_picture=draw_risk(abstention.curve),
        interval_words=contents.interval_words,
        item_word=item_word(contents.instances),
        items_word=items_word(contents.instances),
    )
