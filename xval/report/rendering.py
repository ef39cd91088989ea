"""Render the templates of the pages and of the model card with Jinja, which escapes all that is not markup.

Only the script of the pages may run, by its hash.
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
    """Return the environment, which raises an error for a name that a template does not get.

    `further` is a folder of templates next to those of this package.
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
    """Return what a page may load: what is written in it, and of scripts only this file, by its hash."""
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
    """Return the text of a page, a template that extends base.html.

    Args:
        environment: As of `make_environment`.
        template: Its name.
        script: The file that runs in it.
        policy: As of `content_policy`; None: that of the script.
        **values: What the page shows.
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
    """Return a part of the page: a template of an extra, filled with values; all that is not markup is escaped."""
    return Markup(make_environment(template.parent).get_template(template.name).render(**values))  # noqa: S704


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def breakable(text: object) -> Markup:
    """Return a text whose lines may be broken after underscores."""
    return escape(text).replace("_", Markup("_<wbr>"))
