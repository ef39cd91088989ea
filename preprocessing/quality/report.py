"""The page of the quality report: one HTML file with everything in it."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from preprocessing.clips.label_sets import MULTI_LABEL
from preprocessing.clips.table import class_names_of, label_columns, natural_key
from preprocessing.quality.foldable import FoldsVerdict
from preprocessing.quality.rules import TASKS_WITH_CLASSES, Criteria, count_labels
from preprocessing.quality.style import HEAD
from xval.base.errors import capital, counted
from xval.base.findings import Finding
from xval.base.item_word import call_items
from xval.base.terminal import visible

LARGEST_N_ITEMS = 40
LARGEST_N_CLASSES = 40
LARGEST_N_LISTED = 50

_METHOD = """Audio is identical when the decoded samples (mean of the channels) and the sample rate are equal, whatever the
names and formats of the files. It is nearly identical when the normalised cross-correlation of the samples up to
4 kHz has a peak of 0.85 or more: one recording at another level or rate, in lossy quality, or with padded or slightly cut ends.
Copies whose pitch, speed or room was changed are not found. The first minute is compared, of each clip with those that are
nearest to it. Silent clips are not compared. Levels are of the mean of the channels, clipping is of the worst channel."""

LEVELS = {
    "refused": "folds cannot be made from such a dataset",
    "left out": "preprocessing skips such clips",
    "doubtful": "used as it is",
}


@dataclass(frozen=True)
class Subject:
    """The dataset that a report is about.

    Attributes:
        dataset: Name of the dataset in experiments.
        corpus: Name of the reader in corpora/ that listed its clips.
        audio_folder: The folder with its audio.
        headers_only: Whether only headers were read and no audio was decoded.
        refusal: Why the list of clips cannot be used; empty: it can.
        note: A note of the reader about its list, such as how many clips it skipped; empty: none.
        folds: Whether folds can be made of it.
        item_word: The dataset's word for an item, such as speaker; empty: not known.
    """

    dataset: str
    corpus: str
    audio_folder: str
    headers_only: bool
    refusal: str
    note: str
    folds: FoldsVerdict
    item_word: str = ""

    def say(self, text: str) -> str:
        """Return a text of the report as HTML, with the dataset's word for an item."""
        return escape(call_items(text, self.item_word))


def make_page(
    subject: Subject, facts: pd.DataFrame, findings: Sequence[Finding], criteria: Criteria, charts: Mapping[str, bytes]
) -> str:
    """Return the page of the report.

    Args:
        subject: The dataset.
        facts: One row per clip, as `faults.find_faults` returns them.
        findings: The faults that were found, the worst first.
        criteria: What counts as a fault.
        charts: PNG images by name, as `charts.draw_charts` returns them.

    Returns:
        HTML without scripts and external files; names from the dataset are escaped.
    """
    parts = [f"<h1>Quality of {escape(subject.dataset)}</h1>", _verdict(subject, findings)]
    severe = [finding for finding in findings if finding.level == "refused"]
    parts += [_finding(subject, finding, facts) for finding in severe]
    parts += ["<h2>Summary</h2>", _summary(subject, facts, criteria.task_type)]
    if findings:
        parts += ["<h2>Faults</h2>", _overview(subject, findings)]
    images = [
        f'<img alt="{escape(name.replace("_", " "))}" src="data:image/png;base64,{b64encode(content).decode()}">'
        for name, content in charts.items()
    ]
    parts += ["<h2>Contents of the dataset</h2>", f'<div class="charts">{"".join(images)}</div>']
    if criteria.task_type in TASKS_WITH_CLASSES:
        parts += [f"<h2>{subject.say('Clips of each class and item')}</h2>", _class_table(subject, facts, criteria.task_type)]
    others = [finding for finding in findings if finding not in severe]
    if others:
        parts += ["<h2>Faults in detail</h2>", *(_finding(subject, finding, facts) for finding in others)]
    parts.append(_limits_of_method(subject))
    head, body = HEAD.format(title=escape(subject.dataset)), visible("".join(parts))
    return f"<!DOCTYPE html>\n<html lang='en'>{head}<body>{body}</body></html>\n"


