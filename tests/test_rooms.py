"""The rooms of the code: the picture in CONTRIBUTING.md, the contract of imports, and the folders are the same."""

import re
import tomllib
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]


def _storeys():
    """Return the rooms by storey, from the roof down, as the contract of imports has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["layers"][0] == "xval.__main__")
    return [[room.strip().removeprefix("xval.") for room in layer.split("|")] for layer in layers[1:]]


def _arrows():
    """Return the arrows of the picture, each from the rooms of a storey to those of the next."""
    picture = (ROOT / "CONTRIBUTING.md").read_text().partition("```mermaid")[2].partition("```")[0]
    return [tuple(side.strip().split(" & ") for side in line.split("-->")) for line in picture.splitlines() if "-->" in line]


def test_the_picture_shows_the_storeys_of_the_contract():
    storeys = _storeys()
    assert _arrows() == list(pairwise(storeys))


def test_each_room_of_the_picture_says_what_it_is_for():
    picture = (ROOT / "CONTRIBUTING.md").read_text().partition("```mermaid")[2].partition("```")[0]
    assert set(re.findall(r"<b>(\w+)</b>", picture)) == {room for storey in _storeys() for room in storey}


def test_each_folder_of_the_engine_is_a_room():
    folders = {path.parent.name for path in (ROOT / "xval").glob("*/__init__.py")}
    rooms = {room for storey in _storeys() for room in storey}
    assert folders == rooms - {"augmentation", "architectures", "preprocessing"}
    assert {path.name for path in (ROOT / "xval").glob("*.py")} == {"__init__.py", "__main__.py"}


def test_files_of_settings_are_in_no_circle_also_for_types_alone():
    graph = grimp.build_graph("xval", include_external_packages=False, exclude_type_checking_imports=False)
    files = {name for name in graph.modules if name.startswith("xval.settings.")}
    imports = {name: graph.find_modules_directly_imported_by(name) & files for name in files}

    order = list(TopologicalSorter(imports).static_order())

    assert order.index("xval.settings.schema") < order.index("xval.settings.contradictions")
