"""A run of some instances: its table has these, but what validation selects is a matter of all, as on the page."""

import html
import json
import re

KNN = {"architecture": "knn", "n_neighbors": (1,)}
CONSTANT = {"architecture": "constant"}
TIMES = {"architecture": "constant", "time_parts": 2}


def starred(table):
    """Return the numbers of the instances that have a star in a printed table."""
    return re.findall(r"^ +(\d+) \*", table, re.MULTILINE)


def test_a_part_of_a_run_marks_what_all_instances_select(study):
    whole = study.train(KNN, CONSTANT, TIMES, page="complete").stdout
    assert starred(whole) == ["1"]
    part = study.run("2-3").stdout
    assert starred(part) == []
    assert re.findall(r"^ +(\d+) +constant", part, re.MULTILINE) == ["2", "3"]
    assert "The table has the chosen instances; the lines below are about all 3. Validation selects knn (1)." in part
    assert starred(study.run("1,3").stdout) == ["1"]
    lines = list(json.loads((study.results / "summary.json").read_text())["lines"].values())
    for line in lines[:2]:
        assert line in part
        assert line in whole
        assert line in html.unescape((study.results / "report.html").read_text())
    assert "The table has" not in whole


def test_instances_that_are_not_finished_are_named_by_a_run_of_others(study):
    study.script(KNN, CONSTANT)
    study.run("2", "--folds", "1")
    printed = study.run("1").stdout
    assert "Next:     Run the experiment again to finish constant (2)." in printed
    assert starred(printed) == ["1"]


def test_the_page_of_all_experiments_does_not_call_a_run_at_work_that_wrote_it_at_its_end(study):
    study.script(CONSTANT, page="complete")
    study.run("--folds", "1")

    index = (study.folder / "results" / "index.html").read_text()

    assert "to do (1 of 2 jobs done)" in index
    assert "running" not in re.sub(r"<script.*?</script>", "", index, flags=re.DOTALL)
