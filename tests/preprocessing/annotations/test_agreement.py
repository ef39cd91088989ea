"""The report of disagreement: the known case of the bats, and recordings that one annotator did not see."""

import numpy as np
import pandas as pd
import pytest

from preprocessing.annotations.agreement import disagreement_table, write_disagreement

RATE_HZ = 250_000


def annotations(*rows):
    return pd.DataFrame(rows, columns=["start_s", "end_s", "label", "annotator"])


def test_the_seconds_of_the_known_case(tmp_path):
    bats = annotations(
        (47553 / RATE_HZ, 95094 / RATE_HZ, "call", "fileinfo"),
        (298537 / RATE_HZ, 349426 / RATE_HZ, "call", "fileinfo"),
        (298537 / RATE_HZ, 607056 / RATE_HZ, "call", "annotation"),
    )
    table = disagreement_table({"b.wav": bats})
    assert list(table.columns) == [
        "path", "label", "n_annotators", "annotation_s", "fileinfo_s", "agreed_s", "disputed_s", "agreement",
    ]  # fmt: skip
    (row,) = table.to_dict("records")
    assert (row["path"], row["label"], row["n_annotators"]) == ("b.wav", "call", 2)
    assert row["fileinfo_s"] == pytest.approx((95094 - 47553 + 349426 - 298537) / RATE_HZ, abs=1e-12)
    assert row["annotation_s"] == pytest.approx((607056 - 298537) / RATE_HZ, abs=1e-12)
    assert row["agreed_s"] == pytest.approx(0.203556, abs=1e-12)
    assert row["disputed_s"] == pytest.approx(1.220684, abs=1e-12)
    assert row["agreement"] == pytest.approx(0.203556 / (0.203556 + 1.220684))
    write_disagreement(tmp_path / "out" / "disagreement.csv", table)
    assert (tmp_path / "out" / "disagreement.csv").read_text() == (
        "path,label,n_annotators,annotation_s,fileinfo_s,agreed_s,disputed_s,agreement\n"
        "b.wav,call,2,1.234076,0.39372,0.203556,1.220684,0.142923\n"
    )


def test_one_annotator_alone_neither_agrees_nor_disagrees():
    table = disagreement_table(
        {
            "alone.wav": annotations((0, 2, "a", "x")),
            "both.wav": annotations((0, 2, "a", "x"), (0, 1, "b", "y")),
            "heard_nothing.wav": annotations((0, 2, "a", "x"), (np.nan, np.nan, "", "y")),
            "silent.wav": annotations((np.nan, np.nan, "", "y")),
        }
    )
    scores = table.drop(columns=["path", "label"]).to_numpy(dtype=float)
    nan = np.nan
    assert table[["path", "label"]].to_numpy().tolist() == [
        ["alone.wav", "a"], ["both.wav", "a"], ["both.wav", "b"], ["heard_nothing.wav", "a"],
    ]  # fmt: skip
    assert np.array_equal(
        scores,
        [[1, 2, nan, nan, nan, nan], [2, 2, 0, 0, 2, 0], [2, 0, 1, 0, 1, 0], [2, 2, 0, 0, 2, 0]],
        equal_nan=True,
    )
    assert list(disagreement_table({"a.wav": annotations((0, 1, "a", ""))}).columns)[3] == "annotated_s"
