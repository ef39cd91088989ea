import re
import shutil
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from xval.answers.findings import find_findings
from xval.answers.headline import find_headline
from xval.folds.plan import Fold
from xval.report import terminal as tables
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey


def written(*shown, width=100):
    stream = StringIO()
    Console(file=stream, width=width).print(*shown)
    return stream.getvalue()


@pytest.fixture
def planned(make_settings):
    """A plan of two instances on three folds, each of which tests 240 files."""
    folds = [
        Fold(number, ("a", "b"), ("validating",), tuple(f"{number}/{file}.wav" for file in range(240))) for number in (1, 2, 3)
    ]
    instances = [
        SimpleNamespace(number=number, settings=settings, parameters=settings.model_dump(), sources={})
        for number in (1, 2)
        for settings in [make_settings(comment_1=f"number {number}", regularization_lambda=0.1 * number)]
    ]
    done = [JobKey(1, 1, 1), JobKey(1, 2, 1)]
    to_do = [JobKey(1, 3, 1), *(JobKey(2, fold, 1) for fold in (1, 2, 3))]
    plan = SimpleNamespace(folds=folds, n_fold_repeats=1, fold_repeat_of=lambda _: 1)
    return SimpleNamespace(folds=plan, instances=instances, chosen_folds=(1, 2, 3), done=done, to_do=to_do)


def test_a_dry_run_names_few_of_many_test_items_and_each_fold_once(planned):
    lines = written(tables.fold_table(planned, {}), tables.job_table(planned)).splitlines()

    assert sum(line.split()[:3] == [fold, "2", "validating"] for line in lines for fold in "123") == 3
    assert sum("3/0.wav, 3/1.wav, 3/2.wav, 3/3.wav, 3/4.wav, and 235 more" in line for line in lines) == 1
    assert [line.split() for line in lines if "number" in line] == [
        ["1", "number", "1", "1", "1-2", "3"],
        ["2", "number", "2", "1", "none", "1-3"],
    ]
    assert not any("5.wav" in line for line in lines)


def test_a_dry_run_names_the_test_items_that_conditions_leave(planned):
    parts = {JobKey(2, fold, 1): Fold(fold, (), (), (f"only {fold}",)) for fold in (1, 2, 3)}
    lines = written(tables.fold_table(planned, parts), width=140).splitlines()

    assert [line.split("(")[1].strip() for line in lines if "only 3" in line] == ["instances 2)"]
    assert sum("and 235 more (instances 1)" in line for line in lines) == 3


def test_the_list_of_instances_cuts_nothing_where_the_terminal_is_narrow(planned):
    shown = written(tables.instance_table(planned.instances), width=30)

    assert "…" not in shown
    assert "comment_2" not in shown, "no instance has one"
    assert "0.2" in shown


HEADER = ("instance", "comment_1", "architecture", "validation macro_f1", "test balanced_accuracy", "folds")
ROWS = [
    ("1 *", "hand-crafted, SVM", name, "0.718 ± 0.188", "0.623 ± 0.147 [0.491, 0.739]", "4/4")
    for name in ("daf_cnn", "feature_combination")
]


@pytest.mark.parametrize(("width", "is_one_line"), [(120, True), (100, False), (80, False)])
def test_lines_are_broken_at_underscores_and_spaces_alone_and_never_within_an_interval(width, is_one_line):
    lines = written(tables.make_table(HEADER, ROWS), width=width).splitlines()
    shown = " ".join(lines).split()
    whole = {part for text in (*HEADER, *(cell for row in ROWS for cell in row)) for part in re.split(r"(?<=_)|\s+", text)}

    assert max(map(len, lines)) <= width
    for text in ("0.623 ± 0.147", "[0.491, 0.739]"):
        assert sum(line.count(text) for line in lines) == 2
    assert {part for word in shown for part in re.split(r"(?<=_)", word)} - whole <= {"=", "", *(w for w in shown if "─" in w)}
    assert any("0.623 ± 0.147 [0.491, 0.739]" in line for line in lines) == is_one_line


def test_where_nothing_else_helps_words_go_on_below_and_nothing_is_cut():
    shown = written(tables.make_table(HEADER, ROWS), width=40)

    assert max(map(len, shown.splitlines())) <= 40
    assert "…" not in shown
    kept = sorted(letter for letter in shown if not letter.isspace() and letter != "─")
    assert kept == sorted(
        letter for text in (*HEADER, *(cell for row in ROWS for cell in row)) for letter in text if letter != " "
    )


def test_instances_that_were_refused_before_their_first_job_are_not_counted(finished, tmp_path):
    results = shutil.copytree(finished.results, tmp_path / "results")
    shutil.copytree(results / "instance_1", results / "instance_9", ignore=shutil.ignore_patterns("fold_*"))
    stream = StringIO()
    tables.print_scores(ExperimentFolder(results), [1], Console(file=stream, width=150))
    assert "The table has the chosen instances; the lines below are about all 3." in stream.getvalue()


def test_the_table_is_followed_by_three_lines_and_details_explain_the_rest(finished):
    folder = ExperimentFolder(finished.results)
    shown = {}
    for details in (False, True):
        stream = StringIO()
        instances = tables.print_scores(folder, [1, 2, 3], Console(file=stream, width=150), details=details)
        shown[details] = stream.getvalue()
    findings = find_findings(instances)
    for text in shown.values():
        assert text.index("[ ]: 95 %") < text.index("Result:") < text.index("Evidence:") < text.index("Next:")
        assert all(line in text for line in find_headline(instances))
    assert f"{len(findings)} findings (--details adds advice):" in shown[False]
    assert all(f"- {finding.short_line}" in shown[False] for finding in findings)
    assert not any(f"- {finding.line}" in shown[False] for finding in findings)
    assert "is selected: best mean" not in shown[False]
    assert all(f"- {finding.line}" in shown[True] for finding in findings)
    assert "is selected: best mean" in shown[True]
    assert "--details adds" not in shown[True]
