"""The workbook as a whole."""

import zipfile

import pytest

from xval.report.workbook import write_workbook
from xval.results.job_key import JobKey


def history(n_epochs=2):
    epochs = list(range(1, n_epochs + 1))
    return {"epoch": epochs, "loss": [1.0] * n_epochs, "val_loss": [1.2] * n_epochs, "accuracy": [0.5] * n_epochs}


def test_it_has_all_sheets_ready_to_print_as_wide_as_a_page(workbook_of, make_instance):
    workbook = workbook_of([make_instance(1, [0.5, 0.6])], {(1, 1): history()})
    assert workbook.sheetnames == [
        "summary",
        "findings",
        "ranking",
        "intervals",
        "metrics",
        "folds",
        "items",
        "confusion",
        "curves",
        "settings",
    ]
    for sheet in workbook:
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        height = None if sheet.title == "summary" else 0  # None: one page; 0: as many as are needed
        assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (None, height)


@pytest.mark.parametrize("name", ["summary", "findings", "intervals", "metrics", "folds", "items", "settings"])
def test_tables_have_a_frozen_header_a_filter_and_repeat_the_header_in_print(workbook_of, make_instance, name):
    sheet = workbook_of([make_instance(1, [0.5, 0.6]), make_instance(2, [0.5, 0.6])])[name]
    assert sheet.freeze_panes is not None
    assert sheet.auto_filter.ref.startswith("A")
    assert sheet.print_title_rows.startswith("$1:")
    assert all(sheet.column_dimensions[letter].width >= 8 for letter in "ABC")


def test_the_same_figures_give_the_same_content_in_any_order(tmp_path, make_instance):
    instances = [make_instance(number, [0.5, 0.6]) for number in (1, 2, 3)]
    histories = {JobKey(number, fold): history() for number in (1, 2, 3) for fold in (1, 2)}
    parts = []
    for order in (1, -1):
        write_workbook(tmp_path / "results.xlsx", instances[::order], dict(list(histories.items())[::order]))
        with zipfile.ZipFile(tmp_path / "results.xlsx") as archive:
            parts.append({name: archive.read(name) for name in archive.namelist() if name != "docProps/core.xml"})
    assert parts[0] == parts[1]


def test_any_file_name_will_do_and_what_stood_there_goes(tmp_path, make_instance):
    path = tmp_path / ".results.xlsx.part"
    path.write_bytes(b"old")
    write_workbook(path, [make_instance(1, [0.5])], {})
    assert zipfile.is_zipfile(path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path, make_instance):
    with pytest.raises(FileNotFoundError):
        write_workbook(tmp_path / "nowhere" / "results.xlsx", [make_instance(1, [0.5])], {})


@pytest.mark.parametrize("task_type", ["classification", "regression"])
def test_an_experiment_without_any_finished_fold_has_a_workbook_too(workbook_of, make_instance, make_failure, task_type):
    instances = [
        make_instance(1, [make_failure(1)], task_type=task_type),
        make_instance(2, [], folds_total=3, task_type=task_type),
    ]
    workbook = workbook_of(instances)
    assert {"confusion", "curves"}.isdisjoint(workbook.sheetnames)
    assert workbook["summary"]["B6"].value == 1


def test_hostile_text_reaches_every_sheet_and_breaks_none(workbook_of, make_instance, make_record, make_failure):
    hostile = "=1+1\x00\x1b\ud800 <&>\"' " + "x" * 40_000
    record = make_record(1, {"accuracy": 0.5}, class_names=["=no", "\x07yes"])
    record["item_metrics"]["test"] = {hostile: {"n_clips": 10, "accuracy": 0.5}}
    record["items"]["test"] = [hostile]
    instances = [
        make_instance(1, [record, make_failure(2, hostile)], comment_1=hostile, comment_2=hostile, window=hostile),
        make_instance(2, [record]),
    ]
    workbook = workbook_of(instances, {(1, 1): history()})
    texts = [cell for sheet in workbook for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]
    assert not [cell for cell in texts if cell.data_type == "f"]
    assert max(len(cell.value) for cell in texts) == 32_767
    assert len([cell for cell in texts if cell.value.startswith("=1+1")]) >= 6
