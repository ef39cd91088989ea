"""``xval groups`` on a finished experiment whose dataset got columns afterwards."""

import pandas as pd
import pytest

from preprocessing.clips.columns import COLUMNS_NAME, write_columns
from preprocessing.corpus import open_corpus


@pytest.fixture
def with_recorder(data):
    index = open_corpus("tones", data).index
    recorders = [("near", "far")[number % 2] for number in range(len(index))]
    write_columns(data / "tones", index, pd.DataFrame({"clip": index["clip"], "recorder": recorders}))
    return dict(zip(index["clip"], recorders, strict=True))


def test_the_groups_of_a_finished_instance(results, command, data, with_recorder, tmp_path) -> None:
    ended = command("groups", f"{results}:2", "--metric", "accuracy", "--output", tmp_path / "g.csv", "--data-folder", data)
    assert ended.code == 0, ended.err
    assert "Instance 2, test accuracy (mean over items) by recorder" in ended.out
    assert "Gap in accuracy by recorder: " in ended.out
    table = pd.read_csv(tmp_path / "g.csv").set_index("group")
    predictions = [pd.read_parquet(path) for path in results.glob("instance_2/fold_*/predictions.parquet")]
    tested = pd.concat(each[each["side"] == "test"] for each in predictions)
    names = [name for name in tested if name.startswith("probability_")]
    tested["right"] = tested[names].idxmax(axis=1).str.removeprefix("probability_") == tested["target"]
    tested["recorder"] = tested["clip"].map(with_recorder)
    expected = tested.groupby(["recorder", "item"])["right"].mean().groupby("recorder").mean()
    assert table.loc[expected.index, "value"].to_dict() == pytest.approx(expected.to_dict())
    assert table.loc[expected.index, "clips"].to_dict() == tested["recorder"].value_counts().to_dict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--by", "recoder"), "no such column.*Did you mean 'recorder'"),
        (("--metric", "accurcy"), "--metric accurcy: unknown.*Did you mean 'accuracy'"),
        ((":9",), "no instance 9 with a finished fold. Available: 1, 2, 3"),
    ],
)
def test_what_is_not_there_is_named(arguments_on, command, data, with_recorder, arguments, message) -> None:
    ended = command("groups", *arguments_on(arguments), "--data-folder", data)
    assert ended.code == 2
    assert pd.Series(" ".join(ended.err.split())).str.contains(message).all(), ended.err


def test_a_corpus_without_columns_says_how_to_get_them(results, command, data) -> None:
    (data / "tones" / COLUMNS_NAME).unlink()
    ended = command("groups", results, "--data-folder", data)
    assert ended.code == 2
    assert "no extra column divides its clips into 2 to 20 groups" in " ".join(ended.err.split())
