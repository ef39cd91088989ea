"""corrections.csv: the verdicts of reviewers on the labels of clips, and the labels on which all of them agree.

``xval review-labels`` adds the verdicts one by one. The file has a row per clip and reviewer, the latest verdict last. The
audio and the reviewed dataset are not changed.
"""

import csv
import hashlib
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock, Timeout

from preprocessing.clips.index_file import CORRECTIONS, INDEX_NAME, read_index
from preprocessing.clips.label_sets import plain_name
from preprocessing.clips.notation import composed
from preprocessing.clips.table import check_names, refuse_unwritable
from preprocessing.file_replacement import replace_file
from xval.base.csv_text import guard, unguard
from xval.base.errors import CorpusError, brief, counted, first_of, suggestion
from xval.base.operating_system import open_regular, refusal
from xval.base.size_limits import LARGEST_TABLE_BYTES

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "corrections.csv"
RIGHT, WRONG, UNSURE, BAD = "right", "wrong", "unsure", "bad recording"
VERDICTS = (RIGHT, WRONG, UNSURE, BAD)

_FEWEST_FOR_KAPPA = 10
_LOCKED_FOR_S = 10  # much longer than a writer needs, which is milliseconds


@dataclass(frozen=True)
class LabelVerdict:
    """The verdict of a reviewer on the label of a clip; each attribute is a column of the file.

    Attributes:
        clip: Name of the clip.
        verdict: One of `VERDICTS`.
        old: The label that was judged.
        new: The right label if the old one is wrong; otherwise empty.
        who: Name of the reviewer.
        when: Time of the verdict, ISO 8601 with the offset from UTC.
        why: Why the label was suspicious.
        index_hash: Hash of the index of the reviewed dataset.
    """

    clip: str
    verdict: str
    old: str
    new: str
    who: str
    when: str
    why: str
    index_hash: str


_NAMES = [field.name for field in fields(LabelVerdict)]


class Corrections(NamedTuple):
    """The verdicts of a corrections.csv, combined over its reviewers.

    Attributes:
        agreed: The common verdict of all reviewers of a clip, by clip.
        disputed: Clips on which the reviewers do not agree; their labels stay as they are.
        facts: Facts that the corrected dataset stores: file (path), sha256 (of the file), of_index (hash of the index of the
            reviewed dataset), reviewers (names).
    """

    agreed: dict[str, LabelVerdict]
    disputed: list[str]
    facts: dict[str, Any]


def read_verdicts(path: Path) -> list[LabelVerdict]:
    """Return the verdicts of a file in their order; none if there is no file.

    Raises:
        CorpusError: It is damaged, or has a verdict that no review would write.
    """
    try:
        with open_regular(path, LARGEST_TABLE_BYTES) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, strict=True, restkey="more", restval="")
            rows = list(reader)
        if lacking := set(_NAMES) - set(reader.fieldnames or ()):
            raise ValueError(f"the column is missing: {', '.join(sorted(lacking))}")  # noqa: TRY301 - worded below
        if any("more" in row for row in rows):
            raise ValueError("a row has more cells than there are columns")  # noqa: TRY301 - worded below
        verdicts = [LabelVerdict(**{name: _read_cell(name, row[name]) for name in _NAMES}) for row in rows]
        _check(verdicts)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error, CorpusError) as error:
        raise CorpusError(
            f"{path}: cannot be read as verdicts of a review ({brief(error, 300)}). Its columns are {', '.join(_NAMES)}. Fix "
            "it, or move it away."
        ) from error
    return verdicts


def _read_cell(column: str, text: str) -> str:
    """Return a cell; labels and reviewers in Unicode form NFC, as in a dataset, in case another program rewrote the file."""
    return composed(unguard(text)) if column in ("old", "new", "who") else unguard(text)


