"""A review of labels by one reviewer: the contents of its page, and the verdicts, which are written to corrections.csv.

Clips and labels have numbers on the page, so that requests of the page cannot name files. The page does not show the verdicts
of other reviewers.
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
from xval.extras.label_review.label_suspects import PredictedClips, Suspect, find_suspects, read_predicted_clips
from xval.report.sounds import Sound, Sounds, draw_levels
from xval.results.instance import InstanceResults

_LONGEST_NAME = 100
_MOST_BYTES = 1 << 40  # no limit: each page has only a few clips
_DIGITS = "1234567890"
_N_CACHED = 64  # suspicious clips with their pictures and audio, some 100 kB each


class Review:
    """The suspicious labels of an instance, and the verdicts of one reviewer on them.

    Args:
        instance: The instance whose predictions are used.
        corpus: The dataset of the instance.
        reviewer: The name of the reviewer.

    Attributes:
        path: The file of the verdicts of all reviewers, corrections.csv in the folder of the dataset.
        reviewer: The name of the reviewer, in one form of Unicode.
        corpus: The dataset of the instance.
        suspects: The clips with suspicious labels, in the order in which they are shown.

    Raises:
        CorpusError: The dataset has no audio or no suspicious labels, or its corrections.csv is damaged.
        SettingsError: The name of the reviewer is empty or too long.
        ResultsError: The predictions of the instance cannot be used to find suspicious labels.
    """

    def __init__(self, instance: InstanceResults, corpus: Corpus, reviewer: str) -> None:
        if corpus.is_custom:
            raise CorpusError(f"{corpus.folder}: a script made this dataset from arrays, so there is no audio to review.")
        refuse_unwritable([reviewer], "reviewers")
        if not reviewer.strip() or len(reviewer) > _LONGEST_NAME:
            raise SettingsError(f"--reviewer {reviewer!r:.120}: expected a name of 1 to {_LONGEST_NAME} characters.")
        self.path, self.reviewer, self.corpus = corpus.folder / FILE_NAME, plain_name(reviewer), corpus
        self._predicted: PredictedClips = read_predicted_clips(instance)
        self.suspects: list[Suspect] = find_suspects(self._predicted, corpus)
        if not self.suspects:
            raise CorpusError(
                f"{corpus.folder}: there is no suspicious label; instance {instance.number} predicts all clips as labelled."
            )
        self._numbers = {suspect.clip: number for number, suspect in enumerate(self.suspects)}
        self._instance, self._lock, self._writing = instance, RLock(), RLock()
        self._sounds = Sounds(corpus, instance.settings.feature_settings(), _MOST_BYTES)
        self._file = VerdictFile(self.path)
        self._cached_show = lru_cache(_N_CACHED)(self._show)
        self.verdicts()

    @property
    def title(self) -> str:
        """The title of the page, with the dataset and the instance."""
        return f"Labels of {self.corpus.dataset}, by instance {self._instance.number}"

    def verdicts(self) -> list[LabelVerdict]:
        """Return the verdicts of all reviewers on this version of the dataset."""
        return [verdict for verdict in self._file.read() if verdict.index_hash == self.corpus.index_hash]

    def count_other_versions(self) -> int:
        """Return the number of verdicts in the file on other versions of this dataset, which are kept but not shown."""
        return sum(verdict.index_hash != self.corpus.index_hash for verdict in self._file.read())

    def state(self) -> dict[str, Any]:
        """Return the state of the review for the page.

        It has the verdicts of this reviewer by the number of the suspicious clip, the number of the first clip without one as
        ``next``, the labels with their keys, and the agreement with other reviewers.
        """
        verdicts = self.verdicts()
        own = {
            self._numbers[row.clip]: visible(f"{row.verdict}: {row.new}" if row.new else row.verdict)
            for row in verdicts
            if row.who == self.reviewer and self._is_shown(row)
        }
        following = next((number for number in range(len(self.suspects)) if number not in own), len(self.suspects))
        return {
            "reviewer": visible(self.reviewer),
            "n_suspects": len(self.suspects),
            "labels": [{"name": visible(name), "key": key} for name, key in self._keys.items()],
            "verdicts": own,
            "next": following,
            "agreement": [visible(text) for text in describe_agreement(verdicts, self.reviewer)],
        }

    def judge(self, number: int, verdict: str, label: int | None = None) -> dict[str, Any]:
        """Write a verdict of this reviewer, which replaces an earlier one on the same clip, and return the state.

        Args:
            number: The number of the suspicious clip, from 0.
            verdict: One of `VERDICTS`.
            label: The number of the right class if the verdict is wrong, otherwise None.

        Raises:
            SettingsError: There is no such clip, verdict or label.
        """
        suspect, names = self._suspect(number), self._predicted.class_names
        if verdict not in VERDICTS or (verdict == WRONG) != (label is not None):
            raise SettingsError(
                f"verdict {verdict!r:.40} with label {label!r:.40}: expected one of {', '.join(VERDICTS)}. A wrong label "
                "needs the right one; other verdicts need none."
            )
        if label is not None and (not 0 <= label < len(names) or names[label] == suspect.label):
            raise SettingsError(f"label {label!r:.40}: expected the number of a class other than '{suspect.label}'.")
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        new = "" if label is None else names[label]
        row = LabelVerdict(suspect.clip, verdict, suspect.label, new, self.reviewer, when, suspect.why, self.corpus.index_hash)
        with self._writing:
            self._file.add(row)
            return self.state()

    def undo(self, number: int | None = None) -> dict[str, Any]:
        """Remove a verdict of this reviewer, and return the state, with the number of the clip as ``undone``, or None.

        Args:
            number: The number of the suspicious clip; None: the clip of this reviewer's last verdict in the file.

        Raises:
            SettingsError: There is no such clip.
        """
        clip = None if number is None else self._suspect(number).clip

        def is_meant(row: LabelVerdict) -> bool:
            return clip in (None, row.clip) and row.who == self.reviewer and self._is_shown(row)

        with self._writing:
            undone = self._file.take_back(is_meant)
            return self.state() | {"undone": undone and self._numbers[undone.clip]}

    def show(self, number: int) -> dict[str, Any]:
        """Return a suspicious clip with its audio and picture, and clips to compare it with.

        Raises:
            CorpusError: The folder of the dataset no longer exists.
            SettingsError: There is no clip of this number.
        """
        refuse_gone(self.corpus.folder)
        return self._cached_show(number)

    def _show(self, number: int) -> dict[str, Any]:
        """Return the contents of `show`, which caches them."""
        suspect = self._suspect(number)
        with self._lock:  # decoders and matplotlib do not support several threads
            others = [
                {"clip": visible(clip), "label": visible(label), **self._sound(clip)}
                for clip, label in self._predicted.compare_with(suspect)
            ]
            texts = {name: visible(text) for name, text in suspect._asdict().items()}
            texts["item"] = f"{self._predicted.item} {texts['item']}"
            return {"number": number, **texts, **self._sound(suspect.clip), "others": others}

    def _is_shown(self, verdict: LabelVerdict) -> bool:
        return verdict.clip in self._numbers and verdict.index_hash == self.corpus.index_hash

    def _suspect(self, number: int) -> Suspect:
        if not 0 <= number < len(self.suspects):
            raise SettingsError(f"suspicious label {number!r:.40}: expected a number from 0 to {len(self.suspects) - 1}.")
        return self.suspects[number]

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        """The key of each class: its name if all names are digits, otherwise 1 to 9 and 0 for the first ten classes."""
        names = self._predicted.class_names
        if all(len(name) == 1 and name in _DIGITS for name in names):
            return {name: name for name in names}
        return {name: _DIGITS[place] if place < len(_DIGITS) else "" for place, name in enumerate(names)}

    def _sound(self, clip: str) -> dict[str, str]:
        """Return audio, picture and note of a clip for the page; without audio the picture shows the stored features."""
        sound = self._sounds.get(clip)
        if not sound.spectrogram:
            sound = self._stored(clip, sound)
        return {"audio": sound.audio, "picture": sound.spectrogram, "note": visible(sound.note)}

    def _stored(self, clip: str, sound: Sound) -> Sound:
        """Return the sound of a clip without audio, with a picture of its stored features if there are any."""
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
        """The feature store that the instance was trained on."""
        record = next(iter(self._instance.done.values()))
        return open_store(self.corpus.folder / "features" / Path(record["store"]).name)
