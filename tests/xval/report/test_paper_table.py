"""The table for a paper: figures with intervals and marks, in LaTeX that compiles and in Markdown."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from xval.answers.comparison.compare import compare
from xval.answers.comparison.competitor import Competitor
from xval.answers.nested_selection import choose_nested
from xval.answers.ranking import rank_instances
from xval.answers.read import read_instances
from xval.answers.score_text import Estimate
from xval.report.paper_table import PaperTable, make_table, to_latex, to_markdown
from xval.report.score_columns import main_columns
from xval.results.folder import ExperimentFolder

FIGURES = [[0.90, 0.92, 0.91, 0.93], [0.90, 0.91, 0.92, 0.92], [0.50, 0.53, 0.51, 0.52]]
INTERVAL = {
    "items": 0.9,
    "pooled": 0.92,
    "of": "pooled",
    "covers": "method",
    "low": 0.85,
    "high": 0.96,
    "chance": 0.5,
    "strategy": "guessing",
}
NASTY = r"50 % & 3_4 #1 $x$ {a} ~^ \end{table} <b> | naïve ±"
MAIN = ("balanced_accuracy", "accuracy")


@pytest.fixture
def table(make_instance):
    """Return a table of three instances, of which the first is the baseline."""
    instances = [
        make_instance(
            number, [{"accuracy": value, "balanced_accuracy": value} for value in values], dataset="toy", comment_1=name
        )
        for number, (name, values) in enumerate(zip(("best", "as good", NASTY), FIGURES, strict=True), start=1)
    ]
    instances[0] = replace(instances[0], over_items={"figures": {"test": {"accuracy": INTERVAL}}})
    comparison = {"score": "accuracy", "higher_is_better": True, "rope": 0.05}
    names = ("balanced_accuracy", "accuracy")
    of_names = {name: [Competitor(str(instance.number), instance, name) for instance in instances] for name in names}
    comparisons = {name: compare(others, first, metric=name, **comparison) for name, (first, *others) in of_names.items()}
    return make_table(instances, comparisons)


def test_marks_say_what_the_comparison_says(table):
    marks = [[mark for _, mark in cells] for _, cells in table.rows]

    assert marks == [["", ""], ["=", "="], ["-", "-"]]
    assert table.header == ["Balanced accuracy (UAR) ↑", "Accuracy ↑"]
    scores, accuracy, intervals, marks = table.notes
    assert scores == "Balanced accuracy (UAR): mean over folds; chance 0.500."
    assert accuracy == "Accuracy: mean over folds or pooled over all test examples; chance 0.500."
    assert intervals == "In brackets: 95 % interval over items and seeds."
    assert marks == (
        "Compared with best: + better, - worse, = practically equal, no mark: undecided or not testable. "
        "Paired t tests over items at the level 0.05 (Holm, 2 comparisons per column); equality by two one-sided tests. "
        "The marks are about these models."
    )


def test_the_caption_claims_no_test_where_one_fold_allows_none(make_instance):
    scores = {1: 0.6, 2: 0.7}
    instances = [
        make_instance(number, [{"accuracy": value, "balanced_accuracy": value}], dataset="toy")
        for number, value in scores.items()
    ]
    of_fold = [Competitor(str(instance.number), instance, "accuracy") for instance in instances]
    comparison = compare(of_fold[1:], of_fold[0], metric="accuracy", score="accuracy", higher_is_better=True)

    assert not any("Holm" in note for note in make_table(instances, {"accuracy": comparison}).notes)


def test_where_instances_compete_the_nested_value_is_first_and_the_selected_one_second_with_its_bias(finished):
    folder = ExperimentFolder(finished.results)
    instances = read_instances(folder, folder.instances())
    nested = choose_nested(instances, rank_instances(instances))

    table = make_table(instances, {}, nested)

    first, second, *others = table.rows
    score = nested.item_score("test", "balanced_accuracy")
    assert first[0] == "chosen among 3, nested"
    assert first[1][0][0].value == score[score["of"]]
    bias = second[1][0][0].value - first[1][0][0].value
    assert second[0].endswith(f", selected (bias {bias:+.3f})")
    assert len(others) == len(instances) - 1
    assert "(bias) is estimated as " in table.notes[-1]
    assert f"{bias:+.3f}" in table.notes[-1]
    unselected = [instance for instance in instances if instance.number != nested.number]
    assert not any("nested" in name for name, _ in make_table(unselected, {}, nested).rows)


def test_markdown_has_a_row_per_instance_and_no_broken_cells(table):
    lines = to_markdown(table).splitlines()

    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in lines[:5])
    assert lines[2] == "| best | 0.915 | 0.920 [0.850, 0.960] |"
    assert lines[4].endswith(" - |")


def test_latex_compiles_whatever_the_comments_hold(table, tmp_path):
    latex = to_latex(table, label="tab:toy")
    assert r"\begin{tabular}{lll}" in latex
    assert latex.count(r"\end{table}") == 1
    if shutil.which("pdflatex") is None:
        pytest.skip("no LaTeX on this machine")
    document = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\n{latex}\n\\end{{document}}\n"
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]

    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert ended.returncode == 0, ended.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 0


def test_names_from_anywhere_are_text_in_both_forms():
    name = "1 <img src=x> [a](javascript:b) \u202e\u200b 中"
    table = PaperTable(["f*1*"], [(name, [(Estimate(0.2, None, None, "x", None, ()), "")])], "a_b_c", ("d_e",))

    assert r"| 1 &lt;img src=x&gt; \[a\](javascript:b) \\u202e\\u200b 中 | 0.200 |" in to_markdown(table)
    assert r"| model | f\*1\* |" in to_markdown(table)
    latex = to_latex(table, label="tab:a}%b")
    assert r"\label{tab:a--b}" in latex
    assert "% pdflatex lacks 中: compile with lualatex or xelatex" in latex
    assert not {"\u202e", "\u200b"} & set(latex)


def test_scores_without_interval_or_value():
    cells = [
        (Estimate(None, None, None, "mean over folds", None, ()), ""),
        (Estimate(-0.2, -0.5, 0.1, "mean over items", 0.0, ()), "+"),
    ]
    table = PaperTable(["a", "b"], [("1 x", cells)], "note")

    assert "| 1 x | – | -0.200 [-0.500, 0.100] + |" in to_markdown(table)
    assert r"1 x & -- & $-$0.200 [$-$0.500, 0.100]$^{+}$ \\" in to_latex(table, label="x")


def test_main_metrics_with_the_same_figures_share_a_column(make_instance):
    even = [make_instance(1, [{"accuracy": value, "balanced_accuracy": value} for value in (0.5, 0.7)])]
    odd = [*even, make_instance(2, [{"accuracy": value, "balanced_accuracy": value - 0.1} for value in (0.5, 0.7)])]

    assert [column.title for column in main_columns(even, MAIN)] == ["test balanced accuracy (UAR)"]
    assert [column.title for column in main_columns(odd, MAIN)] == ["test balanced accuracy (UAR)", "test accuracy"]


def test_pooled_figures_and_means_over_items_share_a_column_where_it_does_not_matter(make_instance):
    shared = {
        "items": 0.6,
        "pooled": 0.6,
        "low": 0.5,
        "high": 0.7,
        "method": "t",
        "covers": "models",
        "chance": 0.5,
        "strategy": "x",
    }
    scores = {"balanced_accuracy": shared | {"of": "pooled"}, "accuracy": shared | {"of": "items"}}
    over_items = {"version": 1, "n_items": 6, "folds_lacking_classes": [], "missing": "", "figures": {"test": scores}}
    found = [replace(make_instance(1, [{"accuracy": 0.6, "balanced_accuracy": 0.6}] * 2, dataset="toy"), over_items=over_items)]

    table = make_table(found, {})
    assert table.header == ["Balanced accuracy (UAR) ↑"]
    assert table.notes == (
        "Balanced accuracy (UAR): pooled over all test examples; chance 0.500. Accuracy: the same values.",
        "In brackets: 95 % interval over items, for these trained models; training again would widen it.",
    )
