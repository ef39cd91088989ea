"""``xval prepare CORPUS ... --check``: from a corpus to data/<dataset>/quality/, a report on what is wrong with it.

There are quality.csv with a row per clip, class_item.csv with the clips of each class and item, quality.html, and its pictures.
"""

import argparse
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from rich.console import Console

from preprocessing.clips.augmented_copies import add_copies
from preprocessing.clips.columns import collect_columns
from preprocessing.clips.index_file import word_of_item
from preprocessing.clips.listing import ITEM_NAME
from preprocessing.clips.same_files import first_paths
from preprocessing.clips.table import check_clips, label_columns
from preprocessing.commands.command_line import CLIPPED_SHARE, MIN_DURATION_S, CorpusChoice, read_settings
from preprocessing.console import EXIT_USAGE, make_console, progress_bar
from preprocessing.corpus_folder import corpus_folder
from preprocessing.file_replacement import replace_file
from preprocessing.quality.charts import draw_charts
from preprocessing.quality.facts import HEADER_COLUMNS, MEASURED_COLUMNS, measure, read_headers
from preprocessing.quality.faults import find_faults, without_refusal
from preprocessing.quality.foldable import FoldsVerdict, judge_folds
from preprocessing.quality.near_duplicates import find_near_duplicates
from preprocessing.quality.report import Subject, make_page
from preprocessing.quality.rules import TASKS_WITH_CLASSES, Criteria, count_by_class_and_item, usable_clips
from xval.base.csv_text import guarded
from xval.base.errors import CorpusError, counted
from xval.base.findings import Finding
from xval.base.item_word import ITEM, call_items
from xval.folds.shared_columns import find_shared_columns

TABLE_NAME, COUNTS_NAME, PAGE_NAME = "quality.csv", "class_item.csv", "quality.html"

_STYLES = {"refused": "bold red", "left out": "yellow", "doubtful": ""}


def check_corpus(corpus: CorpusChoice, values: argparse.Namespace, n_processes: int) -> int:
    """Report on a corpus; return 2 where experiments refuse it, else 0.

    A clip that cannot be read, or a list of clips that is refused, is reported and stops nothing.

    Args:
        corpus: Which one, and where it is.
        values: What `add_check_arguments` declares, and the settings (`overrides`).
        n_processes: Processes that read audio.
    """
    settings = read_settings(corpus.feature_overrides(values.overrides))
    folder = values.check_output or corpus_folder(corpus.dataset, corpus.data_folder) / "quality"
    console = make_console()
    console.print(f"Listing the clips of {corpus.reader.name} in {corpus.place}")
    # The events of recordings are looked at one by one.
    task_type = "classification" if corpus.task_type == "frame_classification" else corpus.task_type
    listed = corpus.list_clips()
    note = str(listed.attrs.get("note", ""))
    clips, refusal = _complete(listed, corpus.audio_folder, task_type)
    with progress_bar(console, "Reading headers", "files") as progress:
        facts = read_headers(clips, corpus.audio_folder, n_processes=n_processes, progress=progress)
    if not values.check_headers_only:
        with progress_bar(console, "Decoding") as progress:
            facts = measure(facts, corpus.audio_folder, n_processes=n_processes, progress=progress)
        with progress_bar(console, "Comparing", "pairs") as progress:
            facts = find_near_duplicates(facts, corpus.audio_folder, n_processes=n_processes, progress=progress)
    facts = facts.assign(recording=first_paths(facts, corpus.audio_folder))
    has_examples = corpus.task_type != "frame_classification"
    columns = () if refusal else find_shared_columns(*_with_further(listed, clips))
    least_s = MIN_DURATION_S if values.check_min_duration_s is None else values.check_min_duration_s
    clipped = CLIPPED_SHARE if values.check_clipped_share is None else values.check_clipped_share
    criteria = Criteria(least_s, clipped, task_type, settings, has_examples, columns)
    facts, findings = find_faults(facts, criteria)
    folds = FoldsVerdict() if refusal else judge_folds(_foldable(corpus, facts), corpus.task_type)
    if not folds.refusal:
        findings = without_refusal(findings)
    audio_folder, word = corpus.place, word_of_item(str(listed.attrs.get(ITEM_NAME, "")))
    subject = Subject(
        corpus.dataset, corpus.reader.name, audio_folder, bool(values.check_headers_only), refusal, note, folds, word
    )
    _write(folder, subject, facts, findings, criteria)
    _summarise(console, facts, findings, subject)
    console.print(f"Page       {folder / PAGE_NAME}")
    is_refused = refusal or folds.refusal or any(finding.level == "refused" for finding in findings)
    return EXIT_USAGE if is_refused else 0


def _complete(clips: pd.DataFrame, audio_folder: Path, task_type: str) -> tuple[pd.DataFrame, str]:
    """Return the checked list of clips with the augmented copies, and why it is refused, if it is."""
    try:
        checked = check_clips(clips, audio_folder, task_type=task_type)
    except CorpusError as error:
        targets = label_columns(map(str, clips.columns))
        if clips.empty or not targets or not {"path", "item"} <= set(clips.columns):
            raise
        return _as_listed(clips, targets, task_type), str(error)
    try:
        return add_copies(checked, audio_folder), ""
    except CorpusError as error:
        return checked, str(error)


