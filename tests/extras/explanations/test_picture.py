"""The caption of a picture of an explanation."""

import numpy as np
import pytest

from xval.extras.explanations.attribution import Attribution
from xval.extras.explanations.clips import Explanation
from xval.extras.explanations.picture import describe


@pytest.mark.parametrize(("total", "advises"), [(0.75, False), (0.66, False), (0.0, True), (-0.75, True)])
def test_integrated_gradients_that_do_not_add_up_to_the_prediction_recommend_occlusion(total, advises):
    attribution = Attribution(np.full((2, 2), total / 4, np.float32), prediction=0.95, baseline_prediction=0.2)
    features = np.zeros((2, 2), np.float32)

    text = describe(Explanation("a.wav", 0.0, 1.0, "hid", "integrated_gradients", attribution, features, 0.5))

    assert f"All parts: {total:.3f} (exact: 0.750" in text
    assert ("use occlusion" in text) == advises
