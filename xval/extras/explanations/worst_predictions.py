"""Explain the worst predictions on the page of an experiment, with pictures as data URIs.

The first explanation loads Keras, on the CPU.
"""

import base64
import sys
from functools import cache
from typing import TYPE_CHECKING

from preprocessing.corpus import Corpus
from xval.base.errors import ResultsError, XvalError
from xval.report.request import ExplainMethod
from xval.results.folder import ExperimentFolder
from xval.reuse.inference import Segment, load_model

if TYPE_CHECKING:
    from xval.reuse.inference import SavedModel


class Explanations:
    """Explain predictions of an instance for test clips of its dataset.

    Attributes:
        missing: The reason why the first of the failed explanations failed; empty if none has failed.
    """

    def __init__(self, folder: ExperimentFolder, instance: int, corpus: Corpus, method: ExplainMethod) -> None:
        self._folder, self._instance, self._corpus, self._method = folder, instance, corpus, method
        self.missing = ""
        self._load = cache(self._load_fold)

    def get(self, clip: str, job: str) -> tuple[str, str]:
        """Return the picture of a clip as a data URI, and its caption; if it fails, an empty text and the reason.

        Args:
            clip: The name of the clip in the dataset.
            job: The name of the fold that tested the clip, as in `JobKey.fold_name`.
        """
        row = self._corpus.index[self._corpus.index["clip"] == clip].iloc[0]
        try:
            audio = Segment(self._corpus.audio_folder / str(row["path"]), row["start_s"], row["end_s"])
            model = self._load(job)  # before Keras is imported, because it sets the backend and TensorFlow's logging
            from xval.extras.explanations.clips import explain
            from xval.extras.explanations.picture import describe, draw_explanation

            explanation = next(explain(model, audio, method=self._method))
            picture = f"data:image/png;base64,{base64.b64encode(draw_explanation(explanation)).decode()}"
            return picture, describe(explanation)
        except (XvalError, OSError) as error:
            self.missing = self.missing or str(error)
            return "", str(error)

    def _load_fold(self, job: str) -> "SavedModel":
        key = next((key for key in self._folder.jobs(self._instance) if key.fold_name == job), None)
        if key is None:
            raise ResultsError(f"{self._folder.path}: no {job} of instance {self._instance}.")
        return load_model(self._folder.fold_folder(*key), gpu=None if "keras" in sys.modules else "cpu")
