"""Which transforms a copy gets, in which order, and that each is independent of the others."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augmentation.chain import apply_steps, draw_steps, peak_of
from augmentation.offline_settings import AugmentationSettings, read_augmentation_settings
from augmentation.seeding import make_generator
from augmentation.transforms import transform_names

RATE_HZ = 16000


def steps_of(settings: AugmentationSettings, copy: int = 1, **changes: object) -> dict[str, dict[str, object]]:
    wanted = {"seed": 1, "path": "a/b.wav", "copy": copy, "sample_rate_hz": RATE_HZ} | changes
    return {step.name: step.parameters for step in draw_steps(settings, **wanted)}  # type: ignore[arg-type]


def test_seed_path_and_copy_decide() -> None:
    settings = read_augmentation_settings()
    drawn = steps_of(settings)
    assert steps_of(settings) == drawn
    assert list(steps_of(settings)) == list(drawn)
    for change in ({"seed": 2}, {"path": "a/c.wav"}, {"copy": 2}):
        assert steps_of(settings, **({"copy": 1} | change)) != drawn


def test_transforms_are_used_as_often_as_asked_in_every_order() -> None:
    settings = read_augmentation_settings(["gain_probability=0.2", "reverb_probability=0.7", "min_transforms=0"])
    orders = [list(steps_of(settings, copy)) for copy in range(3000)]
    counts = Counter(name for order in orders for name in order)
    assert counts["gain"] / 3000 == pytest.approx(0.2, abs=0.03)
    assert counts["reverb"] / 3000 == pytest.approx(0.7, abs=0.03)
    both = [order.index("reverb") < order.index("equalizer") for order in orders if {"reverb", "equalizer"} <= set(order)]
    assert 0.35 < np.mean(both) < 0.65


@given(fewest=st.integers(0, 8), copy=st.integers(1, 10**6))
def test_no_copy_has_fewer_transforms_than_wanted(fewest: int, copy: int) -> None:
    drawn = steps_of(read_augmentation_settings(["min_transforms=0"]), copy)
    used = steps_of(read_augmentation_settings([f"min_transforms={fewest}"]), copy)
    assert len(used) == max(len(drawn), fewest)
    assert drawn.items() <= used.items()


def test_another_range_or_probability_of_one_transform_changes_no_other() -> None:
    plain = read_augmentation_settings()
    changed = read_augmentation_settings(["reverb_max_wet=0.3", "gain_probability=0"])
    for copy in range(1, 30):
        before, after = steps_of(plain, copy), steps_of(changed, copy)
        for name in set(before) - {"reverb", "gain"}:
            assert after[name] == before[name]


def test_all_off_but_one_uses_this_one_alone() -> None:
    off = [f"{name}_probability=0" for name in transform_names() if name != "clipping"]
    settings = read_augmentation_settings([*off, "clipping_probability=0.01"])
    assert {tuple(steps_of(settings, copy)) for copy in range(20)} == {("clipping",)}


def test_the_peak_stays_unless_the_gain_lowers_it() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    samples *= 0.99 / peak_of(samples)
    settings = read_augmentation_settings(["gain_probability=0.5"])
    for copy in range(20):
        steps = draw_steps(settings, seed=1, path="x.wav", copy=copy, sample_rate_hz=RATE_HZ)
        gain_db = sum(step.parameters["gain_db"] for step in steps if step.name == "gain")
        assert peak_of(apply_steps(samples, RATE_HZ, steps)) == pytest.approx(0.99 * 10 ** (gain_db / 20), rel=1e-4)


def test_names_are_not_run_together_and_unicode_forms_are_one() -> None:
    assert make_generator(1, "a", "b/c").random() != make_generator(1, "a/b", "c").random()
    assert make_generator(1, "ab", "c").random() != make_generator(1, "a", "bc").random()
    assert make_generator(1, "caf\u00e9").random() == make_generator(1, "cafe\u0301").random()
