"""The picture of the error rate over the share of clips that a model predicts."""

import math

from markupsafe import Markup

from xval.measures.conformal import RiskCurve
from xval.report import svg
from xval.report.charts import SMALL_HEIGHT, SMALL_WIDTH, grid, side_axis


def draw_risk(risk: RiskCurve) -> Markup:
    """Draw the error rate over the share of clips that are predicted, with its 95 % interval, as SVG."""
    across, right = svg.Scale(0, 1, 48, SMALL_WIDTH - 14), SMALL_WIDTH - 14
    up = svg.spanning([0.0, *risk.risks, *filter(math.isfinite, risk.high)], SMALL_HEIGHT - 30, 12)
    parts = [grid(across, 12, SMALL_HEIGHT - 30), side_axis(up, 48, right)]
    for values, class_ in ((risk.low, "chance"), (risk.high, "chance"), (risk.risks, "curve training")):
        points = [(across(share), up(value)) for share, value in zip(risk.shares, values, strict=True)]
        parts.append(svg.curve(points, class_))
    return svg.picture(SMALL_WIDTH, SMALL_HEIGHT, "error rate over the share of clips predicted", parts)
