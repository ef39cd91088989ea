"""The equal error rate over trials."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import special, stats
from sklearn.metrics import roc_curve

from xval.base.errors import SettingsError
from xval.measures.verification import verification_eer


def draw(spread, n_speakers=5, n_of_each=6):
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(n_speakers), n_of_each)
    return rng.normal(size=(n_speakers, 8))[speakers] + spread * rng.normal(size=(len(speakers), 8)), speakers


def test_it_is_where_the_roc_curve_of_all_pairs_misses_as_many_as_it_accepts():
    embeddings, speakers = draw(spread=1.0)
    pairs = list(combinations(range(len(speakers)), 2))
    is_same = [speakers[first] == speakers[second] for first, second in pairs]
    lengths = np.linalg.norm(embeddings, axis=1)
    scores = [embeddings[first] @ embeddings[second] / lengths[first] / lengths[second] for first, second in pairs]
    accepted, found, _ = roc_curve(is_same, scores, drop_intermediate=False)

    eer, n_same, n_different, interval = verification_eer(embeddings, speakers)

    assert (n_same, n_different) == (sum(is_same), len(pairs) - sum(is_same))
    assert eer == pytest.approx(np.interp(0, accepted - (1 - found), accepted), abs=1e-12)
    assert 0.05 < eer < 0.45
    assert 0 < interval.low < eer < interval.high < 1
    of_others = [verification_eer(embeddings[speakers != each], speakers[speakers != each]).eer for each in range(5)]
    half = stats.t.ppf(0.975, 4) * math.sqrt(4 * np.var(of_others))
    logit = special.logit(eer) - half / (eer * (1 - eer))
    assert interval.low == pytest.approx(special.expit(logit))


def test_speakers_that_lie_apart_are_told_and_noise_is_not():
    assert verification_eer(*draw(spread=0.01)).eer == 0
    rng = np.random.default_rng(1)
    noise = verification_eer(rng.normal(size=(300, 8)), rng.integers(10, size=300))
    assert noise.eer == pytest.approx(0.5, abs=0.03)


def test_of_too_many_pairs_some_are_drawn_none_twice():
    embeddings, speakers = draw(spread=1.0, n_of_each=20)
    whole, part = (verification_eer(embeddings, speakers, most_trials=most) for most in (10**6, 3000))
    assert part.n_same + part.n_different <= 3000 < whole.n_same + whole.n_different == 100 * 99 // 2
    assert part.eer == pytest.approx(whole.eer, abs=0.04)


@pytest.mark.parametrize(
    ("embeddings", "speakers"),
    [(np.ones((3, 2)), "aaa"), (np.ones((3, 2)), "abc"), (np.ones((3, 2)), "ab"), (np.zeros((3, 2)), "aab")],
)
def test_what_makes_no_trials_is_refused(embeddings, speakers):
    with pytest.raises(SettingsError, match="verification: received 3"):
        verification_eer(embeddings, np.array(list(speakers)))
