import json

import pandas as pd
import pytest

from xval.base.errors import SettingsError
from xval.experiment.refit_plan import all_items, choose_epochs, choose_learning_rates, expected_figures
from xval.folds.plan import Fold, FoldPlan
from xval.jobs.job import Job, Refit


@pytest.mark.parametrize(
    ("best_epochs", "chosen"),
    [((4, 6, 5), 5), ((1, 1, 30), 1), ((4, 5), 5), ((3, 4, 6, 7), 5), ((1, 2), 2), ((2,), 2)],
)
def test_the_epochs_are_the_median_and_a_half_goes_up(best_epochs, chosen):
    assert choose_epochs(best_epochs) == chosen


def test_every_item_of_any_fold_trains_and_none_is_left(make_settings):
    folds = FoldPlan((Fold(1, ("d", "b"), ("a",), ("c",)), Fold(2, ("c",), ("b",), ("e",))), {}, "index")

    clips = pd.DataFrame({"clip": list("abcde"), "item": list("abcde"), "label": "x", "augmented": False})

    assert all_items(folds, make_settings(), clips) == Fold(0, ("a", "b", "c", "d", "e"), (), ())
    assert all_items(folds, make_settings(train_where="item != 'c'"), clips).training == ("a", "b", "d", "e")
    with pytest.raises(SettingsError, match="the final model is trained on all"):
        all_items(folds, make_settings(train_fraction=0.5), clips)


def test_plateau_has_the_median_rate_of_the_folds_and_never_rises_when_one_has_stopped(make_settings):
    settings = make_settings(schedule="plateau", num_epochs=5)
    rates = [[0.4, 0.4, 0.2], [0.4, 0.2, 0.1, 0.1], [0.4, 0.4, 0.4, 0.4, 0.4]]

    assert choose_learning_rates(settings, 6, rates) == (0.4, 0.4, 0.2, 0.2, 0.2, 0.2)
    assert choose_learning_rates(settings, 3, rates[1:]) == (0.4, 0.2, 0.1)  # one that a fold had, not between two


@pytest.mark.parametrize("schedule", ["constant", "cosine", "exponential", "ReduceLROnPlateau"])
def test_other_schedules_say_their_rates_themselves(schedule, make_settings):
    found = choose_learning_rates(make_settings(schedule=schedule, num_epochs=5), 5, [[0.1, 0.1]])

    assert (found is None) == (schedule != "ReduceLROnPlateau")


@pytest.mark.parametrize("schedule", ["cosine", "linear", "logarithmic", "CosineDecay"])
def test_schedules_that_end_with_num_epochs_have_no_rate_behind_it(schedule, make_settings):
    to_final = {"final_learning_rate": 1e-5} if schedule in ("linear", "logarithmic") else {}
    settings = make_settings(schedule=schedule, num_epochs=5, **to_final)

    with pytest.raises(SettingsError, match=r"--epochs 6: schedule='.*' is defined only for num_epochs=5; expected 1 to 5"):
        choose_learning_rates(settings, 6, [])
    assert choose_learning_rates(make_settings(schedule="constant", num_epochs=5), 6, []) is None


def test_what_is_expected_are_the_test_figures_of_the_folds(make_instance):
    instance = make_instance(1, [0.5, 0.7, None], folds_total=3)

    found = expected_figures(instance, "test")["accuracy"]

    assert found == {"mean": pytest.approx(0.6), "std": pytest.approx(0.1414, abs=1e-4), "n": 2}


def test_a_job_keeps_its_refit_through_json(make_settings, make_options):
    refit = Refit(3, (0.1, 0.05, 0.05), {"expected": {}})
    job = Job(
        "results", "code/abc", "store", 1, Fold(0, ("a",), (), ()), make_settings(), make_options(), "hash", "folds", 7, refit
    )

    assert Job.from_dict(json.loads(json.dumps(job.to_dict()))) == job
