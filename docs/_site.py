"""Hook of mkdocs: pages and files outside docs/ become part of the site, and links to them hold there as they do on GitHub.

Files outside keep their paths in the repository; links lose the ``docs/`` or ``../`` that GitHub needs.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).parents[1]
_OUTSIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "config.ini", "Dockerfile", "apptainer.def")
_FORMS = ("benchmarks/*.md", "notebooks/*.ipynb")


def _outside() -> list[str]:
    """Return the pages and files outside docs/, relative to the repository."""
    return [*_OUTSIDE, *(path.relative_to(_ROOT).as_posix() for form in _FORMS for path in sorted(_ROOT.glob(form)))]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside docs/."""
    for path in _outside():
        files.append(File.generated(config, path, abs_src_path=str(_ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Return the text of a page with links as they are in the site, where docs/ and the root are one folder."""
    if page.file.src_uri in _outside():
        return re.sub(r"(\]\((?:\.\./)*)docs/", r"\1", markdown)
    up = "../" * (page.file.src_uri.count("/") + 1)  # out of docs/
    return markdown.replace(f"]({up}", f"]({up.removesuffix('../')}")
