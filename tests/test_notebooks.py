"""The notebooks hold code that parses and no output; on a small demo every cell runs."""

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def cells_of(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_parse_and_hold_no_output(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    for cell in cells_of(path):
        ast.parse(cell.source)
        assert (cell.outputs, cell.execution_count) == ([], None), cell.source


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_inside_a_saved_model_shows_filters_embeddings_and_errors(project):
    assert project.run_module("preprocessing", "demo", "--n-speakers", "6").returncode == 0
    project.write_script({"architecture": "cnn_small"}, dataset="demo", num_epochs=1)
    assert project.run().returncode == 0
    (path,) = (path for path in NOTEBOOKS if path.stem == "inside_a_saved_model")
    notebook = nbformat.read(path, as_version=4)

    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(project.folder)}}).execute()

    shown = [kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})]
    assert shown.count("image/png") == 2 + 5 + 1
    assert sum("<audio" in str(output) for cell in notebook.cells for output in cell.get("outputs", [])) == 5
