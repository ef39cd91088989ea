"""Read the dataset (a `Corpus`) that the folds of an experiment were made from, by the settings of the experiment."""

from pathlib import Path

from preprocessing.corpus import Corpus, open_corpus
from xval.base.errors import CorpusError
from xval.results.folder import ExperimentFolder
from xval.results.open import open_results
from xval.settings.schema import Settings


def read_corpus(folder: ExperimentFolder, settings: Settings, data_folder: Path | None = None) -> Corpus:
    """Return the corpus of an experiment; None for the folder of corpora: as the settings say.

    Raises:
        CorpusError: It is missing or damaged, or has been prepared again with another content.
    """
    corpus = open_corpus(settings.dataset, data_folder or Path(settings.data_folder))
    if corpus.index_hash != open_results(folder).folds.plan.index_hash:
        raise CorpusError(
            f"The dataset in {corpus.folder} is not the one from which the folds were made. Give the folder of datasets that "
            "has it with --data-folder (in Python data_folder=)."
        )
    return corpus
