"""The families of pretrained models, a file each; ``embedding_model = FAMILY:NAME`` finds the file by its name.

A file has ``identify(name) -> Identity``, which reads no weights into memory, and ``load(name, *, is_pooled) -> Embedder``.
Both get the part behind the colon (empty where there is none), and raise a `SettingsError` that says how to get what is
missing. A family that is no network says so by ``IS_NETWORK = False``: each clip is then embedded by itself, in all processes
that read clips. Nothing is downloaded, unpickled or imported that a model names. Libraries are imported within the functions.
"""
