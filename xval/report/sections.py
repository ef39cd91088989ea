"""The section of each instance on the page: its scores, the curves of all folds, confusions, predicted against true values."""

from jinja2 import Environment
from markupsafe import Markup

from xval.answers.class_report import find_confusion
from xval.answers.item_words import items_word
from xval.answers.label_scores import label_scores
from xval.answers.pretrained import explain, judge_instance
from xval.answers.score_text import estimate, format_folds
from xval.answers.summary import differing_parameters, direction, metric_columns, score_name
from xval.answers.trials import fold_trials, mean_importance, value_text
from xval.measures.task import Task
from xval.report import charts, svg
from xval.report.clip_answers import target_names
from xval.report.contents import PageContents
from xval.report.score_columns import parameter_text, recall_texts
from xval.report.trials import MOST_PICTURED, draw_trials

_MOST_BYTES = 20_000_000
_MOST_CLASSES = 25  # with more, the most frequent confusions are listed in place of a matrix
_MOST_RECALLS = 10  # of those


def instance_sections(environment: Environment, contents: PageContents, task: Task) -> dict[int, Markup]:
    """Return the section of each instance, the best by validation first, as many as fit on a page."""
    template = environment.get_template("instance.html")
    limits = {name: charts.curve_limits(contents.histories.values(), name) for name in ("loss", task.training_metric)}
    columns = [(side, name) for side, name in metric_columns(contents.instances) if side.endswith("test")]
    directions = {name: direction(contents.instances, name) for _, name in columns}
    differing = differing_parameters([shown.parameters for shown in contents.instances])
    selected = contents.ranking.selected
    reference = None if selected is None else find_confusion(contents.by_number[selected])
    shown: dict[int, Markup] = {}
    n_bytes = 0
    for number in contents.numbers:
        instance = contents.by_number[number]
        own = find_confusion(instance)
        has_difference = own and reference and number != selected and own.class_names == reference.class_names
        html = template.render(
            number=number,
            items_word=items_word([instance]),
            answered_word=items_word([instance]) if instance.decides_items else "clips",
            name=contents.name_of(number),
            is_selected=number == selected,
            origin=explain(judge_instance(instance)),
            folds=format_folds(instance),
            differing=[(name, parameter_text(instance, name)) for name in differing],
            errors=[(key.fold_name, record["error"]) for key, record in instance.failed.items()],
            scores=[
                (
                    score_name(side, name, [instance]),
                    instance.over_folds(side, name),
                    estimate(instance, side, name),
                    directions[name],
                )
                for side, name in columns
            ],
            curves=_curves(contents, number, limits),
            confusion=own,
            labels=label_scores(instance),
            recalls=recall_texts(instance),
            n_repeats=instance.n_fold_repeats,
            difference=own.shares - reference.shares if has_difference and own and reference else None,
            selected=selected,
            most_classes=_MOST_CLASSES,
            most_recalls=_MOST_RECALLS,
            predicted=_predicted(contents, number),
            searches=(searches := fold_trials(instance)),
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
    records = contents.by_number[number].jobs
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
    return [charts.draw_predicted(answers, name) for name in target_names(answers)]
