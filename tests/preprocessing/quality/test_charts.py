"""The charts of the quality report, where all values are equal: a bar that is seen as one value, not as a range."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from preprocessing.quality.charts import draw_charts


def shares_of_blue(picture: bytes) -> tuple[float, float]:
    """Return how wide the blue of a picture reaches, and where its middle is, over the width of the picture."""
    red, _, blue = imread(BytesIO(picture), format="png")[..., :3].transpose(2, 0, 1)
    columns = np.flatnonzero(((blue - red) > 0.3).any(axis=0))
    return float(np.ptp(columns)) / red.shape[1], float(columns.mean()) / red.shape[1]


@pytest.mark.parametrize(("n_clips", "chart"), [(1, "items"), (500, "durations"), (500, "targets")])
def test_equal_values_are_one_narrow_bar_in_the_middle(n_clips: int, chart: str) -> None:
    facts = pd.DataFrame(
        {
            "item": [str(number % 3) for number in range(3 * n_clips)],
            "label": 1.0,
            "duration_s": 1.0,
            "sample_rate_hz": 16000,
            "n_channels": 1,
            "augmented": False,
        }
    )
    width, middle = shares_of_blue(draw_charts(facts, "regression")[chart])
    assert 0.01 < width < 0.3
    assert middle == pytest.approx(0.53, abs=0.06)


def test_different_values_are_spread() -> None:
    items = [str(item) for item, count in enumerate((2, 9, 30)) for _ in range(count)]
    facts = pd.DataFrame({"item": items, "label": "a", "duration_s": None, "augmented": False})
    width, _ = shares_of_blue(draw_charts(facts, "classification")["items"])
    assert width > 0.6
