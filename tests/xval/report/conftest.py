"""The page of a finished experiment, as a browser reads it."""

import shutil
from html.parser import HTMLParser

import pytest

from xval.results.folder import ExperimentFolder


class Read(HTMLParser):
    """The tags of a page with their attributes, its text by section or `FOLDS`, and the rows of its tables by these."""

    FOLDS = ("groups", "items")
    VOID = ("meta", "img", "link", "br", "input")

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.tables, self._sections = [], {}, {}, [""]
        self._cell = None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag in ("section", "header", "details"):
            name = attributes.get("id", tag)
            self._sections.append(name if tag != "details" or name in self.FOLDS else self._section)
        if tag == "table":
            self.tables.setdefault(self._section, []).append([])
        if tag == "tr":
            self.tables[self._section][-1].append([])
        if tag in ("td", "th"):
            self._cell = {"text": "", "value": attributes.get("data-value")}

    @property
    def _section(self):
        return self._sections[-1]

    def handle_endtag(self, tag):
        if tag in ("section", "header", "details"):
            self._sections.pop()
        if tag in ("td", "th"):
            self.tables[self._section][-1][-1].append(self._cell)
            self._cell = None

    def handle_data(self, data):
        self.text[self._section] = self.text.get(self._section, "") + data
        if self._cell is not None:
            self._cell["text"] += data

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def read_page():
    return lambda path: Read(path.read_text(encoding="utf-8"))


@pytest.fixture
def copy(finished, tmp_path, monkeypatch):
    """A copy of a finished experiment with its corpus; the current folder is the one it ran in."""
    shutil.copytree(finished.folder / "data", tmp_path / "data")
    results = shutil.copytree(finished.results, tmp_path / "results" / "tones" / "experiment_1")
    monkeypatch.chdir(tmp_path)
    return ExperimentFolder(results)
