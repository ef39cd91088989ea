"""Random generators that depend only on the seed of a run and on names (a file, a copy, a transform).

So the copies of a file depend neither on the number of workers nor on the other files of its folder.
"""

import unicodedata
from hashlib import blake2b

import numpy as np


def make_generator(seed: int, *names: object) -> np.random.Generator:
    """Return the generator of these names.

    Args:
        seed: Of the run, 0 or more.
        names: What it is for, such as a path and the number of a copy; their texts count, in NFC form.
    """
    # A length before every name keeps ("a", "b/c") and ("a/b", "c") apart.
    texts = [unicodedata.normalize("NFC", str(name)).encode("utf-8", "surrogatepass") for name in names]
    digest = blake2b(b"".join(len(text).to_bytes(8, "little") + text for text in texts), digest_size=16).digest()
    return np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(digest, "little")]))
