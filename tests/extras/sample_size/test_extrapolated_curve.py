"""The learning curve of a pilot: the instances that it is computed from, and its sentences in the plan."""

import pytest

from xval.__main__ import main
from xval.answers.read import read_finished
from xval.extras.sample_size.extrapolated_curve import find_curve

N_ITEMS = 5
SHARES = {1: 1.0, 2: 0.5, 3: 0.3, 4: 0.2, 5: 0.1}


@pytest.fixture
def pilot(make_results, tmp_path):
    """Return a function that makes instances trained on shares of 20 items; scores are 0.9 - 0.9 n ** -0.5 for n items."""
    made = make_results(tmp_path, n_folds=N_ITEMS)

    def make(*numbers):
        for number in numbers:
            made.add_instance(number, train_fraction=SHARES[number], architecture="svm")
            n_training = round(20 * SHARES[number])
            items = {"training": [f"s{item}" for item in range(n_training)], "validation": ["v"]}
            for fold in range(1, N_ITEMS + 1):
                value = 0.9 - 0.9 * n_training**-0.5 + 0.02 * (fold - 3)
                made.add_fold(number, fold, {"accuracy": value}, items={**items, "test": [f"speaker {fold}"]})
        return made.folder

    return make


def test_shares_of_the_items_make_a_curve_that_is_extrapolated(pilot):
    curve = find_curve(read_finished(pilot(*SHARES)), "accuracy", 1)

    assert (curve.instances, curve.sizes) == ((5, 4, 3, 2, 1), (2, 4, 6, 10, 20))
    assert curve.share == 20 / N_ITEMS
    assert curve.n_smaller == 4
    assert curve.at([80]).values == pytest.approx([0.9 - 0.9 * 80**-0.5], abs=5e-3)


@pytest.mark.parametrize("numbers", [(1,), (1, 2)])
def test_fewer_than_three_shares_make_none(pilot, numbers):
    assert find_curve(read_finished(pilot(*numbers)), "accuracy", 1) is None


def test_the_plan_has_expected_scores_and_the_error_of_the_smaller_half(pilot, capsys, tmp_path):
    folder = pilot(*SHARES).path
    arguments = ["--metric", "accuracy", "--speakers", "20,40", "--output", str(tmp_path / "plan.png")]

    assert main(["sample-size", "--from", str(folder), *arguments]) == 0

    printed = capsys.readouterr().out
    (row,) = [line.split() for line in printed.splitlines() if line.startswith("20 ")]
    assert float(row[2]) == pytest.approx(0.9 - 0.9 * 80**-0.5, abs=5e-3)
    assert "The pilot has one instance, so differences are not known." in printed
    assert "Expected: a power law through 5 numbers of training items, 2 to 20;" in printed
    assert "Check: the 4 numbers up to 10 alone give 0.69" in printed
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_with_too_few_shares_the_plan_says_what_to_run(pilot, capsys):
    assert main(["sample-size", "--from", str(pilot(1, 2).path), "--metric", "accuracy"]) == 0

    printed = capsys.readouterr().out
    assert "The effect of more training items is unknown. Run" in printed
    assert "train_fraction=[0.25, 0.5, 0.75, 1]" in printed
    assert "expected" not in printed
