"""The command `speaker-eer`."""

import argparse
from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from xval.base.errors import ResultsError, SettingsError
from xval.extras.speaker_eer import command


@pytest.fixture
def table(tmp_path):
    names = [f"{speaker}/take_{take}.wav" for speaker in "abc" for take in range(3)]
    angles = np.repeat([0.0, 2.0, 4.0], 3) + np.tile([0.0, 0.1, 0.2], 3)
    embeddings = pd.DataFrame({"path": names, "start_s": 0.0, "embedding_0": np.cos(angles), "embedding_1": np.sin(angles)})
    embeddings.to_parquet(tmp_path / "embeddings.parquet", index=False)
    return tmp_path / "embeddings.parquet"


def options(path, *arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args([str(path), *arguments])


@pytest.mark.parametrize("arguments", [(), ("--speaker-pattern", r"(\w)/")])
def test_it_prints_the_error_rate_the_trials_and_the_speakers(table, capsys, arguments):
    assert command.run(options(table, *arguments)) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith(
        "Equal error rate 0.000 [0.000, 0.708] (95 % over speakers) "
        "over 36 trials (9 with the same speaker twice) of 9 recordings of 3 speakers"
    )


def test_a_pattern_without_a_speaker_and_a_table_without_embeddings_raise_errors(table):
    for pattern in ("x(.)", "a/", "("):
        with pytest.raises(SettingsError, match="--speaker-pattern"):
            command.run(options(table, "--speaker-pattern", pattern))
    pd.DataFrame({"x": [1]}).to_parquet(table)
    with pytest.raises(ResultsError, match="embedding_0"):
        command.run(options(table))
    with pytest.raises(ResultsError, match="xval embed"):
        command.run(SimpleNamespace(embeddings=table.with_name("none.parquet"), speaker_pattern=None))


def test_columns_that_are_no_embeddings_are_not_read(table, capsys):
    beyond = pa.array([2**31 - 1] * 9, pa.date32())  # a day in the year 5,881,580
    columns = parquet.read_table(table).append_column("day", beyond)
    parquet.write_table(columns.append_column("embedding", pa.array([[date.max]] * 9)), table)

    assert command.run(options(table)) == 0
    assert "Equal error rate 0.000" in capsys.readouterr().out
