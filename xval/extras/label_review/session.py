"""A review of labels: what a reviewer is shown of each suspect, and the verdicts, which go to corrections.csv.

Comes in: an instance, its corpus, the name of the reviewer. Goes out: dicts for the page, in which clips and labels have
numbers, so that whatever the page sends back names no file. Verdicts of other reviewers are not shown.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from threading import RLock
from typing import Any

from preprocessing.clips.corrections import (
    FILE_NAME,
    VERDICTS,
    WRONG,
    LabelVerdict,
    VerdictFile,
    describe_agreement,
    refuse_gone,
)
from preprocessing.clips.label_sets import plain_name
from preprocessing.clips.table import refuse_unwritable
from preprocessing.corpus import Corpus
from preprocessing.store import FeatureStore, open_store
from xval.base.errors import CorpusError, SettingsError
from xval.base.terminal import visible
from xval.extras.label_review.label_suspects import AnsweredClips, Suspect, find_suspects, read_answered
from xval.report.sounds import Sound, Sounds, draw_levels
from xval.results.instance import InstanceResults

_LONGEST_NAME = 100
_MOST_BYTES = 1 << 40  # each page has its own few clips
_DIGITS = "1234567890"
_N_KEPT = 64  # suspects with their pictures and audio, some 100 kB each


class Review:
    """The suspects of an instance, and what one reviewer says of them.

    Attributes:
        path: corrections.csv.
        suspects: In the order in which they are shown.
    """

    def __init__(self, instance: InstanceResults, corpus: Corpus, reviewer: str) -> None:
        if corpus.is_custom:
            raise CorpusError(f"{corpus.folder}: a script made this dataset from arrays, so there is no audio to review.")
        refuse_unwritable([reviewer], "reviewers")
        if not reviewer.strip() or len(reviewer) > _LONGEST_NAME:
            raise SettingsError(f"--reviewer {reviewer!r:.120}: expected a name of 1 to {_LONGEST_NAME} characters.")
        self.path, self.reviewer, self.corpus = corpus.folder / FILE_NAME, plain_name(reviewer), corpus
        self._answered: AnsweredClips = read_answered(instance)
        self.suspects: list[Suspect] = find_suspects(self._answered, corpus)
        if not self.suspects:
            raise CorpusError(
                f"{corpus.folder}: there is no suspicious label; instance {instance.number} predicts all clips as labelled."
            )
        self._numbers = {suspect.clip: number for number, suspect in enumerate(self.suspects)}
        self._instance, self._lock, self._writing = instance, RLock(), RLock()
        self._sounds = Sounds(corpus, instance.settings.feature_settings(), _MOST_BYTES)
        self._file = VerdictFile(self.path)
        self._known = lru_cache(_N_KEPT)(self._show)
        self.verdicts()

    @property
    def title(self) -> str:
        """What is reviewed."""
        return f"Labels of {self.corpus.dataset}, by instance {self._instance.number}"

    def verdicts(self) -> list[LabelVerdict]:
        """Return the verdicts of all reviewers on this corpus."""
        return [verdict for verdict in self._file.read() if verdict.index_hash == self.corpus.index_hash]

    def of_other_versions(self) -> int:
        """Return how many verdicts of the file are on another version of this corpus; they stay, and are not shown."""
        return sum(verdict.index_hash != self.corpus.index_hash for verdict in self._file.read())

    def state(self) -> dict[str, Any]:
        """Return what is judged: the verdicts of this reviewer by the number of the suspect, and the first without one."""
        every = self.verdicts()
        own = {
            self._numbers[row.clip]: visible(f"{row.verdict}: {row.new}" if row.new else row.verdict)
            for row in every
            if row.who == self.reviewer and self._is_shown(row)
        }
        following = next((number for number in range(len(self.suspects)) if number not in own), len(self.suspects))
        return {
            "reviewer": visible(self.reviewer),
            "n_suspects": len(self.suspects),
            "labels": [{"name": visible(name), "key": key} for name, key in self._keys.items()],
            "verdicts": own,
            "next": following,
            "agreement": [visible(text) for text in describe_agreement(every, self.reviewer)],
        }

    def judge(self, number: int, verdict: str, label: int | None = None) -> dict[str, Any]:
        """Write a verdict of this reviewer in the place of an earlier one, and return the state.

        Args:
            number: Of the suspect.
            verdict: One of `VERDICTS`.
            label: The number of the right class, where the label is wrong.

        Raises:
            SettingsError: There is no such suspect, verdict or label.
        """
        suspect, names = self._suspect(number), self._answered.class_names
        if verdict not in VERDICTS or (verdict == WRONG) != (label is not None):
            raise SettingsError(
                f"verdict {verdict!r:.40} with label {label!r:.40}: expected one of {', '.join(VERDICTS)}. A wrong label "
                "needs the right one; other verdicts need none."
            )
        if label is not None and (not 0 <= label < len(names) or names[label] == suspect.label):
            raise SettingsError(f"label {label!r:.40}: expected the number of a class other than '{suspect.label}'.")
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        new = "" if label is None else names[label]
        said = LabelVerdict(suspect.clip, verdict, suspect.label, new, self.reviewer, when, suspect.why, self.corpus.index_hash)
        with self._writing:
            self._file.add(said)
            return self.state()

    def undo(self, number: int | None = None) -> dict[str, Any]:
        """Take a verdict of this reviewer back, and return the state, with the suspect that it was on as ``undone``.

        Args:
            number: Of the suspect, as a page knows on which it judged last; None: the last verdict of the file.
        """
        clip = None if number is None else self._suspect(number).clip

        def is_meant(row: LabelVerdict) -> bool:
            return clip in (None, row.clip) and row.who == self.reviewer and self._is_shown(row)

        with self._writing:
            undone = self._file.take_back(is_meant)
            return self.state() | {"undone": undone and self._numbers[undone.clip]}

    def show(self, number: int) -> dict[str, Any]:
        """Return a suspect with its sound, and clips to compare it with.

        Raises:
            CorpusError: The corpus is no longer there.
        """
        refuse_gone(self.corpus.folder)
        return self._known(number)

    def _show(self, number: int) -> dict[str, Any]:
        suspect = self._suspect(number)
        with self._lock:  # decoders and matplotlib at one thing at a time
            others = [
                {"clip": visible(clip), "label": visible(label), **self._sound(clip)}
                for clip, label in self._answered.compare_with(suspect)
            ]
            texts = {name: visible(text) for name, text in suspect._asdict().items()}
            texts["item"] = f"{self._answered.item} {texts['item']}"
            return {"number": number, **texts, **self._sound(suspect.clip), "others": others}

    def _is_shown(self, verdict: LabelVerdict) -> bool:
        return verdict.clip in self._numbers and verdict.index_hash == self.corpus.index_hash

    def _suspect(self, number: int) -> Suspect:
        if not 0 <= number < len(self.suspects):
            raise SettingsError(f"suspicious label {number!r:.40}: expected a number from 0 to {len(self.suspects) - 1}.")
        return self.suspects[number]

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        """The key of each class: its name where all are digits, else 1 to 9 and 0 for the first ten."""
        names = self._answered.class_names
        if all(len(name) == 1 and name in _DIGITS for name in names):
            return {name: name for name in names}
        return {name: _DIGITS[place] if place < len(_DIGITS) else "" for place, name in enumerate(names)}

    def _sound(self, clip: str) -> dict[str, str]:
        """Return audio, picture and note of a clip; where there is no audio, the picture of the stored features."""
        sound = self._sounds.get(clip)
        if not sound.spectrogram:
            sound = self._stored(clip, sound)
        return {"audio": sound.audio, "picture": sound.spectrogram, "note": visible(sound.note)}

    def _stored(self, clip: str, sound: Sound) -> Sound:
        note = f"{sound.note} If the audio was moved, give its folder with --audio-folder."
        try:
            store = self._store
            rows = store.examples[store.examples["clip"] == clip]
            if store.is_waveform or len(store.example_shape) != 2 or rows.empty:
                return sound._replace(note=note)
            levels = store.predictors(str(rows["item"].iloc[0]))[rows["row"].to_numpy()].reshape(-1, store.example_shape[-1])
        except (CorpusError, OSError) as error:
            return sound._replace(note=f"{note} {error}")
        return sound._replace(spectrogram=draw_levels(levels), note=f"{note} The picture is of the stored features.")

    @cached_property
    def _store(self) -> FeatureStore:
        record = next(iter(self._instance.done.values()))
        return open_store(self.corpus.folder / "features" / Path(record["store"]).name)
