"""VoxCeleb1 and 2: celebrities who speak in videos.

Layout: ``id10001/1zcIwhmdeo4/00001.wav`` or ``.m4a``: speaker, context (a video), segment of it; also below ``wav/``,
``aac/``, ``dev/``, ``test/``, or several of them. If the label is the speaker (speaker identification), the item is the
context, so a network is tested on unseen videos of speakers that it was trained on. For gender and nationality, which are in
``vox1_meta.csv``, the item is the speaker.
Phases: ``iden_split.txt``, the official list (``1 id10003/na8-QEFmj44/00003.wav``; 1 training, 2 validation, 3 test); or a
csv file with the columns phase, path, and, if the path does not contain them, id and context. Recordings that are not listed
are excluded. Endings are not compared, so a list of wav files fits m4a files.
Source: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/ (Nagrani, Chung and Zisserman, 2017), for registered users; xval does
not download it. Licence: CC BY 4.0; the copyright of the videos stays with their owners.
"""

import re
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from preprocessing.corpora._layout import clip_table, read_names, refuse_unknown, split_names
from preprocessing.corpora._reading import Reading
from preprocessing.corpora._tables import (
    PHASE_NAMES,
    PHASES,
    Fault,
    find_nearby,
    read_table,
    read_text,
    refuse_faults,
    wrong_widths,
)
from xval.base.errors import CorpusError, SettingsError, suggestion, verb_of

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AS = ("VoxCeleb1", "VoxCeleb2")
_EXPECTED = "{speaker}/{context}/{number}.wav or .m4a, such as id10001/1zcIwhmdeo4/00001.wav"
_ABOVE = r"(?:wav|aac|dev|test|raw|vox[12]\w*)"
_PATTERN = re.compile(rf"(?:{_ABOVE}/)*(?!{_ABOVE}/)(?P<speaker>[^/]+)/(?P<context>[^/]+)/(?P<stem>[^/]+)\.\w+", re.IGNORECASE)
_LABELS = ("speaker", "gender", "nationality")
_META = Path("vox1_meta.csv")
_META_URL = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta/vox1_meta.csv"
_VALIDATION_SHARE = 0.15
_TEST_SHARE = 0.15
_MIN_CONTEXTS = 3

_Key = tuple[str, str, str]
"""Speaker, context, and file name without its ending, which identify a recording in any folder and format."""


def list_clips(
    audio_folder: Path,
    *,
    item: Literal["auto", "context", "speaker"] = "auto",
    label: str = "speaker",
    phases: str = "none",
    draw_phases: bool = False,
    seed: int = 0,
    meta: Path = _META,
) -> "pd.DataFrame":
    """List the recordings.

    Args:
        audio_folder: The folder of the speakers' folders, or one above it.
        item: context: folds over videos, to identify known speakers; speaker: folds over speakers, for gender or nationality;
            auto: the one that the label needs.
        label: The target: speaker; gender or nationality, from meta; several with commas are joined.
        phases: A list of the training, validation and test recordings: iden_split.txt, or a csv file with the columns phase,
            path, id, context. Recordings that are not listed are excluded.
        draw_phases: true: draw the phases at random, 70, 15 and 15 % of every speaker's videos; a speaker with 3 videos or more
            has all phases, one with 2 has training and test.
        seed: Another number draws other phases.
        meta: The table of the speakers; searched in the audio folder and next to it.

    Returns:
        path, item, label, phase if there is a list or a draw, stretch (name of the segment) and all other facts, sorted by
        path. Its ``attrs["note"]`` says how many recordings are excluded, and whether speakers are in training and test
        although the label needs unseen speakers.
    """
    import pandas as pd

    labels = split_names(label)
    item_column = ("context" if "speaker" in labels else "speaker") if item == "auto" else item
    _check_options(item_column, labels, phases, draw_phases)
    keys = _find_recordings(audio_folder)
    facts = pd.DataFrame(list(keys.values()), columns=["speaker", "context", "stretch"])
    facts.insert(0, "path", list(keys))
    notes = []
    if item_column == "context" and "speaker" not in labels:
        notes.append(
            f"--item context --label {label}: the same speakers are in training and test, so a network may learn the voice "
            "instead of the label. Remove --item to test on unseen speakers."
        )
    if phases != "none":
        facts["phase"] = _listed_phases(Path(phases), list(keys.values()))
        n_found = len(facts)
        facts = facts[facts["phase"].notna()].reset_index(drop=True)
        if len(facts) < n_found:
            n_unlisted = n_found - len(facts)
            notes.append(
                f"{n_unlisted} of {n_found} recordings {verb_of(n_unlisted)} skipped, because {phases} does not list "
                f"{'it' if n_unlisted == 1 else 'them'}."
            )
    elif draw_phases:
        drawn = _draw_phases(set(zip(facts["speaker"], facts["context"], strict=True)), seed)
        facts["phase"] = [drawn[video] for video in zip(facts["speaker"], facts["context"], strict=True)]
    if {"gender", "nationality"} & set(labels):
        facts = facts.merge(_read_meta(meta, audio_folder, set(facts["speaker"])), on="speaker")
    facts["context"] = facts["speaker"] + "/" + facts["context"]
    clips = clip_table(facts, item=item_column, label=label)
    clips.attrs["note"] = " ".join(notes)
    return clips


