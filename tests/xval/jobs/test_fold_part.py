"""The part of a fold that an instance uses: nested shares of its training items, and what conditions leave."""

from itertools import pairwise

import pandas as pd
import pytest

from xval.base.errors import FoldsError, SettingsError
from xval.folds.plan import Fold
from xval.jobs.fold_part import choose_clips, describe_left_out, part_of_fold

ITEMS = [f"s{number:02}" for number in range(20)]
FOLD = Fold(1, tuple(ITEMS[:12]), tuple(ITEMS[12:16]), tuple(ITEMS[16:]))


@pytest.fixture(scope="module")
def clips():
    """Two clips of each of 20 items, of which every third has only English ones; one label is rare."""
    rows = [
        {
            "clip": f"{item}_{take}",
            "item": item,
            "label": "rare" if item in ("s03", "s07", "s12") else ("a", "b")[take],
            "language": "en" if number % 3 == 0 or take else "de",
            "augmented": False,
        }
        for number, item in enumerate(ITEMS)
        for take in range(2)
    ]
    return pd.DataFrame(rows)


def test_shares_are_nested_and_of_every_label_and_the_other_sides_stay(make_settings, clips) -> None:
    for seed in range(20):
        shares = [
            part_of_fold(FOLD, make_settings(train_fraction=share), clips, seed) for share in (0.17, 0.25, 0.5, 0.75, 1.0)
        ]
        assert [len(part.training) for part in shares] == [2, 3, 6, 9, 12]
        assert all(set(one.training) < set(other.training) for one, other in pairwise(shares))
        assert all(set(part.training) & {"s03", "s07"} for part in shares)
        assert {(part.validation, part.test) for part in shares} == {(FOLD.validation, FOLD.test)}
    halves = {part_of_fold(FOLD, make_settings(train_fraction=0.5), clips, seed).training for seed in range(20)}
    assert len(halves) > 10  # another seed, another choice
    assert shares[-1] == FOLD


def test_conditions_leave_out_items_without_a_clip_and_name_them(make_settings, clips) -> None:
    settings = make_settings(train_where='language == "de"', test_where='language == "en"')
    chosen = choose_clips(settings, clips)
    german = {clip for clip, language in zip(clips["clip"], clips["language"], strict=True) if language == "de"}
    assert chosen["training"] == chosen["validation"] == german
    assert chosen["test"] == set(clips["clip"]) - german
    with pytest.raises(FoldsError, match="lack the label 'b' of test items"):
        part_of_fold(FOLD, settings, clips, 1)
    settings = make_settings(train_where='language == "de"', test_where='label == "a"')
    part = part_of_fold(FOLD, settings, clips, 1)
    assert part.training == tuple(item for number, item in enumerate(FOLD.training) if number % 3)
    assert describe_left_out(FOLD, part, settings) == (
        "fold 1: no clip is left of the items training: s00, s03, s06, s09; validation: s12, s15"
    )


def test_an_enrolment_leaves_each_speaker_and_each_label_a_clip_to_test(make_settings, clips) -> None:
    def part(table, enrolment_s):
        settings = make_settings(normalization="per_item", enrolment_s=enrolment_s)
        return choose_clips(settings, table), part_of_fold(FOLD, settings, table, 1)

    timed = pd.concat([clips.assign(duration_s=1.0), clips.assign(clip=clips["clip"] + "x", duration_s=2.0)])
    timed = timed.sort_values(["item", "clip"], ignore_index=True)  # of each item a for 1 and 2 s, b for 1 and 2 s

    chosen, whole = part(timed, 0.5)
    assert whole == FOLD
    assert "training" not in chosen
    assert chosen["test"] == chosen["validation"] == set(timed["clip"]) - {f"{item}_0" for item in ITEMS}
    with pytest.raises(
        FoldsError, match=r"fold 1: enrolment_s=2 leaves no clip of a to test, because the first clips of each speaker"
    ):
        part(timed, 2)
    with pytest.raises(SettingsError, match=r"enrolment_s=5 leaves no clip for validation of s12 \(6 s in all\), s13"):
        part(timed, 5)
    with pytest.raises(SettingsError, match="the clips have no length in seconds"):
        part(timed.assign(duration_s=float("nan")), 1)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"test_where": 'language == "fr"'},
            FoldsError,
            "test_where='language == \"fr\"' excludes all clips of its 4 test items",
        ),
        ({"train_where": 'lang == "fr"'}, SettingsError, "train_where, .*no column 'lang'.*Did you mean 'language'"),
        ({"train_fraction": 0.05}, FoldsError, r"the 1 training items \(train_fraction=0.05.*lack the label"),
    ],
)
def test_what_leaves_nothing_is_refused(make_settings, clips, changes, error, message) -> None:
    with pytest.raises(error, match=message):
        part_of_fold(FOLD, make_settings(**changes), clips, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_fraction": 0}, "greater than 0"),
        ({"train_fraction": 1.5}, "less than or equal to 1"),
        ({"test_where": "x"}, "is not a comparison"),
    ],
)
def test_settings_are_checked_before_there_is_a_corpus(make_settings, changes, message) -> None:
    with pytest.raises(SettingsError, match=message):
        make_settings(**changes)


def test_only_what_changes_a_result_changes_the_hash(make_settings) -> None:
    from xval.settings.parameters import hash_parameters, to_parameters

    parameters = to_parameters(make_settings(), {})
    older = {name: value for name, value in parameters.items() if name not in ("train_fraction", "train_where", "test_where")}
    assert hash_parameters(parameters) == hash_parameters(older)
    for changes in ({"train_fraction": 0.5}, {"train_where": "age > 1"}, {"test_where": "age > 1"}):
        assert hash_parameters(to_parameters(make_settings(**changes), {})) != hash_parameters(older)