def _with_further(listed: pd.DataFrame, clips: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the checked clips of a list, without augmented copies, with its further columns, and the names of these."""
    own = clips.iloc[: len(listed)]
    further = collect_columns(listed, own["clip"])
    names = [name for name in map(str, further.columns) if name not in own]
    return own.assign(**{name: further[name].to_numpy() for name in names}).loc[~own["augmented"]], names


def _foldable(corpus: CorpusChoice, facts: pd.DataFrame) -> pd.DataFrame:
    """Return the clips that an index of the corpus would have, as far as they were looked at, with what folds are made of."""
    usable = usable_clips(facts)
    if corpus.task_type == "frame_classification":  # its clips are recordings, in which the facts are of events
        recordings, _ = corpus.list_recordings()
        broken = set(facts["path"]) - set(usable["path"])
        usable = recordings[~recordings["path"].isin(broken)].assign(
            clip=recordings["path"], start_s=math.nan, end_s=math.nan, source_clip=None, augmented=False, audio_hash=None
        )
    elif "audio_hash" not in usable:
        usable = usable.assign(audio_hash=None)
    return usable if "recording" not in usable else usable.assign(path=usable["recording"])


def _as_listed(clips: pd.DataFrame, targets: Sequence[str], task_type: str) -> pd.DataFrame:
    """Return a list of clips that is refused with the columns that the report needs."""
    listed = pd.DataFrame({column: clips[column].astype("string").fillna("").astype(object) for column in ("path", "item")})
    listed.insert(0, "clip", listed["path"])
    for column in targets:
        listed[column] = clips[column].astype("string").fillna("").astype(object)
        if task_type == "regression":
            listed[column] = pd.to_numeric(listed[column], errors="coerce")
    for column in ("start_s", "end_s"):
        listed[column] = pd.to_numeric(clips[column], errors="coerce") if column in clips else math.nan
    listed["source_clip"], listed["augmented"] = None, False
    return listed.reset_index(drop=True)


def _write(folder: Path, subject: Subject, facts: pd.DataFrame, findings: Sequence[Finding], criteria: Criteria) -> None:
    clip_columns = ["clip", "path", "item", *label_columns(facts.columns), "start_s", "end_s", "augmented"]
    table = facts.reindex(columns=[*clip_columns, *HEADER_COLUMNS, *MEASURED_COLUMNS, "faults", "reason"])
    charts = draw_charts(facts, criteria.task_type, subject.item_word)
    page = make_page(subject, facts, findings, criteria, charts)
    replace_file(
        folder / TABLE_NAME, lambda path: guarded(table).to_csv(path, index=False, encoding="utf-8", float_format="%.6g")
    )
    if criteria.task_type in TASKS_WITH_CLASSES:
        counts = count_by_class_and_item(facts, criteria.task_type)
        replace_file(folder / COUNTS_NAME, lambda path: guarded(counts).to_csv(path, index=False, encoding="utf-8"))
    for name, content in charts.items():
        replace_file(folder / f"{name}.png", partial(Path.write_bytes, data=content))
    replace_file(folder / PAGE_NAME, lambda path: path.write_text(page, encoding="utf-8"))


def _summarise(console: Console, facts: pd.DataFrame, findings: Sequence[Finding], subject: Subject) -> None:
    original = facts[~facts["augmented"]]
    n_copies = len(facts) - len(original)
    copies = f", {n_copies} augmented copies" if n_copies else ""
    console.print(
        f"Checked    {counted(len(original), 'clip')} of "
        f"{counted(original['item'].nunique(), subject.item_word or ITEM)}{copies}, {facts['duration_s'].sum():.1f} s"
    )
    if subject.note:
        console.print(f"Note       {subject.note}")
    if subject.folds.note:
        console.print(f"Note       {subject.folds.note}")
    if subject.refusal:
        console.print(f"Problem    the list of clips: {subject.refusal}", style="bold red")
    if subject.folds.refusal:
        console.print(f"Problem    no experiment can use this yet: {subject.folds.refusal}", style="bold red")
    for finding in findings:
        n_found = counted(len(finding.where), finding.subject)
        extent, advice = (call_items(text, subject.item_word) for text in (n_found, finding.advice))
        if finding.subject == "sample rate":
            extent = ", ".join(f"{rate} ({clips})" for rate, clips in finding.where.items())
        if finding.shows_first:
            row, reason = next(iter(finding.where.items()))
            extent += f" ({facts['clip'][row]}: {reason}{', ...' * (len(finding.where) > 1)})"
        console.print(f"{finding.level.capitalize():10} {finding.slug}: {extent}. {advice}", style=_STYLES[finding.level])
    if not findings and not subject.refusal and not subject.folds.refusal:
        console.print("Faults     none")
