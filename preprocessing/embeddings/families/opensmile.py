"""``opensmile:FEATURE_SET``: the handcrafted feature sets of openSMILE, such as eGeMAPSv02 and ComParE_2016.

With pooling, a clip has the functionals of the set (88 of eGeMAPSv02, 6,373 of ComParE_2016); with ``embedding_pooling =
none``, it has the low-level descriptors for every 10 ms (25 and 65). Sources: Eyben, Wöllmer & Schuller 2010 (openSMILE); Eyben
et al. 2016 (eGeMAPS); Schuller et al. 2016 (ComParE). openSMILE's licence allows private, research and educational use, not
commercial use.
"""

import math
import multiprocessing
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.embeddings.embedder import EMBEDDINGS_VERSION, Identity
from preprocessing.parallel import own_process
from xval.base.errors import SettingsError, how_to_install, suggestion

IS_NETWORK = False
LICENCE = "openSMILE (audEERING GmbH) is free for private, research and educational use; commercial use needs a licence."
_SHORTEST_S = 0.25
_NOT_BESIDE = ("tensorflow", "torch", "jax", "onnxruntime")


def identify(name: str) -> Identity:
    """Return the identity of a feature set: its name and the version of openSMILE."""
    _find_set(name)
    facts = (EMBEDDINGS_VERSION, "opensmile", name, version("opensmile"))
    return Identity(blake2b(repr(facts).encode(), digest_size=8).hexdigest())


def load(name: str, *, is_pooled: bool) -> "OpenSmile":
    """Return the embedder of a feature set, and print the licence of openSMILE."""
    _find_set(name)
    if multiprocessing.parent_process() is None:  # printed once, not by each process that embeds
        print(LICENCE, file=sys.stderr)  # noqa: T201
    return OpenSmile(name, is_pooled=is_pooled)


class OpenSmile:
    """An `Embedder` of openSMILE features, in a separate process if this one has loaded a library that makes it crash."""

    n_layers = 1
    device = "cpu"

    def __init__(self, name: str, *, is_pooled: bool) -> None:
        self._name, self._is_pooled = name, is_pooled
        self._process: AbstractContextManager[Callable[..., Any]] | None = None
        self._call: Callable[..., Any] = lambda function, *arguments: function(*arguments)

    def embed(self, waveforms: NDArray[np.float32], sample_rate_hz: int, layers: tuple[int, ...]) -> NDArray[np.float32]:  # noqa: ARG002
        """Return the features of clips, with the shapes of `Embedder.embed`."""
        if self._process is None and any(library in sys.modules for library in _NOT_BESIDE):
            self._process = own_process()
            self._call = self._process.__enter__()
        values: NDArray[np.float32] = self._call(_extract, self._name, self._is_pooled, waveforms, sample_rate_hz)
        return values


def functional_families(name: str) -> list[str]:
    """Return the group of each functional of a set, in their order: the name of its low-level descriptor.

    Descriptors of voiced and of unvoiced frames are one group, and all MFCCs are one group.
    """
    _find_set(name)
    if any(library in sys.modules for library in _NOT_BESIDE):
        with own_process() as call:
            names = call(_functional_names, name)
    else:
        names = _functional_names(name)
    return [re.sub(r"^mfcc\d+", "mfcc", re.sub(r"(UV|V)$", "", name.partition("_sma")[0])) for name in names]


def _functional_names(name: str) -> list[str]:
    return list(_make_smile(name, True).feature_names)


def _extract(name: str, is_pooled: bool, waveforms: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    missing = max(0, math.ceil(_SHORTEST_S * sample_rate_hz) - waveforms.shape[1])
    waveforms = np.pad(waveforms, ((0, 0), (0, missing)))
    smile = _make_smile(name, is_pooled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of NaN, for which the caller raises an error
        values = [smile.process_signal(samples, sample_rate_hz).to_numpy(np.float32) for samples in waveforms]
    return np.stack(values)[:, np.newaxis]


@lru_cache(maxsize=2)
def _make_smile(name: str, is_pooled: bool) -> Any:
    import opensmile

    level = opensmile.FeatureLevel.Functionals if is_pooled else opensmile.FeatureLevel.LowLevelDescriptors
    return opensmile.Smile(feature_set=_find_set(name), feature_level=level)


def _find_set(name: str) -> Any:
    if find_spec("opensmile") is None:
        raise SettingsError(
            f"embedding_model=opensmile:{name}: opensmile is not installed. Install it: {how_to_install('opensmile')}. "
            f"{LICENCE}"
        )
    import opensmile

    names = [known.name for known in opensmile.FeatureSet]
    if name not in names:
        raise SettingsError(f"embedding_model=opensmile:{name}: openSMILE has no such feature set. {suggestion(name, names)}")
    return opensmile.FeatureSet[name]