class VerdictFile:
    """The corrections.csv of a running review, which is read again only if another process has changed it.

    All methods raise CorpusError if the folder of the dataset is gone (for example renamed), if another process has locked the
    file, or if it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state: tuple[int, ...] | None = None
        self._verdicts: list[LabelVerdict] = []

    def read(self) -> list[LabelVerdict]:
        """Return the verdicts of the file in their order."""
        refuse_gone(self.path.parent)
        state = _state(self.path)
        if state is None or state != self._state:
            self._verdicts, self._state = read_verdicts(self.path), state
        return self._verdicts

    def add(self, said: LabelVerdict) -> None:
        """Add a verdict at the end, and remove an earlier one of this reviewer on this clip.

        Without an earlier one, a line is appended, so that the last of many thousand verdicts takes no longer than the first.
        """
        with _held(self.path):
            verdicts = self.read()
            _check([said])
            others = [row for row in verdicts if _judged(row) != _judged(said)]
            if len(others) < len(verdicts) or not _append(said, self.path):
                replace_file(self.path, partial(_write, [*others, said]))
            self._verdicts, self._state = [*others, said], _state(self.path)

    def take_back(self, is_meant: Callable[[LabelVerdict], bool]) -> LabelVerdict | None:
        """Remove the last verdict for which ``is_meant`` returns true, and return it; None: there is none."""
        with _held(self.path):
            verdicts = [*self.read()]
            place = next((place for place in reversed(range(len(verdicts))) if is_meant(verdicts[place])), None)
            if place is None:
                return None
            undone = verdicts.pop(place)
            replace_file(self.path, partial(_write, verdicts))
            self._verdicts, self._state = verdicts, _state(self.path)
            return undone


def refuse_gone(corpus_folder: Path) -> None:
    """Raise CorpusError if the folder of the dataset is gone; a new one must not be created in its place."""
    if not corpus_folder.is_dir():
        raise CorpusError(
            f"{corpus_folder}: the dataset is no longer there, so verdicts cannot be read or written. Give it its old name, "
            "or restart the review with --data-folder."
        )


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Lock the file for this process within this block; other processes wait meanwhile."""
    refuse_gone(path.parent)  # first, because a lock would create the folder
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCKED_FOR_S):
            yield
    except Timeout as error:
        raise CorpusError(
            f"{path}: another process has locked it for {_LOCKED_FOR_S} s. End that process and try again."
        ) from error


