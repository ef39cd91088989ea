"""``keras:FILE``: a model that xval has trained, cut at a layer; the .json file of the same name is next to it.

Its embeddings are those of ``xval embed``: the layer's output for each segment of the length of its training
examples, averaged over time. Layer N is what comes behind N layers with a kernel (convolution, dense, recurrent); the last one
is what the output layer reads, of an autoencoder its embedding. The file is checked as every model from elsewhere.
"""

from importlib import import_module

from preprocessing.embeddings.embedder import Embedder, Identity, find_file, hash_files, read_rate
from xval.base.errors import SettingsError

# By its name, as tasks name their evaluation: saved models are read above this room, which knows only what an embedder is.
_MODULE = "xval.reuse.inference.embedder"


def identify(name: str) -> Identity:
    """Return the identity of a saved model, and its rate."""
    path = find_file("keras", name)
    described = find_file("keras", str(path.with_suffix(".json")))
    rate_hz = read_rate(described, "feature_settings", "sample_rate_hz")
    if rate_hz is None:
        raise SettingsError(
            f"embedding_model=keras:{name}: {described} lacks the sample rate that the model reads (sample_rate_hz)."
        )
    return Identity(hash_files([path, described]), rate_hz)


def load(name: str, *, is_pooled: bool) -> Embedder:  # noqa: ARG001
    """Return the model."""
    embedder: Embedder = import_module(_MODULE).KerasEmbedder(find_file("keras", name))
    return embedder
