"""The families of pretrained models, one file each; ``embedding_model = FAMILY:NAME`` selects the file FAMILY.

A file has ``identify(name) -> Identity``, which reads no weights into memory, and ``load(name, *, is_pooled) -> Embedder``.
Both receive the part after the colon (empty without one), and raise a `SettingsError` that says how to install or download what
is missing. A family that is no network sets ``IS_NETWORK = False``; each clip is then embedded separately, in all processes
that read clips. A family never downloads, unpickles or imports anything that a model names. Libraries are imported inside the
functions.
"""