def _check_options(item: str, labels: list[str], phases: str, draw_phases: bool) -> None:
    refuse_unknown("label", labels, _LABELS, "unknown.", error=SettingsError)
    if phases != "none" and draw_phases:
        raise SettingsError(f"--phases {phases} and --draw-phases true cannot be combined. Give one of them.")
    if item == "speaker" and "speaker" in labels:
        raise SettingsError(
            "--item speaker --label speaker: every tested speaker would be unseen, so the network could not name any. Give "
            "--item context, or --label gender."
        )
    if item == "speaker" and draw_phases:
        raise SettingsError(
            "--draw-phases true divides the videos of every speaker, so speakers are on both sides of the split. Give --item "
            f"context, or for --label {','.join(labels)} remove --draw-phases."
        )


def _find_recordings(audio_folder: Path) -> dict[str, _Key]:
    """Return the recording of every path; raise CorpusError if a recording exists in two formats or folders."""
    names = read_names(audio_folder, _PATTERN, _EXPECTED)[["path", "speaker", "context", "stem"]]
    keys: dict[str, _Key] = {path: tuple(key) for path, *key in names.itertuples(index=False)}
    seen: dict[_Key, str] = {}
    for path, key in keys.items():
        if key in seen:
            raise CorpusError(
                f"{audio_folder} has one recording twice: {seen[key]} and {path}. Keep one of them, or give the folder that "
                "has only one."
            )
        seen[key] = path
    return keys


def _listed_phases(path: Path, keys: list[_Key]) -> list[str | None]:
    """Return the phase of every recording; None: it is not in the list."""
    listed = _read_split(path) if path.suffix.lower() == ".txt" else _read_phases(path)
    phases = [listed.get(key) for key in keys]
    if not any(phases):
        theirs, ours = "/".join(next(iter(listed))), "/".join(keys[0])
        raise CorpusError(
            f"{path} lists none of the {len(keys)} recordings. It lists {theirs} (and {len(listed) - 1} more); the "
            f"recordings are {ours} and so on. Speaker, context and file must be the same."
        )
    return phases


def _read_split(path: Path) -> dict[_Key, str]:
    """Return the phase of every recording in iden_split.txt, whose lines have a phase, a blank and a path."""
    lines = read_text(path, "Give the path of iden_split.txt or of a csv file.").splitlines()
    cells = [(number, line.split(maxsplit=1)) for number, line in enumerate(lines, 1) if line.strip()]
    short = [Fault(number, f"received '{' '.join(row)}'; expected a phase and a path") for number, row in cells if len(row) < 2]
    refuse_faults(path, short, "lines that are not like '1 id10003/na8-QEFmj44/00003.wav'")
    return _collect(path, [(number, phase, None, None, name) for number, (phase, name) in cells])


