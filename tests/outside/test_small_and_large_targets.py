"""Regression of targets that three decimals cannot show, such as 1e-9 (seconds, molar amounts) and 1e30."""

import re

import openpyxl
import pytest

from preprocessing.store import write

ROW_OF_DIGITS = re.compile(r"\d{9}")


@pytest.fixture(params=[1e-9, 1e30])
def scaled(request, study):
    """Return a study of such targets, its scale, and what its run has printed."""
    from tests.outside.conftest import arrays

    predictors, targets = arrays("regression")
    scaled_targets = {item: (values + 1) * request.param for item, values in targets.items()}
    write("small", predictors, scaled_targets, data_folder=study.folder / "data", task_type="regression")
    study.script(
        {"architecture": "ridge"}, {"architecture": "ridge", "pca_components": 2}, task_type="regression", page="complete"
    )
    ended = study.run("--details")
    assert ended.returncode == 0, ended.stderr
    return study, request.param, ended.stdout


def test_their_errors_are_readable_everywhere(scaled):
    study, scale, printed = scaled
    exponent = f"e[{'-' if scale < 1 else '+'}]"

    assert not ROW_OF_DIGITS.search(printed)
    assert "rmse 0.000" not in printed.lower()
    assert "[0.00, 0.00]" not in printed
    assert re.search(rf"fold 1: test rmse \d\.\d\d{exponent}\d\d ", printed)
    assert re.search(rf"\d\.\d\d{exponent}\d\d ± \d\.\d\d{exponent}\d\d", printed)
    page = re.sub(r"<(script|style).*?</\1>", "", (study.results / "report.html").read_text(), flags=re.DOTALL)
    assert not [text for text in re.findall(r">([^<]+)<", page) if ROW_OF_DIGITS.search(text) and "rmse" in text.lower()]
    assert re.search(rf">\d\.\d\d{exponent}\d\d ± ", page)
    book = openpyxl.load_workbook(study.results / "results.xlsx")
    for sheet in book:
        for cell in (cell for row in sheet.iter_rows() for cell in row):
            if isinstance(cell.value, str):
                assert "rmse 0.000" not in cell.value.lower()
                assert not re.search(r"\d{9}\.", cell.value), (sheet.title, cell.coordinate)
            elif isinstance(cell.value, float) and abs(cell.value) >= 1e6:
                assert "E+" in cell.number_format, (sheet.title, cell.coordinate)
    compared = study.xval("compare", "results/small/experiment_1", "--rope", str(scale / 100))

    assert compared.returncode == 0, compared.stderr
    assert not ROW_OF_DIGITS.search(compared.stdout)
    assert re.search(rf"^Test RMSE of clips .*\d\.\d\d{exponent}\d\d \(pooled", compared.stdout)
