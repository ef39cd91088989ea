"""The section of the page on abstaining: error rate over the share of clips predicted, and coverage of sets of classes."""

import math
from pathlib import Path

from markupsafe import Markup

from xval.answers.item_words import item_word, items_word
from xval.extras.abstention.abstention import measure_abstention
from xval.measures.conformal import RiskCurve
from xval.report import svg
from xval.report.charts import SMALL_HEIGHT, SMALL_WIDTH, grid, side_axis
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


def draw_risk(risk: RiskCurve) -> Markup:
    """Draw the error rate over the share of clips that are predicted, with its 95 % interval, as SVG."""
    across, right = svg.Scale(0, 1, 48, SMALL_WIDTH - 14), SMALL_WIDTH - 14
    up = svg.spanning([0.0, *risk.risks, *filter(math.isfinite, risk.high)], SMALL_HEIGHT - 30, 12)
    parts = [grid(across, 12, SMALL_HEIGHT - 30), side_axis(up, 48, right)]
    for values, class_ in ((risk.low, "chance"), (risk.high, "chance"), (risk.risks, "curve training")):
        points = [(across(share), up(value)) for share, value in zip(risk.shares, values, strict=True)]
        parts.append(svg.curve(points, class_))
    return svg.picture(SMALL_WIDTH, SMALL_HEIGHT, "error rate over the share of clips predicted", parts)
