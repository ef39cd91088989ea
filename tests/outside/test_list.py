"""`xval list` shows all experiments, also where one of them is odd."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def odd(study):
    """Return a study with an experiment that is sound, one whose summary has NaN, and one in a folder that is no UTF-8."""
    study.train({"architecture": "mlp"}, num_epochs=1)
    shutil.copytree(study.results, study.results.with_name("experiment_2"), copy_function=shutil.copy2)
    summary = study.results.with_name("experiment_2") / "summary.json"
    for line in summary.read_text().splitlines():
        if '"value": ' in line:
            summary.write_text(summary.read_text().replace(line, '  "value": NaN,'))
    assert "NaN" in summary.read_text()
    other = os.fsencode(study.folder / "results") + b"/caf\xe9"
    shutil.copytree(os.fsencode(study.results.parent), other)
    (Path(os.fsdecode(other)) / "experiment_1" / "report.html").touch()
    return study


@pytest.mark.long
def test_a_list_for_scripts_has_all_experiments(odd):
    printed, table, shown = odd.xval("list", "--format", "json"), odd.xval("list", "--output", "list.csv"), odd.xval("list")

    assert printed.returncode == 0, printed.stderr
    rows = {row["experiment"]: row for row in json.loads(printed.stdout)}
    assert len(rows) == 4
    assert rows["small/experiment_1"]["value"] > 0
    assert rows["small/experiment_2"]["value"] is None
    assert sum("caf" in name for name in rows) == 2
    assert table.returncode == 0, table.stderr
    with (odd.folder / "list.csv").open(encoding="utf-8") as file:
        assert {row["experiment"] for row in csv.DictReader(file)} == {*rows}
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("experiment_") >= 4
    assert "(UAR)" in shown.stdout  # as in all tables


@pytest.mark.long
def test_the_index_of_a_results_folder_has_all_experiments(odd):
    rebuilt = odd.xval("rebuild", odd.results)

    assert (rebuilt.returncode, "Traceback" in rebuilt.stderr) == (0, False), rebuilt.stderr
    index = (odd.folder / "results" / "index.html").read_text(encoding="utf-8")
    assert 'href="caf%E9/experiment_1/report.html"' in index
