"""Render the templates of pages and model card with Jinja, which escapes everything that is not markup.

Only the script of the pages may run, identified by its hash.
"""

import base64
import hashlib
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from xval.answers.score_text import fixed
from xval.answers.summary import metric_words
from xval.base.errors import capital, counted
from xval.base.terminal import visible

_FOLDER = Path(__file__).with_name("templates")
_SCRIPT = _FOLDER / "page.js"


def make_environment(further: Path | None = None) -> Environment:
    """Return the Jinja environment, which raises an error for undefined names in a template.

    `further` is a folder of additional templates.
    """
    environment = Environment(
        loader=FileSystemLoader([*([further] if further else []), _FOLDER]),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["fixed"] = fixed
    environment.filters["breakable"] = breakable
    environment.filters["capital_first"] = capital
    environment.filters["metric_words"] = metric_words
    environment.globals["count"] = counted
    return environment


def content_policy(script: Path, *further: str) -> str:
    """Return the content security policy of a page: inline content only, and no script except this file, by its hash."""
    digest = base64.b64encode(hashlib.sha256(_text_of(script).encode()).digest()).decode()
    rules = (
        "default-src 'none'",
        "img-src data:",
        "media-src data:",
        "style-src 'unsafe-inline'",
        f"script-src 'sha256-{digest}'",
    )
    return "; ".join([*rules, *further])


def render_page(
    environment: Environment, template: str, *, script: Path = _SCRIPT, policy: str | None = None, **values: object
) -> str:
    """Return the text of a page from a template that extends base.html.

    Args:
        environment: As from `make_environment`.
        template: Name of the template.
        script: The file of the page's script.
        policy: As from `content_policy`; None: the policy of the script.
        **values: The values of the template.
    """
    text = environment.get_template(template).render(
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        style=Markup(_text_of(_FOLDER / "page.css")),  # noqa: S704 - a file of this package
        script=Markup(_text_of(script)),  # noqa: S704 - a file of this package
        policy=policy or content_policy(script),
        **values,
    )
    return visible(text)


def render_section(template: Path, **values: object) -> Markup:
    """Return a section of the page: a template of an extra, filled with escaped values."""
    return Markup(make_environment(template.parent).get_template(template.name).render(**values))  # noqa: S704


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def breakable(text: object) -> Markup:
    """Return a text with possible line breaks after underscores."""
    return escape(text).replace("_", Markup("_<wbr>"))