def _read_phases(path: Path) -> dict[_Key, str]:
    needed = {"phase", "path", "id", "context"}.__contains__
    columns, lines = read_table(path, "phase, path, id, context", needed=needed, others=False)
    for column in ("phase", "path"):
        if column not in columns:
            raise CorpusError(f"{path}, line 1: no column '{column}'. {suggestion(column, columns)}")
    refuse_faults(path, wrong_widths(columns, lines))
    rows = [(line, dict(zip(columns, map(str.strip, cells), strict=True))) for line, cells in lines]
    return _collect(path, [(line, row["phase"], row.get("id"), row.get("context"), row["path"]) for line, row in rows])


def _collect(path: Path, rows: list[tuple[int, str, str | None, str | None, str]]) -> dict[_Key, str]:
    """Return the phase of every recording from rows of line, phase, speaker, context and path; raise CorpusError for faults."""
    listed: dict[_Key, str] = {}
    faults = []
    for line, phase, speaker, context, name in rows:
        parts = ["", "", *name.replace("\\", "/").split("/")]
        key = (speaker or parts[-3], context or parts[-2], Path(parts[-1]).stem)
        if phase.lower() not in PHASES:
            faults.append(Fault(line, f"received phase '{phase}'; expected {PHASE_NAMES}"))
        elif not all(key):
            faults.append(Fault(line, f"received path '{name}'; expected speaker/context/file, or columns id and context"))
        elif listed.setdefault(key, PHASES[phase.lower()]) != PHASES[phase.lower()]:
            faults.append(Fault(line, f"{'/'.join(key)} is in two phases, {listed[key]} and {PHASES[phase.lower()]}"))
    refuse_faults(path, faults, "wrong lines")
    if not listed:
        raise CorpusError(f"{path} names no recordings.")
    return listed


def _draw_phases(videos: set[tuple[str, str]], seed: int) -> dict[tuple[str, str], str]:
    """Return a random phase for every video; the draw for a speaker does not depend on the other speakers.

    Args:
        videos: Speaker and context of each video.
        seed: Seed of the order in which a speaker's videos are assigned.
    """
    contexts: dict[str, list[str]] = {}
    for speaker, context in videos:
        contexts.setdefault(speaker, []).append(context)
    drawn = {}
    for speaker, names in contexts.items():
        shuffled = sorted(names, key=lambda name: blake2b(f"{seed}/{speaker}/{name}".encode()).digest())
        n_test = max(round(len(names) * _TEST_SHARE), int(len(names) > 1))
        n_validation = max(round(len(names) * _VALIDATION_SHARE), int(len(names) >= _MIN_CONTEXTS))
        for position, name in enumerate(shuffled):
            phase = "test" if position < n_test else "validation" if position < n_test + n_validation else "training"
            drawn[speaker, name] = phase
    return drawn


def _read_meta(meta: Path, audio_folder: Path, speakers: set[str]) -> "pd.DataFrame":
    """Return speaker, gender and nationality of the speakers; VoxCeleb2 has no nationality."""
    import pandas as pd

    path = find_nearby(meta, audio_folder, default=_META)
    if path is None:
        raise CorpusError(
            f"There is no file {meta}, neither in {audio_folder} nor next to it. Download {_META_URL}, or give --meta."
        )
    wanted = {"speaker": r"VoxCeleb[12] ID", "gender": "Gender", "nationality": "Nationality"}
    columns, lines = read_table(
        path,
        "VoxCeleb1 ID, VGGFace1 ID, Gender, Nationality, Set",
        needed=lambda column: any(re.fullmatch(pattern, column) for pattern in wanted.values()),
        others=False,
    )
    places = {
        name: place for name, pattern in wanted.items() for place, column in enumerate(columns) if re.fullmatch(pattern, column)
    }
    for name in ("speaker", "gender"):
        if name not in places:
            raise CorpusError(f"{path}, line 1: no column '{wanted[name].replace('[12]', '1')}'. Found: {', '.join(columns)}.")
    lines = Reading().blank_missing(columns, lines)
    rows = [{name: cells[place].strip() for name, place in places.items() if place < len(cells)} for _, cells in lines]
    table = pd.DataFrame(rows)
    missing = sorted(speakers - set(table["speaker"]))
    if missing:
        raise CorpusError(f"{path} lacks {len(missing)} of {len(speakers)} speakers: {', '.join(missing[:3])}.")
    return table.drop_duplicates("speaker")
