"""The section of each instance on the page: its figures, the curves of all folds, confusions, predicted against true.

Comes in: `PageContents`. Goes out: HTML by instance.
"""

from jinja2 import Environment
from markupsafe import Markup

from xval.answers.label_figures import label_figures
from xval.answers.ranking import format_folds
from xval.answers.repeats import jobs_of
from xval.answers.summary import SIDE_NAMES, differing_parameters, direction, figure, metric_columns
from xval.answers.trials import fold_trials, mean_importance, value_text
from xval.measures.task import Task
from xval.report import charts, svg, tables
from xval.report.contents import PageContents
from xval.report.figures import estimate, parameter_text
from xval.report.trials import MOST_PICTURED, draw_trials

_MOST_BYTES = 20_000_000


def instance_sections(environment: Environment, contents: PageContents, task: Task) -> dict[int, Markup]:
    """Return the section of each instance, the best by validation first, as long as a page holds them."""
    template = environment.get_template("instance.html")
    limits = {name: charts.curve_limits(contents.histories.values(), name) for name in ("loss", task.training_metric)}
    columns = [(side, name) for side, name in metric_columns(contents.metric_dicts) if side.endswith("test")]
    directions = {name: direction(contents.metric_dicts, name) for _, name in columns}
    differing = differing_parameters([shown["parameters"] for shown in contents.metric_dicts])
    selected = contents.ranking.selected
    reference = None if selected is None else tables.confusion(contents.by_number[selected])
    shown: dict[int, Markup] = {}
    n_bytes = 0
    for number in contents.numbers:
        metric_dict = contents.by_number[number]
        own = tables.confusion(metric_dict)
        has_difference = own and reference and number != selected and own.class_names == reference.class_names
        html = template.render(
            number=number,
            name=contents.name_of(number),
            is_selected=number == selected,
            folds=format_folds(metric_dict),
            differing=[(name, parameter_text(metric_dict, name)) for name in differing],
            errors=[
                (record["fold"], record["error"]) for record in metric_dict["folds"].values() if record["status"] == "failed"
            ],
            figures=[
                (
                    f"{SIDE_NAMES[side]} {name}",
                    figure(metric_dict, side, name),
                    estimate(metric_dict, side, name),
                    directions[name],
                )
                for side, name in columns
            ],
            curves=_curves(contents, number, limits),
            confusion=own,
            labels=label_figures(metric_dict),
            deals=metric_dict.get("deals"),
            difference=own.shares - reference.shares if has_difference and own and reference else None,
            selected=selected,
            most_classes=tables.MOST_CLASSES,
            predicted=_predicted(contents, number),
            searches=(searches := fold_trials(metric_dict)),
            trial_pictures=[draw_trials(search) for search in searches[:MOST_PICTURED]],
            importance=mean_importance(searches),
            value_text=value_text,
        )
        n_bytes += len(html)
        if n_bytes > _MOST_BYTES:
            break
        shown[number] = Markup(html)  # noqa: S704 - of a template that escapes
    return shown


def _curves(contents: PageContents, number: int, limits: dict[str, svg.Scale]) -> list[tuple[str, Markup]]:
    histories = contents.histories[number]
    records = jobs_of(contents.by_number[number])
    best = {key: int(record["best_epoch"]) for key, record in records.items() if record.get("best_epoch")}
    return [
        (name, charts.draw_curves(histories, name, best, scale))
        for name, scale in limits.items()
        if any(name in history for history in histories.values())
    ]


def _predicted(contents: PageContents, number: int) -> list[Markup]:
    answers = contents.answers.get(number)
    if answers is None:
        return []
    names = [str(name).removeprefix("target_") for name in answers if str(name).startswith("target_")]
    return [charts.draw_predicted(answers, name) for name in names]