def _verdict(subject: Subject, findings: Sequence[Finding]) -> str:
    boxes = []
    if subject.refusal:
        boxes.append(f'<p class="box refused"><b>The list of clips cannot be used.</b> {escape(subject.refusal)}</p>')
    severe = [finding for finding in findings if finding.level == "refused"]
    if severe or subject.folds.refusal:
        names = ", ".join(f"{finding.slug} ({counted(len(finding.where), finding.subject)})" for finding in severe)
        why = " ".join(filter(None, [f"{names}." if names else "", subject.folds.refusal]))
        boxes.append(f'<p class="box refused"><b>No experiment can use this dataset as it is:</b> {escape(why)}</p>')
    elif findings and not subject.refusal:
        boxes.append('<p class="box doubtful"><b>Experiments can use this dataset.</b> See its possible faults below.</p>')
    elif not subject.refusal:
        boxes.append('<p class="box clean"><b>No faults were found.</b></p>')
    if subject.headers_only:
        boxes.append(
            '<p class="box doubtful">Only the headers of the files were read: silent, clipped, damaged and identical clips are '
            "not found that way. Run the check again without --headers-only.</p>"
        )
    return "".join(boxes)


def _summary(subject: Subject, facts: pd.DataFrame, task_type: str) -> str:
    original = facts[~facts["augmented"]]
    hours = facts["duration_s"].sum() / 3600
    amount = f"{hours:.2f} h" if hours >= 1 else f"{60 * hours:.1f} min"
    n_faulty = int((facts["faults"] != "").sum())
    rows = {
        "Corpus": f"{subject.corpus}, in {subject.audio_folder}",
        "Clips": f"{len(original)}"
        + (f", and {counted(len(facts) - len(original), 'augmented copy')}" if len(original) < len(facts) else ""),
        subject.say("Items"): f"{original['item'].nunique()}",
        "Targets": ", ".join(_targets(original, task_type)) or "none",
        "Audio": f"{amount} in {counted(facts['path'].nunique(), 'file')}",
        "Formats": ", ".join(f"{name} ({count})" for name, count in facts["subtype"].value_counts().items()) or "none",
        "Clips with a fault": f"{n_faulty} ({n_faulty / len(facts):.1%})",
    }
    notes = [note for note in (subject.note, subject.folds.note) if note]
    if notes:
        rows["Note"] = "; ".join(notes)
    return _table(None, [[escape(name), escape(value)] for name, value in rows.items()], "facts")


def _targets(facts: pd.DataFrame, task_type: str) -> list[str]:
    if task_type in TASKS_WITH_CLASSES:
        return [counted(len(class_names_of(facts["label"], task_type)), "class")]
    columns = label_columns(facts.columns) if task_type == "regression" else []
    return [f"{column.removeprefix('label:')} from {facts[column].min():g} to {facts[column].max():g}" for column in columns]


def _overview(subject: Subject, findings: Iterable[Finding]) -> str:
    rows = []
    for finding in findings:
        cells = [
            f'<a href="#{_anchor(finding)}">{escape(finding.slug)}</a>',
            f'<span class="tag {_css_class(finding)}">{finding.level}</span>',
            subject.say(counted(len(finding.where), finding.subject)),
        ]
        rows.append([*cells, subject.say(finding.message), subject.say(finding.advice)])
    legend = "; ".join(f"{level}: {meaning}" for level, meaning in LEVELS.items())
    return _table(["Fault", "Effect", "Found", "Meaning", "What to do"], rows, "overview") + f"<p class='note'>{legend}.</p>"


