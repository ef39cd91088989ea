"""Random generators that depend only on the seed of a run and on names (a file, a copy, a transform).

Therefore the copies of a file depend neither on the number of workers nor on the other files of its folder.
"""

import unicodedata
from hashlib import blake2b

import numpy as np


def make_generator(seed: int, *names: object) -> np.random.Generator:
    """Return the random generator for some names.

    Args:
        seed: Seed of the run, 0 or more.
        names: The purpose of the generator, such as a path and the number of a copy; their texts count, in Unicode form NFC.
    """
    # With the length before every name, ("a", "b/c") and ("a/b", "c") have different generators.
    texts = [unicodedata.normalize("NFC", str(name)).encode("utf-8", "surrogatepass") for name in names]
    digest = blake2b(b"".join(len(text).to_bytes(8, "little") + text for text in texts), digest_size=16).digest()
    return np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(digest, "little")]))
