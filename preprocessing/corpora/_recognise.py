"""Which readers know the layout of a folder.

Comes in: a folder of audio. Goes out: the names of corpora, for the advice of an error: every reader lists the folder, which
takes a while where it is large.
"""

from pathlib import Path

from preprocessing.corpora import corpus_names, find_corpus
from xval.base.errors import XvalError

_ANY_NAMES = ("folders", "voxceleb")
"""What these read are folders in folders, of whatever names."""


def recognise(folder: Path) -> list[str]:
    """Return the corpora that list clips of a folder without further options; sorted.

    Readers that bring their audio along, or need a table, say nothing about a folder.
    """
    known = []
    for name in corpus_names():
        try:
            reader = find_corpus(name)
            needs_more = reader.has_default_audio_folder or any(option.is_required for option in reader.options)
            if name in _ANY_NAMES or needs_more:
                continue
            reader.list_clips(folder)
        except XvalError:
            continue
        known.append(name)
    return known