def _finding(subject: Subject, finding: Finding, facts: pd.DataFrame) -> str:
    shown = list(finding.where.items())[:LARGEST_N_LISTED]
    if finding.subject == "clip":
        columns = ["clip", "item", *label_columns(facts.columns)]
        rows = [[*(escape(str(facts.at[key, column])) for column in columns), escape(reason)] for key, reason in shown]
        head = ["Clip", subject.say("Item"), *(column.removeprefix("label:").capitalize() for column in columns[2:]), "Why"]
    else:
        head = [subject.say(finding.subject.capitalize()), "Why"]
        rows = [[escape(str(key)), escape(reason)] for key, reason in shown]
    more = len(finding.where) - len(shown)
    note = f"<p class='note'>And {more} more; quality.csv lists all clips with faults.</p>" if more else ""
    return (
        f'<section class="finding {_css_class(finding)}" id="{_anchor(finding)}">'
        f"<h3>{escape(capital(finding.slug))}: "
        f"{subject.say(counted(len(finding.where), finding.subject))}</h3>"
        f"<p>{subject.say(finding.message)} <b>What to do:</b> {subject.say(finding.advice)}</p>"
        f"{_table(head, rows, 'clips')}{note}</section>"
    )


def _class_table(subject: Subject, facts: pd.DataFrame, task_type: str) -> str:
    usable = count_labels(facts, task_type)
    if usable.empty:
        return "<p class='note'>No clip can be used.</p>"
    by_item, by_class = usable["item"].value_counts(), usable["label"].value_counts()
    items, classes = list(by_item.index[:LARGEST_N_ITEMS]), list(by_class.index[:LARGEST_N_CLASSES])
    pairs = usable.groupby(["item", "label"]).size().to_dict()
    largest = max(pairs.values())
    rows = []
    for item in sorted(items, key=natural_key):
        cells = [_shaded(pairs.get((item, label), 0), largest) for label in sorted(classes, key=natural_key)]
        rows.append(f"<tr><th>{escape(item)}</th>{''.join(cells)}<td class='total'>{by_item[item]}</td></tr>")
    totals = "".join(f"<td class='total'>{by_class[label]}</td>" for label in sorted(classes, key=natural_key))
    head = "".join(f"<th><span>{escape(label)}</span></th>" for label in sorted(classes, key=natural_key))
    cut = [
        subject.say(f"the {limit} largest of {len(counts)} {name} are shown")
        for name, counts, limit in (("items", by_item, LARGEST_N_ITEMS), ("classes", by_class, LARGEST_N_CLASSES))
        if len(counts) > limit
    ]
    if cut:
        cut.append("class_item.csv has all")
    cut += ["a clip counts for each of its labels"] if task_type == MULTI_LABEL else []
    note = "Usable clips, without augmented copies; a dot means none" + "".join(f"; {limit}" for limit in cut)
    return (
        f"<p class='note'>{note}.</p><div class='scroll'><table class='heat'>"
        f"<thead><tr><th>{subject.say('Item')}</th>{head}<th>All</th></tr></thead>"
        f"<tbody>{''.join(rows)}<tr><th>{subject.say('All items')}</th>{totals}"
        f"<td class='total'>{len(usable)}</td></tr></tbody></table></div>"
    )


def _shaded(count: int, largest: int) -> str:
    """Return a cell with a count, darker for larger counts."""
    if not count:
        return "<td class='none'>·</td>"
    return f"<td style='background:rgba(42,111,151,{0.08 + 0.5 * count / largest:.2f})'>{count}</td>"


def _limits_of_method(subject: Subject) -> str:
    if subject.headers_only:
        return ""
    return f"<h2>What is compared</h2><p class='note'>{_METHOD}</p>"


def _table(head: Sequence[str] | None, rows: Iterable[Sequence[str]], kind: str) -> str:
    """Return an HTML table; the cells are HTML."""
    top = f"<thead><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr></thead>" if head else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class='scroll'><table class='{kind}'>{top}<tbody>{body}</tbody></table></div>"


def _anchor(finding: Finding) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in finding.slug.lower())


def _css_class(finding: Finding) -> str:
    return finding.level.replace(" ", "-")
