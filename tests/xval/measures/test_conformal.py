"""Sets of classes whose unit is the speaker, against values worked out by hand, and on drawn speakers."""

import numpy as np
import pytest

from xval.measures.conformal import (
    Answers,
    SpeakerScores,
    largest_coverage,
    prediction_sets,
    risk_curve,
    score_clips,
    speakers_needed,
)


def of_one_model(scores, items):
    return SpeakerScores(np.asarray(scores, float), np.asarray(items), np.zeros(len(scores), np.int64))


def test_each_speaker_weighs_alike_and_one_share_is_left_for_a_new_one():
    scores = of_one_model([0.1, 0.2, 0.3, 0.8], ["many", "many", "many", "few"])  # 1/9 each of the first, 1/3 of the last

    p_values = scores.p_values(np.array([[[0.85, 0.1, 0.05], [0.2, 0.7, 0.1]]]))  # scores 0.15, 0.9, 0.95; 0.8, 0.3, 0.9

    assert p_values == pytest.approx(np.array([[2 / 9 + 2 / 3, 1 / 3, 1 / 3], [2 / 3, 1 / 9 + 2 / 3, 1 / 3]]))


@pytest.mark.parametrize(("coverage", "needed"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_with_too_few_speakers_sets_hold_all_classes(coverage, needed):
    assert speakers_needed(coverage) == needed
    probabilities = np.array([[[0.98, 0.01, 0.01]]])

    enough, too_few = (of_one_model(np.linspace(0, 0.01, number), range(number)) for number in (needed, needed - 1))

    assert prediction_sets(enough, probabilities, coverage).tolist() == [[True, False, False]]
    if needed > 1:
        assert prediction_sets(too_few, probabilities, coverage).all()


def test_speakers_are_enough_for_the_coverage_that_they_are_said_to_allow():
    assert [largest_coverage(n) for n in (1, 2, 4, 9, 23)] == [0.5, 0.66, 0.8, 0.9, 0.95]
    assert all(speakers_needed(largest_coverage(n)) <= n for n in range(1, 300))


def test_the_most_probable_class_is_always_in_the_set():
    scores = of_one_model(np.zeros(20), range(20))  # all were certain and right

    assert prediction_sets(scores, np.array([[[0.5, 0.3, 0.2]]]), 0.8).tolist() == [[True, False, False]]


def test_a_clip_is_compared_with_what_the_same_model_made_of_others():
    scores = SpeakerScores(np.array([0.1, 0.9]), np.array(["a", "b"]), np.array([0, 1]))

    p_values = scores.p_values(np.array([[[0.5, 0.5]], [[0.5, 0.5]]]))  # 0.5 is more than the one and less than the other

    assert p_values == pytest.approx(np.array([[2 / 3, 2 / 3]]))


def test_scores_without_a_speaker_have_none_of_its_clips():
    others = of_one_model([0.1, 0.2, 0.3], ["a", "b", "a"]).without("a")

    assert (others.scores.tolist(), others.n_items) == ([0.2], 1)


def draw(n_speakers, rng, n_clips=20, n_classes=5):
    """Return probabilities, classes and speakers; some speakers are much harder than others."""
    items = np.repeat(np.arange(n_speakers), n_clips)
    targets = rng.integers(0, n_classes, len(items))
    hardness = np.exp(0.7 * rng.normal(size=n_speakers))[items]
    logits = rng.normal(size=(len(items), n_classes)) * hardness[:, np.newaxis]
    logits[np.arange(len(items)), targets] += 2
    shares = np.exp(logits)
    return shares / shares.sum(axis=1, keepdims=True), targets, items


def test_sets_cover_clips_of_new_speakers_as_often_as_is_wanted():
    rng, covered = np.random.default_rng(0), []
    for _ in range(300):
        known, targets, items = draw(12, rng)
        new, truth, _ = draw(4, rng)
        sets = prediction_sets(of_one_model(score_clips(targets, known), items), new[np.newaxis], 0.8)
        covered.append(sets[np.arange(len(truth)), truth].mean())

    error = np.std(covered) / np.sqrt(len(covered))
    assert 0.8 - 2 * error < np.mean(covered) < 0.8 + 1 / 13 + 2 * error


def test_the_risk_is_that_of_the_surest_clips_and_every_speaker_counts_alike():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])

    curve = risk_curve([Answers(np.array([0, 0, 1, 1]), probabilities, np.array(["a", "a", "a", "b"]))])

    def risk_at(share):
        return curve.risks[np.searchsorted(curve.shares, share)]

    assert [risk_at(share) for share in (0.1, 0.3, 0.5, 1)] == pytest.approx([0, 0, 1 / 3, 2 / 3])  # 1/6 each, and 1/2
    assert not curve.has_interval  # of two speakers


def answers_of(rng, n_speakers=8, n_clips=30):
    """Return the answers of a training that is surer than it is right."""
    items = np.repeat(np.arange(n_speakers), n_clips)
    probabilities = rng.dirichlet([1, 1, 1], len(items))
    targets = np.where(rng.random(len(items)) < 0.5, probabilities.argmax(axis=1), rng.integers(0, 3, len(items)))
    return Answers(targets, probabilities, items)


def test_several_trainings_count_alike_and_what_they_change_widens_the_interval():
    first, second = answers_of(np.random.default_rng(0)), answers_of(np.random.default_rng(1))

    one, other = risk_curve([first]), risk_curve([second])
    twice = risk_curve([first, first], [[0], [1]])
    both, as_one_run = risk_curve([first, second], [[0], [1]]), risk_curve([first, second], [[0, 1]])

    assert twice.risks == pytest.approx(one.risks)
    assert both.risks == pytest.approx((one.risks + other.risks) / 2)
    assert ((both.low <= both.risks) & (both.risks <= both.high)).all()
    assert np.mean(both.high - both.low) > np.mean(as_one_run.high - as_one_run.low)


def test_clips_that_are_equally_sure_are_answered_together_in_whatever_order_they_stand():
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.7, 0.3], [0.7, 0.3]])
    targets, items = np.array([0, 0, 1, 1]), np.array(["a", "b", "c", "d"])

    curve, backwards = (
        risk_curve([Answers(targets[way], probabilities[way], items)]) for way in (slice(None), slice(None, None, -1))
    )

    assert curve.risks == pytest.approx(backwards.risks)
    assert curve.risks[[0, 20, -1]] == pytest.approx([0, 1 / 2, 1 / 2])  # the surest; then all, of which two are wrong
