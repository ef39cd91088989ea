"""The sheet *settings*: every parameter of every instance, and who set it."""

import pytest


@pytest.fixture
def read(workbook_of):
    def write(instances):
        sheet = workbook_of(instances)["settings"]
        return sheet, {row[0].value: row for row in sheet.iter_rows(min_row=2) if row[0].value}

    return write


def test_every_parameter_has_a_row_with_a_value_per_instance(read, make_instance):
    instances = [make_instance(1, [0.5], n_filters=[8, 16]), make_instance(4, [0.5], learning_rate=0.1, comment_1="=1+1")]
    sheet, rows = read(instances)
    assert [cell.value for cell in sheet[1]] == ["parameter", "instance 1", "source 1", "instance 4", "source 4"]
    assert [cell.value for cell in rows["learning_rate"]] == ["learning_rate", 0.001, None, 0.1, None]
    assert [cell.value for cell in rows["n_filters"]] == ["n_filters", "8, 16", None, None, None]
    assert rows["example_length_s"][1].value == "none"
    assert (rows["comment_1"][3].value, rows["comment_1"][3].data_type) == ("=1+1", "s")


def test_overridden_parameters_are_yellow_with_their_source_beside(read, make_instance, colour):
    sources = {"learning_rate": "--set", "loss": "experiment", "comment_1": "instance", "monitor": "architectures/cnn_small.py"}
    _, rows = read([make_instance(1, [0.5], sources=sources)])
    found = {name: row[2].value for name, row in rows.items() if row[2].value}
    assert found == {"learning_rate": "--set", "loss": "experiment", "comment_1": "instance"}
    assert {name for name, row in rows.items() if colour(row[1]) == "FFF2CC"} == set(found)


def test_names_of_parameters_that_differ_are_bold(read, make_instance):
    _, rows = read([make_instance(1, [0.5], comment_1="a"), make_instance(2, [0.5], learning_rate=0.1, comment_1="b")])
    bold = {name for name, row in rows.items() if row[0].font.bold and len(name) < 30}
    assert {"learning_rate", "comment_1"} <= bold
    assert "batch_size" not in bold
    assert "loss" not in bold


def test_what_differs_stands_first_and_the_sources_are_folded(workbook_of, make_instance):
    instances = [make_instance(number, [0.5], threads_per_job=number, comment_1="x") for number in (1, 2)]
    sheet = workbook_of(instances)["settings"]
    names = [cell.value for cell in sheet["A"]][1:]
    assert names[:4] == ["comment_1", "comment_2", "architecture", "threads_per_job"]
    assert len(names[: names.index(None)]) == len(set(names) - {None}) - 2, "each parameter once, and two notes"
    assert [sheet.column_dimensions[letter].hidden for letter in "BCDE"] == [False, True, False, True]
    assert not workbook_of(instances[:1])["settings"].column_dimensions["C"].hidden
