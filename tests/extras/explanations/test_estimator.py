"""Feature groups of estimators that read one vector for each clip."""

import pytest

from xval.base.errors import SettingsError
from xval.extras.explanations.estimator import vector_groups


def test_vectors_are_grouped_by_the_kind_of_their_values(make_settings):
    def settings(model, **changes):
        return make_settings(features="embedding", embedding_model=model, **changes).feature_settings()

    assert vector_groups(None, 2) == {"feature 1": [0], "feature 2": [1]}
    assert vector_groups(settings("onnx:a"), 4) == {"embedding": [0, 1, 2, 3]}
    assert vector_groups(settings("onnx:a", embedding_pooling="mean_deviation"), 4) == {"mean": [0, 1], "deviation": [2, 3]}
    groups = vector_groups(settings("opensmile:eGeMAPSv02"), 88)
    assert sorted(column for columns in groups.values() for column in columns) == list(range(88))
    assert (len(groups["mfcc"]), groups["loudness"]) == (16, list(range(10, 20)))
    with pytest.raises(SettingsError, match="no such feature set"):
        vector_groups(settings("opensmile:eGeMAPSv2"), 88)
