"""The worst answers of an instance, to listen to and to look at, beside those of other instances.

Comes in: answers of instances on the test clips, events, sounds. Goes out: a `WorstClip` for each.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from xval.answers.figure_text import fixed
from xval.measures.task import Task
from xval.report.charts import draw_events
from xval.report.contents import PageContents
from xval.report.sounds import Sound

MOST_CLIPS = 12
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


def worst_clips(contents: PageContents, task: Task) -> list[WorstClip]:
    """Return the clips that were answered worst, the worst first, without those that were answered rightly.

    Of repeats and deals the worst answer counts.
    """
    if contents.errors_of is None or contents.errors_of not in contents.answers:
        return []
    own, labels = contents.answers[contents.errors_of], event_labels(contents)
    compared = [number for number in contents.answers if number != contents.errors_of][: _MOST_LANES - 1]
    others = {
        number: {row["clip"]: row for row in contents.answers[number].drop_duplicates("clip").to_dict("records")}
        for number in compared
    }
    clips = []
    for row in own[own["error"] > 0].drop_duplicates("clip").head(MOST_CLIPS).to_dict("records"):
        clip, true = str(row["clip"]), task.describe_true(str(row["true"]))
        answers = [_answer(contents.errors_of, row, task)]
        answers += [_answer(number, rows[clip], task) for number, rows in others.items() if clip in rows]
        sound = contents.sounds.get(clip) if contents.sounds else Sound()
        time_line = _time_line(contents.events, clip, labels, row["end_s"]) if contents.events else None
        explained = contents.explanations.get(clip, str(row["job"])) if contents.explanations else ("", "")
        clips.append(WorstClip(clip, str(row["item"]), str(row["job"]), true, answers, sound, time_line, *explained))
    return clips


def event_labels(contents: PageContents) -> list[str]:
    """Return the classes of events, in the order of their colours."""
    return sorted({str(label) for events in contents.events.values() for label in events["label"]})


def _answer(instance: int, row: Mapping[Any, Any], task: Task) -> Answer:
    answer, sure, error, is_right = task.describe(row)
    return Answer(instance, answer, sure, error if isinstance(error, str) else f"error {fixed(error)}", is_right)


def _time_line(of_instances: Mapping[int, pd.DataFrame], clip: str, labels: list[str], duration_s: float) -> Markup:
    lanes = {}
    for number, events in list(of_instances.items())[:_MOST_LANES]:
        own = events[events["clip"] == clip].dropna(subset=["start_s"])  # a row without says that there is no event
        lanes["annotated"] = own[own["source"] == "annotated"]
        lanes[f"instance {number}"] = own[own["source"] == "found"]
    return draw_events(lanes, labels, duration_s)
