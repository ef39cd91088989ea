"""The templates of the pages and of the model card.

Goes out: the Jinja environment, in which HTML templates escape all that is not markup, and whole pages. Only the script of the
pages may run, by its hash.
"""

import base64
import hashlib
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from xval.answers.figure_text import fixed
from xval.base.errors import counted
from xval.base.terminal import visible

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


def render_page(environment: Environment, template: str, **values: object) -> str:
    """Return the text of a page, a template that extends base.html; `values` are what it shows."""
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    text = environment.get_template(template).render(
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        style=Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **values,
    )
    return visible(text)


def breakable(text: object) -> Markup:
    """Return a text whose lines may be broken after underscores."""
    return escape(text).replace("_", Markup("_<wbr>"))
