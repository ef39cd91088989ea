from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from xval.experiment import tables
from xval.folds.split import Fold
from xval.results.job_key import JobKey


def written(*shown, width=100):
    stream = StringIO()
    Console(file=stream, width=width).print(*shown)
    return stream.getvalue()


@pytest.fixture
def planned(make_settings):
    """A plan of two instances on three folds, each of which tests 240 files."""
    folds = [Fold(number, (), (), tuple(f"{number}/{file}.wav" for file in range(240))) for number in (1, 2, 3)]
    instances = [
        SimpleNamespace(number=number, settings=settings, parameters=settings.model_dump(), sources={})
        for number in (1, 2)
        for settings in [make_settings(comment_1=f"number {number}", regularization_lambda=0.1 * number)]
    ]
    done = [JobKey(1, 1, 1), JobKey(1, 2, 1)]
    to_do = [JobKey(1, 3, 1), *(JobKey(2, fold, 1) for fold in (1, 2, 3))]
    plan = SimpleNamespace(folds=folds, n_deals=1, deal_of=lambda _: 1)
    return SimpleNamespace(folds=plan, instances=instances, chosen_folds=(1, 2, 3), done=done, to_do=to_do)


def test_a_dry_run_names_few_of_many_test_items_and_each_fold_once(planned):
    lines = written(tables.fold_table(planned, {}), tables.job_table(planned)).splitlines()

    assert sum("3/0.wav, 3/1.wav, 3/2.wav, 3/3.wav, 3/4.wav, and 235 more" in line for line in lines) == 1
    assert [line.split() for line in lines if "number" in line] == [
        ["1", "number", "1", "1", "1-2", "3"],
        ["2", "number", "2", "1", "none", "1-3"],
    ]
    assert not any("5.wav" in line for line in lines)


def test_a_dry_run_names_the_test_items_that_conditions_leave(planned):
    parts = {JobKey(2, fold, 1): Fold(fold, (), (), (f"only {fold}",)) for fold in (1, 2, 3)}
    lines = written(tables.fold_table(planned, parts)).splitlines()

    assert [line.split("(")[1].strip() for line in lines if "only 3" in line] == ["instances 2)"]
    assert sum("and 235 more (instances 1)" in line for line in lines) == 3


def test_the_list_of_instances_cuts_nothing_where_the_terminal_is_narrow(planned):
    shown = written(tables.instance_table(planned.instances), width=30)

    assert "…" not in shown
    assert "comment_2" not in shown, "no instance has one"
    assert "0.2" in shown
