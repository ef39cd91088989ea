"""Pictures of what the worst answers rest on, inside a page.

Comes in: the instance whose errors are shown, and its corpus. Goes out: for a clip and the fold that tested it a data URI. The
first one loads Keras, on the CPU.
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
    """Explains the answers of an instance.

    Attributes:
        missing: Why the first answer is not explained that could not be; empty: all are.
    """

    def __init__(self, folder: ExperimentFolder, instance: int, corpus: Corpus, method: ExplainMethod) -> None:
        self._folder, self._instance, self._corpus, self._method = folder, instance, corpus, method
        self.missing = ""
        self._load = cache(self._load_fold)

    def get(self, clip: str, job: str) -> tuple[str, str]:
        """Return the picture of a clip, and what it says in numbers; without a picture why there is none.

        `job` is the fold that tested the clip, as `JobKey.of_instance` has it.
        """
        row = self._corpus.index[self._corpus.index["clip"] == clip].iloc[0]
        try:
            audio = Segment(self._corpus.audio_folder / str(row["path"]), row["start_s"], row["end_s"])
            model = self._load(job)  # it chooses the backend, and what TensorFlow prints, before Keras is imported
            from xval.extras.explanations.clips import explain
            from xval.extras.explanations.picture import describe, draw_explanation

            explained = next(explain(model, audio, method=self._method))
            picture = f"data:image/png;base64,{base64.b64encode(draw_explanation(explained)).decode()}"
            return picture, describe(explained)
        except (XvalError, OSError) as error:
            self.missing = self.missing or str(error)
            return "", str(error)

    def _load_fold(self, job: str) -> "SavedModel":
        key = next((key for key in self._folder.jobs(self._instance) if key.of_instance == job), None)
        if key is None:
            raise ResultsError(f"{self._folder.path}: no {job} of instance {self._instance}.")
        return load_model(self._folder.fold_folder(*key), gpu=None if "keras" in sys.modules else "cpu")
