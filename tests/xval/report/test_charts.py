"""Pictures: places of marks, broken lines, escaped text."""

import math
import re

import pandas as pd
import pytest

from xval.answers.score_text import Estimate
from xval.report import charts, svg


def test_a_scale_has_round_ends_and_holds_all_values():
    scale = svg.spanning([0.413, 0.87, math.nan], 0, 100)

    assert (scale.low, scale.high) == pytest.approx((0.4, 0.9))
    assert scale(0.65) == pytest.approx(50)
    assert scale(2.0) == 100
    assert svg.ticks(scale) == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    for value in (0.25, 0.0, 1.0):
        assert svg.spanning([value, value], 0, 1)[:2] == (0, 1)
    assert svg.spanning([-3, -3], 0, 1).low < -3 < svg.spanning([-3, -3], 0, 1).high


def test_a_curve_is_broken_where_a_value_is_not_finite():
    assert svg.curve([(0, 1), (1, math.nan), (2, 3), (3, 4)], "a") == '<path d="M0 1.0M2 3.0L3 4.0" class="a"></path>'


def test_instances_stand_at_their_figures_with_interval_folds_and_chance():
    estimate = Estimate(0.5, 0.25, 0.75, "mean over items", 0.0, (0.2, 1.0))

    drawn = str(charts.draw_instances([charts.IntervalRow(3, "<b>x", estimate, is_selected=True)], "accuracy"))

    low, chance, high = 250, 250, 760  # of the scale 0 to 1
    assert f'd="M{chance} ' in drawn
    middle = (low + high) / 2
    assert re.search(rf'<circle cx="{middle:g}" cy="39" r="5" class="mean selected"><title>instance 3: 0\.500 \[0\.250', drawn)
    assert 'd="M377.5 39L632.5 39" class="interval selected"' in drawn
    assert 'cx="352" cy="39" r="3" class="fold"' in drawn
    assert "&lt;b&gt;x" in drawn
    assert "<b>" not in drawn


def test_curves_of_all_folds_are_in_one_picture_on_the_given_axis():
    history = {"epoch": [1.0, 2.0, 3.0], "loss": [3.0, 2.0, 1.0], "val_loss": [3.0, math.inf, 2.0]}
    limits = charts.curve_limits([{1: history, 2: history}], "loss")

    drawn = str(charts.draw_curves({1: history, 2: history}, "loss", {1: 3, 2: 1}, limits))

    assert drawn.count('class="curve training"') == drawn.count('class="curve validation"') == 2
    assert (limits.low, limits.high) == (1, 3)
    (dots,) = re.findall(r'd="([^"]*)" class="dots validation"', drawn)
    assert dots.count("h0") == 2


def test_events_lie_at_their_times_in_lanes():
    events = pd.DataFrame({"start_s": [1.0], "end_s": [3.0], "label": ["call"]})

    drawn = str(charts.draw_events({"annotated": events, "instance 1": events[:0]}, ["bird", "call"], 4.0))

    assert re.search(r'<rect class="event1" x="90.5" y="24" width="173" height="16"><title>call, 1\.00 to 3\.00 s', drawn)
    assert drawn.count("<rect") == 1


def test_a_learning_curve_has_a_dot_with_its_interval_at_each_number_of_items():
    estimates = [Estimate(0.5, 0.25, 0.75, "mean over items", 0.0, (0.2,)), Estimate(1.0, None, None, "pooled", 0.0, ())]
    rows = [
        (n_items, charts.IntervalRow(n_items, "", each, is_selected=False))
        for n_items, each in zip((4, 8), estimates, strict=True)
    ]

    drawn = str(charts.draw_learning_curve(rows, "accuracy over training speakers", "speakers"))

    left, right, bottom, top = 48, 366, 200, 12  # of the axes 0 to 8 items and 0 to 1
    middle = (left + right) / 2
    assert (
        f'cx="{middle:g}" cy="{(bottom + top) / 2:g}" r="5" class="mean"><title>instance 4, 4 speakers: 0.500 [0.250, 0.750]'
        in drawn
    )
    assert f'd="M{middle:g} {bottom - 0.25 * (bottom - top):g}L{middle:g} {bottom - 0.75 * (bottom - top):g}"' in drawn
    assert f'cx="{right}" cy="{top}" r="5" class="mean"' in drawn
    assert f'd="M{left} {bottom}L{right} {bottom}" class="chance"' in drawn
