"""The items on which an instance fails: a `FailingItem` for each, with its confusions and the worst clips to listen to."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from xval.answers.item_words import item_word, items_word
from xval.answers.score_text import fixed
from xval.answers.training_runs import ItemRow, rank_items
from xval.measures.task import Task
from xval.report.charts import draw_events
from xval.report.contents import PageContents
from xval.report.sounds import Sound

_MOST_ITEMS = 6
_MOST_CLIPS = 3  # of an item
_MOST_CONFUSIONS = 3
_MOST_LANES = 4


class Answer(NamedTuple):
    """The answer of an instance on a clip.

    Attributes:
        answer: As text; empty for frames and reconstructions.
        sure: The probability of the answer, as text; empty without classes.
        error: How wrong it is, as text; empty for classes.
    """

    instance: int
    answer: str
    sure: str
    error: str
    is_right: bool


class WorstClip(NamedTuple):
    """A clip that was answered wrongly.

    Attributes:
        job: The fold (and repeat) that tested it.
        true: The true class, or the true numbers.
        answers: Of the instance whose errors these are, then of others.
        time_line: Of recordings: annotated and found events.
        explanation: Data URI of a picture of what the answer rests on, where that is asked for.
        explanation_note: What it says in numbers, or why there is none.
    """

    clip: str
    item: str
    job: str
    true: str
    answers: list[Answer]
    sound: Sound
    time_line: Markup | None
    explanation: str = ""
    explanation_note: str = ""


class Confused(NamedTuple):
    """How many of the clips of a class got a wrong answer."""

    true: str
    answer: str
    n_clips: int
    n_true: int


class FailingItem(NamedTuple):
    """An item with wrong answers.

    Attributes:
        value: Its metric, as of `rank_items`; None: undefined.
        n_wrong: Its clips that were answered wrongly, the mean over seeds and repeats, as the metric is.
        n_answers: How often each clip was answered.
        confusions: The most frequent wrong answers; empty where no class is taken for another.
        clips: Its worst answers, the worst first.
    """

    item: str
    value: float | None
    n_clips: int
    n_wrong: float
    n_answers: int
    confusions: list[Confused]
    clips: list[WorstClip]


def failing_items(contents: PageContents, task: Task) -> list[FailingItem]:
    """Return the items that are answered worst, the worst first. Of seeds and repeats the worst answer to a clip counts."""
    if contents.errors_of is None or contents.errors_of not in contents.answers:
        return []
    answers = contents.answers[contents.errors_of]
    wrong = answers[answers["error"] > 0].drop_duplicates("clip")
    rows_by_item = {str(item): rows for item, rows in wrong.groupby("item", sort=False)}
    clips = _clips_of(contents, task)
    failing = []
    for row in _choose_rows(_rank_wrong(contents, rows_by_item)):
        own, item_answers = rows_by_item[row.item], answers[answers["item"].astype(str) == row.item]
        worst = [clips(clip_row) for clip_row in own.head(_MOST_CLIPS).to_dict("records")]
        confusions = _confusions(item_answers, task) if task.has_classes and not task.has_thresholds else []
        n_answers = len(item_answers) / item_answers["clip"].nunique()
        n_clips = max(row.n_clips, item_answers["clip"].nunique())  # one decision counts as one
        n_wrong = float((item_answers["error"] > 0).sum() / n_answers)
        failing.append(FailingItem(row.item, row.mean, n_clips, n_wrong, round(n_answers), confusions, worst))
    return failing


def describe_failing(contents: PageContents, failing: Sequence[FailingItem]) -> str:
    """Return which items `failing_items` are, in a sentence; empty: none."""
    if not failing or contents.errors_of is None:
        return ""
    answers, instance = contents.answers[contents.errors_of], contents.by_number[contents.errors_of]
    item, items = item_word([instance]), items_word([instance])
    ranked = _rank_wrong(contents, set(answers.loc[answers["error"] > 0, "item"].astype(str)))
    worst = _worst_of_folds(ranked)
    if len(failing) == len(ranked):
        return f"All {items} with errors, the worst score first."
    if len(worst) in (0, len(ranked)):
        return f"The {len(failing)} {items} with the worst scores, the worst first."
    if len(worst) > len(failing):
        return f"The {item} with the worst score of each fold; of these the {len(failing)} worst, the worst first."
    rest = ", and those with the next worst scores" * (len(worst) < len(failing))
    return f"The {item} with the worst score of each fold{rest}, the worst first."


def _rank_wrong(contents: PageContents, items: Collection[str]) -> list[ItemRow]:
    """Return the rows of these items of the instance whose errors are shown, the worst first."""
    _, _, ranked = rank_items([contents.by_number[contents.errors_of or 0]])
    return [row for row in ranked if row.item in items]


def _worst_of_folds(ranked: Sequence[ItemRow]) -> list[ItemRow]:
    """Return the worst item of each fold; none where some item is tested in several folds, which repeats of the folds make.

    How sure models of different folds are does not compare, so that the worst of all folds together may be those of one fold.
    """
    if any(len(row.folds) > 1 for row in ranked):
        return []
    first: dict[tuple[int, ...], ItemRow] = {}
    for row in ranked:
        first.setdefault(row.folds, row)
    return list(first.values())


def _choose_rows(ranked: Sequence[ItemRow]) -> list[ItemRow]:
    """Return the worst item of each fold, and the next worst ones while there is room; in the order of the rows."""
    worst = _worst_of_folds(ranked)
    chosen = {row.item for row in [*worst, *(row for row in ranked if row not in worst)][:_MOST_ITEMS]}
    return [row for row in ranked if row.item in chosen]


def _confusions(answers: pd.DataFrame, task: Task) -> list[Confused]:
    """Return the most frequent wrong answers; empty where answers are no classes, as those of frames."""
    texts = answers[["true", "answer"]].astype(str)
    n_true = texts["true"].value_counts()
    wrong = texts[(texts["true"] != texts["answer"]) & (texts["answer"] != "")]
    counts = wrong.value_counts().head(_MOST_CONFUSIONS).reset_index(name="n_clips")
    return [
        Confused(task.describe_true(row["true"]), row["answer"], int(row["n_clips"]), int(n_true[row["true"]]))
        for row in counts.to_dict("records")
    ]


def _clips_of(contents: PageContents, task: Task) -> Callable[[Mapping[Any, Any]], WorstClip]:
    """Return the function that makes a `WorstClip` of a row of the answers."""
    labels = event_labels(contents)
    compared = [number for number in contents.answers if number != contents.errors_of][: _MOST_LANES - 1]
    others = {
        number: {row["clip"]: row for row in contents.answers[number].drop_duplicates("clip").to_dict("records")}
        for number in compared
    }

    def describe_row(row: Mapping[Any, Any]) -> WorstClip:
        clip, true = str(row["clip"]), task.describe_true(str(row["true"]))
        answers = [_answer(contents.errors_of or 0, row, task)]
        answers += [_answer(number, rows[clip], task) for number, rows in others.items() if clip in rows]
        sound = contents.sounds.get(clip) if contents.sounds else Sound()
        time_line = _time_line(contents.events, clip, labels, row["end_s"]) if contents.events else None
        explained = contents.explanations.get(clip, str(row["job"])) if contents.explanations else ("", "")
        return WorstClip(clip, str(row["item"]), str(row["job"]), true, answers, sound, time_line, *explained)

    return describe_row


def event_labels(contents: PageContents) -> list[str]:
    """Return the classes of events, in the order of their colours."""
    return sorted({str(label) for events in contents.events.values() for label in events["label"]})


def _answer(instance: int, row: Mapping[Any, Any], task: Task) -> Answer:
    answer, sure, error, is_right = task.describe(row)
    return Answer(instance, answer, sure, error if isinstance(error, str) else f"error {fixed(error)}", is_right)


def _time_line(instance_events: Mapping[int, pd.DataFrame], clip: str, labels: list[str], duration_s: float) -> Markup:
    lanes = {}
    for number, events in list(instance_events.items())[:_MOST_LANES]:
        own = events[events["clip"] == clip].dropna(subset=["start_s"])  # a row without says that there is no event
        lanes["annotated"] = own[own["source"] == "annotated"]
        lanes[f"instance {number}"] = own[own["source"] == "found"]
    return draw_events(lanes, labels, duration_s)
