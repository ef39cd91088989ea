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
