"""benchmarks/statistics_simulation.py in a small size: what xval.measures.statistics promises of tests and intervals."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
N_REPETITIONS = 200


@pytest.mark.slow
def test_equal_algorithms_are_told_apart_in_5_percent_at_most_and_intervals_cover_95(tmp_path):
    files = {option: tmp_path / f"found.{option}" for option in ("csv", "png")}
    command = [sys.executable, str(ROOT / "benchmarks" / "statistics_simulation.py"), "--repetitions", str(N_REPETITIONS)]

    command += ["--csv", files["csv"], "--picture", files["png"]]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert re.search(r"ratio.* \d", printed.splitlines()[-1])
    found = pd.read_csv(files["csv"], index_col="study")
    assert found["limit"].iloc[0] == pytest.approx(0.05 + 2 * (0.05 * 0.95 / N_REPETITIONS) ** 0.5)
    assert sum("deals" in study for study in found.index) == 3
    for test in ("corrected t", "Holm, 3 tests"):
        assert (found[test] <= found["limit"]).all(), found[test]
    assert found["corrected t"].mean() < found["plain t"].mean() / 2  # which shows that the simulation needs the correction
    # 93 to 97 % wanted; 200 corpora tell the share with a standard error of 1.5 %.
    found = found[found["accuracy, models"].notna()]  # without the studies of several deals, which have no figures
    for score in ("accuracy", "macro F1"):
        assert found[f"{score}, models"].between(0.93 - 0.04, 0.97 + 0.03).all(), found[f"{score}, models"]
        assert found[f"{score}, models"].mean() == pytest.approx(0.95, abs=0.02)
    assert files["png"].stat().st_size > 10_000


@pytest.mark.slow
def test_the_coverage_of_intervals_has_a_share_and_its_error_for_each_study(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "statistics_simulation.py"), "--quick", "--intervals"]

    subprocess.run([*command, "--csv", str(tmp_path / "shares.csv")], cwd=ROOT, capture_output=True, check=True)

    found = pd.read_csv(tmp_path / "shares.csv", index_col=["title", "study"])
    shares = found[["accuracy", "macro F1", "selected", "nested"]]
    assert found.groupby("title").size().tolist() == [16, 40, 2]
    assert shares.stack().dropna().between(0.5, 1).all()
    covered = found["accuracy"].dropna()
    assert found.loc[covered.index, "accuracy, error"].to_numpy() == pytest.approx((covered * (1 - covered) / 6) ** 0.5)


@pytest.mark.slow
def test_the_coverage_of_unlike_speakers_has_each_kind_of_interval(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "statistics_simulation.py"), "--repetitions", "40", "--coverage"]

    subprocess.run([*command, "--csv", str(tmp_path / "shares.csv")], cwd=ROOT, capture_output=True, check=True)

    found = pd.read_csv(tmp_path / "shares.csv", index_col=["case", "speakers"])
    covered = found["interval"].dropna()
    hard = covered.index.get_level_values("case").str.contains("bimodal|near 1")
    assert (covered[~hard] >= 0.95 - 4 * (0.05 * 0.95 / 40) ** 0.5).all(), covered
    assert covered.mean() > found["percentile bootstrap"].mean() + 0.03
    errors = found["error"].dropna()
    assert len(errors) == 3 * 4
    assert (errors <= 0.05 + 4 * (0.05 * 0.95 / 160) ** 0.5).all()


@pytest.mark.slow
@pytest.mark.parametrize(("option", "columns"), [("--seeds", "compare, these folds"), ("--chance", "permuted labels")])
def test_errors_where_nothing_is_to_be_found_have_a_table(option, columns):
    command = [sys.executable, str(ROOT / "benchmarks" / "statistics_simulation.py"), "--quick", option]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)

    assert columns in ended.stdout
    assert "Monte Carlo error" in " ".join(ended.stdout.split())
