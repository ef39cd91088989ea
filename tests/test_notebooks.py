"""The notebooks hold code that parses and no output; on a small demo every cell runs."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
FROM_A_CORPUS, INSIDE = NOTEBOOKS


def cells_of(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_parse_and_hold_no_output(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    for cell in cells_of(path):
        ast.parse(cell.source)
        assert (cell.outputs, cell.execution_count) == ([], None), cell.source


def run(path, folder, **constants):
    """Run a notebook in a folder, with other constants than those that it has; return its output."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for name, value in constants.items():
            cell.source = re.sub(rf"^{name} = .*", f"{name} = {value}", cell.source, flags=re.MULTILINE)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def n_pictures(outputs):
    return sum("image/png" in output.get("data", {}) for output in outputs)


def n_sounds(outputs):
    return sum("<audio" in str(output) for output in outputs)


@pytest.mark.slow
def test_from_a_corpus_to_an_answer_trains_compares_and_writes_the_page(tmp_path):
    (tmp_path / "notebooks").mkdir()

    outputs = run(FROM_A_CORPUS, tmp_path / "notebooks", **{"N_SPEAKERS, NUM_FOLDS, NUM_EPOCHS": "6, 3, 1"})

    assert (n_pictures(outputs), n_sounds(outputs)) == (2, 1)
    assert (tmp_path / "results/demo_notebook/experiment_1/report.html").is_file()
    assert any("undecided" in str(output) or "better" in str(output) for output in outputs)


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_inside_a_saved_model_shows_filters_embeddings_and_errors(project):
    assert project.run_module("preprocessing", "demo", "--n-speakers", "6").returncode == 0
    project.write_script({"architecture": "cnn_small"}, dataset="demo", num_epochs=1)
    assert project.run().returncode == 0

    outputs = run(INSIDE, project.folder)

    assert (n_pictures(outputs), n_sounds(outputs)) == (2 + 5 + 1, 5)
