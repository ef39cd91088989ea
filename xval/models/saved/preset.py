"""Judge whether a pretrained encoder was trained on the dataset in use, by what its preset says.

Only names are compared, no audio.
"""

from pathlib import Path

from preprocessing.corpora import find_corpus
from preprocessing.corpus import open_corpus
from preprocessing.encoders import preset_of
from xval.models.saved.provenance import Leakage


def judge_preset(name: str, corpus_folder: Path) -> Leakage | None:
    """Return the verdict on a pretrained encoder by the corpora that its preset names; None: it is no preset.

    Args:
        name: ``embedding_model`` or ``encoder``.
        corpus_folder: data/<dataset>; its reader knows the names of the corpus.

    Raises:
        CorpusError: The index cannot be read, or its reader is not there any more.
    """
    preset = preset_of(name)
    if preset is None:
        return None
    corpus = open_corpus(corpus_folder.name, corpus_folder.parent)
    names = () if corpus.is_custom else find_corpus(corpus.corpus).known_as
    listed_here = [listed for listed in preset.trained_on if _plain(listed) in map(_plain, names)]
    if listed_here:
        return Leakage("leaked", f"its preset lists {', '.join(listed_here)} among its training data")
    if not names:
        return Leakage(
            "unknown", f"{preset.training_data}; the reader '{corpus.corpus}' reads any dataset, so this cannot be checked"
        )
    return Leakage("clean" if preset.list_source else "unknown", preset.training_data)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
