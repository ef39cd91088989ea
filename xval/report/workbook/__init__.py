"""Write results.xlsx: the scores of all instances.

The workbook has a sheet for each file of this package that has a `POSITION`, its place from the left, and a function
`fill(sheet, contents)`; the sheet has the name of the file. It is omitted if the file has a function `is_needed(contents)` that
returns False.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from xval.answers.findings import find_findings
from xval.answers.item_words import item_word
from xval.answers.ranking import rank_instances
from xval.answers.summary import metric_columns
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Book
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.read import Curves


def write_workbook(path: Path, instances: Sequence[InstanceResults], histories: Mapping[JobKey, Curves]) -> None:
    """Write the workbook of an experiment, over one that is there; the same content for the same scores.

    Its links are relative to its folder, with the folders instance_<i>/fold_<k>. There is at least one instance.
    """
    ordered = sorted(instances, key=lambda instance: instance.number)
    contents = Contents(ordered, rank_instances(ordered), find_findings(ordered), histories, metric_columns(ordered))
    book = Book(item_word(ordered))
    modules = {module.name: import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)}
    sheets = {name: module for name, module in modules.items() if hasattr(module, "POSITION")}
    for name in sorted(sheets, key=lambda name: sheets[name].POSITION):
        if getattr(sheets[name], "is_needed", bool)(contents):
            sheets[name].fill(book.add(name), contents)
    book.save(path)