def _state(path: Path) -> tuple[int, ...] | None:
    """Return a value that changes when a file is written; None: there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _judged(verdict: LabelVerdict) -> tuple[str, str, str]:
    """Return the key of a verdict, of which there is one per clip, reviewer and index."""
    return verdict.clip, verdict.who, verdict.index_hash


def _append(said: LabelVerdict, path: Path) -> bool:
    """Append a verdict to the file; return False if there is no file, or if a spreadsheet has saved it in another form."""
    head = _as_text([_NAMES]).encode()
    try:
        with path.open("rb+") as file:
            if file.read(len(head)) != head:
                return False
            size = file.seek(-1, os.SEEK_END) + 1
            if file.read(1) != b"\n":
                return False
            try:
                file.write(_as_text([_cells(said)]).encode())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)  # half a line would damage the file
                raise
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CorpusError(f"{path} cannot be written: {refusal(error)}.") from error
    return True


def read_corrections(path: Path) -> Corrections:
    """Return the verdicts of a file on which all reviewers of a clip agree.

    Raises:
        CorpusError: The file is missing or damaged, is about several datasets, or would change nothing.
    """
    verdicts = read_verdicts(path)
    if not verdicts:
        raise CorpusError(
            f"--corrections {path}: {'there is no verdict in it' if path.exists() else 'no such file'}. xval "
            "review-labels EXPERIMENT writes one."
        )
    if len(hashes := {verdict.index_hash for verdict in verdicts}) > 1:
        raise CorpusError(
            f"--corrections {path}: has verdicts on {len(hashes)} datasets. Keep those of one (column index_hash)."
        )
    by_clip: dict[str, list[LabelVerdict]] = {}
    for verdict in verdicts:
        by_clip.setdefault(composed(verdict.clip), []).append(verdict)
    agreed = {
        clip: clip_verdicts[-1]
        for clip, clip_verdicts in by_clip.items()
        if len({(row.verdict, row.new) for row in clip_verdicts}) == 1
    }
    if not any(verdict.verdict in (WRONG, BAD) for verdict in agreed.values()):
        raise CorpusError(
            f"--corrections {path}: its reviewers agree on no wrong label and no bad recording, so there is nothing to change."
        )
    facts = {
        "file": str(path.resolve()),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "of_index": hashes.pop(),
        "reviewers": sorted({verdict.who for verdict in verdicts}),
    }
    return Corrections(agreed, [clip for clip in by_clip if clip not in agreed], facts)


def check_place(folder: Path, task_type: str) -> None:
    """Check that a corrected dataset may be written into a folder.

    Args:
        folder: data/<dataset>.
        task_type: Task of the dataset.

    Raises:
        CorpusError: The folder has the dataset without corrections, or the task is not classification.
    """
    if task_type != "classification":
        raise CorpusError(
            f"--corrections: labels can be corrected only for classification; received task_type={task_type}. Remove "
            "--corrections."
        )
    path = folder / INDEX_NAME
    if path.exists() and not read_index(path)[1].get(CORRECTIONS):
        raise CorpusError(
            f"{folder}: already has the dataset without corrections, which is kept. Give the corrected dataset another name "
            "with --dataset."
        )


def correct(clips: "pd.DataFrame", corrections: Corrections, answer: str = "") -> "tuple[pd.DataFrame, dict[str, Any]]":
    """Return clips with the labels on which reviewers agree, and the facts that a corrected dataset stores.

    Args:
        clips: One row per clip, with the columns clip, label, source_clip and reason (null: usable). A bad recording and its
            augmented copies get a reason.
        corrections: The verdicts on these clips.
        answer: The answer to whether classes that differ only in notation are the same, as for `check_names`.

    Returns:
        The clips; and the facts of `Corrections` with n_changed, n_left_out (clips, without copies) and n_disputed.

    Raises:
        CorpusError: A reviewed clip is not among the clips, or has another label than the reviewed one.
    """
    labels = dict(zip(clips["clip"], clips["label"], strict=True))
    source = corrections.facts["file"]
    clip_names = {composed(clip): clip for clip in labels}
    agreed = {clip_names.get(composed(clip), clip): verdict for clip, verdict in corrections.agreed.items()}
    if unknown := [clip for clip in agreed if clip not in labels]:
        raise CorpusError(
            f"--corrections {source}: {len(unknown)} of its clips are not in this dataset ({first_of(unknown, 3)}). Prepare "
            "it with the same options as the dataset that was reviewed."
        )
    if other := [clip for clip, verdict in agreed.items() if labels[clip] != verdict.old]:
        raise CorpusError(
            f"--corrections {source}: {other[0]} was reviewed as '{agreed[other[0]].old}', but has the label "
            f"'{labels[other[0]]}' here ({counted(len(other), 'such clip')}). Review this version of the dataset."
        )
    source_clips = clips["source_clip"].where(clips["source_clip"].notna(), clips["clip"])
    new = {clip: verdict.new for clip, verdict in agreed.items() if verdict.verdict == WRONG}
    bad = {clip for clip, verdict in agreed.items() if verdict.verdict == BAD}
    corrected = clips.assign(
        label=source_clips.map(new).fillna(clips["label"]),
        reason=clips["reason"].where(
            clips["reason"].notna() | ~source_clips.isin(bad), "a bad recording according to its reviewers"
        ),
    )
    check_names(corrected["label"], "classes", answer)
    counts = {"n_changed": len(new), "n_left_out": len(bad), "n_disputed": len(corrections.disputed)}
    return corrected, corrections.facts | counts


def describe_agreement(verdicts: Iterable[LabelVerdict], reviewer: str | None = None) -> list[str]:
    """Return a sentence about each pair of reviewers who judged the same clips, with Cohen's kappa of their verdicts.

    Kappa compares the four verdicts; how often both named the same new label is reported in addition. Source: Cohen 1960, "A
    coefficient of agreement for nominal scales", Educational and Psychological Measurement 20.

    Args:
        verdicts: Verdicts of all reviewers.
        reviewer: Only pairs with this reviewer; None: all pairs.
    """
    by_reviewer: dict[str, dict[str, LabelVerdict]] = {}
    for verdict in verdicts:
        by_reviewer.setdefault(verdict.who, {})[verdict.clip] = verdict
    names = sorted(by_reviewer)
    pairs = [(first, second) for place, first in enumerate(names) for second in names[place + 1 :]]
    pairs = [pair for pair in pairs if reviewer is None or reviewer in pair]
    return [text for pair in pairs if (text := _describe_pair(pair, *(by_reviewer[name] for name in pair)))]


def _describe_pair(names: tuple[str, str], first: dict[str, LabelVerdict], second: dict[str, LabelVerdict]) -> str:
    common = [clip for clip in first if clip in second]
    if not common:
        return ""
    own, other = ([of[clip].verdict for clip in common] for of in (first, second))
    n_equal = sum(map(str.__eq__, own, other))
    if len(common) < _FEWEST_FOR_KAPPA:
        kappa = f"Cohen's kappa needs at least {_FEWEST_FOR_KAPPA} clips"
    elif len({*own, *other}) == 1:
        kappa = "Cohen's kappa is undefined, because all verdicts are the same"
    else:
        from sklearn.metrics import cohen_kappa_score

        kappa = f"Cohen's kappa {cohen_kappa_score(own, other):.2f}"
    text = (
        f"{names[0]} and {names[1]}: {counted(len(common), 'clip')} judged by both, {n_equal} with the same verdict, {kappa}."
    )
    both_wrong = [clip for clip in common if first[clip].verdict == second[clip].verdict == WRONG]
    n_same = sum(first[clip].new == second[clip].new for clip in both_wrong)
    return text + (f" Of {len(both_wrong)} that both judged wrong, {n_same} got the same new label." if both_wrong else "")


def _check(verdicts: Sequence[LabelVerdict]) -> None:
    """Raise ValueError for verdicts that no review would write."""
    refuse_unwritable((verdict.who for verdict in verdicts), "reviewers")
    pairs = [(verdict.clip, verdict.who) for verdict in verdicts]
    for verdict, pair in zip(verdicts, pairs, strict=True):
        about = f"{verdict.clip!a} by {verdict.who!a}"
        if not all(pair):
            raise ValueError("a row has no clip or no reviewer (who)")
        if not re.fullmatch("[0-9a-f]{32}", verdict.index_hash):
            raise ValueError(
                f"{about}: index_hash {verdict.index_hash!a} is not the hash of a dataset; the file may be cut off"
            )
        if verdict.verdict not in VERDICTS:
            raise ValueError(f"{about}: unknown verdict '{verdict.verdict}'. {suggestion(verdict.verdict, VERDICTS)}")
        if (verdict.verdict == WRONG) != bool(verdict.new) or verdict.new == verdict.old:
            raise ValueError(
                f"{about}: a wrong label needs another label in the column new; every other verdict leaves it empty"
            )
        if plain_name(verdict.new) != verdict.new:
            raise ValueError(
                f"{about}: the new label {verdict.new!a} begins or ends with blanks, or is not in Unicode form NFC"
            )
    if len({(*pair, verdict.index_hash) for verdict, pair in zip(verdicts, pairs, strict=True)}) < len(pairs):
        raise ValueError("a reviewer has judged a clip twice; keep the later row")


def _cells(verdict: LabelVerdict) -> list[str]:
    return [guard(getattr(verdict, name)) for name in _NAMES]


def _as_text(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=os.linesep).writerows(rows)
    return text.getvalue()


def _write(verdicts: Sequence[LabelVerdict], path: Path) -> None:
    path.write_text(_as_text([_NAMES, *map(_cells, verdicts)]), encoding="utf-8", newline="")
