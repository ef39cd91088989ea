"""List experiments in an order, as plain values or text, for the terminal, scripts and the index page."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any, Literal

from xval.answers.score_text import in_column
from xval.answers.summary import metric_words
from xval.base.errors import counted
from xval.base.operating_system import quote
from xval.base.terminal import visible
from xval.results.summaries import UNKNOWN, Listed

Order = Literal["date", "metric"]

VALUE = "value of selected [95 %]"
HEADER = ("experiment", "description", "corpus", "date", "instances", "selected", "metric", VALUE, "chance", "state")
"""The columns of `text_row`."""

_MOST_NAMED = 5


def in_order(experiments: Iterable[Listed], order: Order) -> list[Listed]:
    """Return experiments, the newest or the best first; experiments without a score or with another metric are separate."""
    newest = sorted(experiments, key=lambda listed: -(listed.changed or -inf))
    return newest if order == "date" else sorted(newest, key=_by_metric)


def _by_metric(listed: Listed) -> tuple[bool, str, float]:
    main = listed.summary.main if listed.summary else None
    if main is None or main.value is None:
        return True, "", 0.0
    return False, main.metric, -main.value if main.higher_is_better else main.value


def as_values(listed: Listed, root: Path) -> dict[str, Any]:
    """Return an experiment as plain values; commands/list.py documents the keys. Folder names may be invalid UTF-8."""
    summary = listed.summary
    main = summary.main if summary else None
    jobs = summary.jobs if summary else None
    return {
        "experiment": visible(_name(listed, root)),
        "description": listed.description,
        "corpus": visible(listed.corpus),
        "date": _date(listed),
        "instances": listed.n_instances,
        "selected": summary.selected if summary else None,
        "name": summary.name if summary else None,
        "metric": main.metric if main else None,
        "value": main.value if main else None,
        "low": main.low if main else None,
        "high": main.high if main else None,
        "chance": main.chance if main else None,
        "state": listed.state,
        "jobs": sum(jobs.values()) if jobs is not None else None,
        "jobs_done": jobs.get("done", 0) if jobs is not None else None,
        "is_current": summary is not None,
    }


def text_row(listed: Listed, root: Path) -> tuple[str, ...]:
    """Return an experiment as text, by the columns of `HEADER`."""
    facts = (_name(listed, root), listed.description, listed.corpus, _date(listed) or "–", str(listed.n_instances))
    summary = listed.summary
    if summary is None:
        return (*facts, *[UNKNOWN] * 4, listed.state)
    main = summary.main
    value = chance = "–"
    if main and main.value is not None:
        write = in_column([main.value, main.low, main.high, main.chance])
        value, chance = write(main.value), chance if main.chance is None else write(main.chance)
        if main.low is not None and main.high is not None:
            value += f" [{write(main.low)}, {write(main.high)}]"
    selected = f"{summary.name} ({summary.selected})" if summary.selected is not None else "–"
    return (*facts, selected, metric_words(main.metric) if main else "–", value, chance, _state(listed.state, summary.jobs))


def explain_values(experiments: Iterable[Listed]) -> str:
    """Return a note on the listed value if instances compete; empty: none do."""
    if not any(listed.n_instances > 1 and listed.summary and listed.summary.main for listed in experiments):
        return ""
    return (
        "The score is that of the selected instance; of instances that differ only in their seed it is their mean. If several "
        "instances compete, it is optimistically biased; the page of the experiment begins with the nested estimate, which "
        "should be reported."
    )


def what_to_type(experiments: Sequence[Listed]) -> str:
    """Return the command that computes unknown scores; empty: all are known, or a run is about to write them."""
    unknown = [listed.path for listed in experiments if listed.summary is None and listed.state not in ("running", "starting")]
    return rebuild_command(unknown) if unknown else ""


def rebuild_command(paths: Sequence[Path]) -> str:
    """Return the command that writes the summaries of some experiments, with only the first ones of many."""
    more = f" (and {len(paths) - _MOST_NAMED} more)" if len(paths) > _MOST_NAMED else ""
    return f"xval rebuild {' '.join(quote(str(path)) for path in paths[:_MOST_NAMED])}{more}"


def _name(listed: Listed, root: Path) -> str:
    inside = listed.path.relative_to(root).as_posix() if listed.path.is_relative_to(root) else str(listed.path)
    return listed.path.name if inside == "." else inside


def _date(listed: Listed) -> str | None:
    return None if listed.changed is None else datetime.fromtimestamp(listed.changed).astimezone().strftime("%Y-%m-%d %H:%M")


def _state(state: str, jobs: dict[str, int]) -> str:
    """Return ``done``, or ``to do (12 of 30 jobs done)``."""
    return (
        state
        if state == "done" or not jobs
        else f"{state} ({jobs.get('done', 0)} of {counted(sum(jobs.values()), 'job')} done)"
    )
