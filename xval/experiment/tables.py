"""The tables that a user sees on the terminal: instances, jobs, and how a run ended.

Comes in: instances, plans, outcomes and metric dicts. Goes out: rich tables and lines. run.py prints them.
"""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xval.folds.split import Fold
from xval.jobs.claim import FAILED, JobOutcome
from xval.jobs.plan import Plan
from xval.results import ranking, rebuild
from xval.results.deals import describe_deals
from xval.results.findings import find_findings
from xval.results.job_key import JobKey
from xval.results.repeats import describe_components, jobs_of
from xval.results.summary import SIDE_NAMES
from xval.results.trials import describe_search
from xval.settings.resolve import Instance, describe_numbers
from xval.settings.tasks import find_task

_LISTED_JOBS = 5
_LISTED_ITEMS = 5
_MOST_ROWS = 100
_LEGEND = "*: selected by the validation figure. ±: standard deviation over folds. [ ]: 95 % interval over the test items."


def print_close(planned: Plan, outcomes: Sequence[JobOutcome], console: Console) -> int:
    """Print the table, what went wrong and where everything is; return the exit code."""
    metric_dicts = rebuild.read_metric_dicts(planned.folder, [instance.number for instance in planned.instances])
    if metric_dicts:
        header, rows = ranking.summary_table(metric_dicts, most=_MOST_ROWS)
        console.print(make_table(header, rows))
        console.print(_LEGEND, soft_wrap=True, markup=False)
        if len(rows) < len(metric_dicts):
            console.print(f"The {len(rows)} best of {len(metric_dicts)} instances by validation; the workbook has all of them.")
        console.print(Text(ranking.describe_selection(metric_dicts)), soft_wrap=True)
        if others := set(planned.folder.instances()) - {found["instance"] for found in metric_dicts}:
            line = f"That is of the instances of this run; the workbook and the page compare them with {len(others)} more."
            console.print(line, soft_wrap=True, markup=False)
        for finding in find_findings(metric_dicts):
            console.print(Text(f"- {finding.text}"), soft_wrap=True)
    side = ranking.test_side(metric_dicts)
    for metric_dict in metric_dicts:
        main = find_task(metric_dict["task_type"]).main_metrics[0]
        for described in (describe_components(metric_dict, side, main), describe_deals(metric_dict, side, main)):
            if described:
                console.print(f"instance {metric_dict['instance']}: {SIDE_NAMES[side]} {described}", soft_wrap=True)
        if searched := describe_search(metric_dict):
            console.print(searched, soft_wrap=True, markup=False)
        codes = sorted({record["code_hash"] for record in jobs_of(metric_dict).values() if record["status"] == "done"})
        if len(codes) > 1:
            listed = f"code/{', code/'.join(codes)}"
            console.print(f"instance {metric_dict['instance']}: its folds ran on {len(codes)} versions of the code ({listed}).")
    failures: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.status in FAILED:
            failures.setdefault(outcome.error, []).append(str(outcome.key))
    for error, jobs in failures.items():
        more = " ..." if len(jobs) > _LISTED_JOBS else ""
        listed = "; ".join(jobs[:_LISTED_JOBS])
        console.print(Text(f"{len(jobs)} job(s) failed ({listed}{more}): {error}", style="red"), soft_wrap=True)
    finished = {
        key for metric_dict in metric_dicts for key, record in jobs_of(metric_dict).items() if record["status"] == "done"
    }
    elsewhere = sum(outcome.status == "elsewhere" and outcome.key not in finished for outcome in outcomes)
    if elsewhere:
        console.print(f"{elsewhere} job(s) are being run by another process; it adds them to the workbook.")
    for path in (planned.folder.workbook, planned.folder.page):
        if path.exists():
            console.print(Text(str(path)), soft_wrap=True)
    return 1 if failures else 0


def instance_table(instances: Sequence[Instance]) -> Table:
    """Return the instances with the parameters that differ between them."""
    every = [instance.parameters for instance in instances]
    names = list(dict.fromkeys(name for parameters in every for name in parameters))
    comments = ("comment_1", "comment_2")
    apart = [name for name in comments if any(parameters.get(name) for parameters in every)]
    differing = [
        name
        for name in names
        if name not in (*comments, "search") and len({repr(parameters.get(name)) for parameters in every}) > 1
    ]
    rows = [(str(instance.number), *(_shown(instance, name) for name in (*apart, *differing))) for instance in instances]
    return make_table(("instance", *apart, *differing), rows)


def _shown(instance: Instance, name: str) -> str:
    return "searched" if instance.sources.get(name) == "search" else str(instance.parameters.get(name, "-"))


def fold_table(planned: Plan, parts: Mapping[JobKey, Fold]) -> Table:
    """Return the chosen folds with the items that each tests, of which there may be hundreds: the first few.

    Args:
        planned: The plan.
        parts: What jobs use of their folds where that is not all; a fold has a row for each choice of test items.
    """
    has_deals, rows = planned.folds.n_deals > 1, []
    for fold in planned.folds.folds:
        tested: dict[tuple[str, ...], set[int]] = {}
        for key in sorted([*planned.done, *planned.to_do]):
            if key.fold == fold.number:
                tested.setdefault(parts.get(key, fold).test, set()).add(key.instance)
        for items, instances in tested.items():
            more = f", and {len(items) - _LISTED_ITEMS} more" if len(items) > _LISTED_ITEMS else ""
            which = f" (instances {describe_numbers(instances)})" if len(tested) > 1 else ""
            deal = [str(planned.folds.deal_of(fold.number))] * has_deals
            rows.append((str(fold.number), *deal, ", ".join(items[:_LISTED_ITEMS]) + more + which))
    return make_table(("fold", *["deal"] * has_deals, "test items"), rows)


def job_table(planned: Plan) -> Table:
    """Return a row for each instance and repeat, with the folds that are done and those to do."""
    comments = {instance.number: instance.settings.comment_1 for instance in planned.instances}
    rows = sorted({(key.instance, key.repeat) for key in [*planned.done, *planned.to_do]})
    states: list[list[JobKey]] = [list(planned.done), list(planned.to_do)]
    folds = {
        row: [describe_numbers(key.fold for key in keys if (key.instance, key.repeat) == row) for keys in states]
        for row in rows
    }
    return make_table(
        ("instance", "comment_1", "repeat", "folds done", "folds to do"),
        [(str(number), comments[number], str(repeat), *folds[number, repeat]) for number, repeat in rows],
    )


def make_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table of text cells."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in header:
        table.add_column(name, overflow="fold")  # a table that is wider than the terminal goes on below, and nothing is cut
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
