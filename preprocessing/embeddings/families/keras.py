"""``keras:FILE``: a hidden layer of a model that xval has trained; the .json file of the same name has to be next to it.

The embeddings are those of ``xval embed``: the output of a layer for each segment of the length of the training examples,
averaged over time. Layer N is the output of the first N layers with a kernel (convolution, dense, recurrent). The last one is
the input of the output layer or, for an autoencoder, its embedding. The file is checked like every saved model.
"""

from importlib import import_module

from preprocessing.embeddings.embedder import Embedder, Identity, find_file, hash_files, read_rate
from xval.base.errors import SettingsError

# Imported by name, because this package must not import the one that reads saved models.
_MODULE = "xval.reuse.inference.embedder"


def identify(name: str) -> Identity:
    """Return the identity of a saved model, with the sample rate of its features."""
    path = find_file("keras", name)
    described = find_file("keras", str(path.with_suffix(".json")))
    rate_hz = read_rate(described, "feature_settings", "sample_rate_hz")
    if rate_hz is None:
        raise SettingsError(
            f"embedding_model=keras:{name}: {described} lacks the sample rate that the model reads (sample_rate_hz)."
        )
    return Identity(hash_files([path, described]), rate_hz)


def load(name: str, *, is_pooled: bool) -> Embedder:  # noqa: ARG001
    """Return the saved model as an embedder."""
    embedder: Embedder = import_module(_MODULE).KerasEmbedder(find_file("keras", name))
    return embedder
