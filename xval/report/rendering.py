"""The templates of the page and of the model card.

Goes out: the Jinja environment, in which HTML templates escape all that is no markup, and the text of files beside them.
"""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from xval.answers.figure_text import fixed
from xval.base.errors import counted

_FOLDER = Path(__file__).with_name("templates")


def make_environment() -> Environment:
    """Return the environment, which raises an error for a name that a template does not get."""
    environment = Environment(
        loader=PackageLoader("xval.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["fixed"] = fixed
    environment.filters["breakable"] = breakable
    environment.globals["count"] = counted
    return environment


def breakable(text: object) -> Markup:
    """Return a text whose lines may be broken after underscores."""
    return escape(text).replace("_", Markup("_<wbr>"))


def read_source(name: str) -> str:
    """Return the text of a file beside the templates."""
    return (_FOLDER / name).read_text(encoding="utf-8")
