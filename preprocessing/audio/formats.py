"""The audio formats that can be read: one list for folders, tables, copies, the decoder and the docs."""

_ENDINGS = {
    "aac": (".aac",), "ac3": (".ac3",), "aiff": (".aiff", ".aif", ".aifc"), "amr": (".amr",), "ape": (".ape",),
    "asf": (".wma",), "au": (".au", ".snd"), "avi": (),
    "caf": (".caf",), "dsf": (".dsf",), "dts": (".dts",),
    "eac3": (".eac3",), "flac": (".flac",), "flv": (), "loas": (), "matroska": (".mka", ".webm"),
    "mov": (".m4a", ".mp4"), "mp3": (".mp3", ".mp2"),
    "mpc": (".mpc",), "mpc8": (), "mpeg": (), "mpegts": (), "ogg": (".ogg", ".oga", ".opus"), "oma": (".oma",), "rm": (".ra",),
    "tak": (".tak",), "tta": (".tta",), "voc": (".voc",), "w64": (".w64",), "wav": (".wav", ".bwf", ".rf64"), "wv": (".wv",),
}  # fmt: skip
"""The file endings of each container that is decoded, by FFmpeg's name for it. Files of a container without endings here,
mainly films, are read if a table names them, but are not listed from a folder."""

_OF_LIBSNDFILE = (".sph",)  # formats that only libsndfile reads

AUDIO_SUFFIXES = (*(ending for endings in _ENDINGS.values() for ending in endings), *_OF_LIBSNDFILE)
"""Files with these endings are listed as the audio of a folder. Their format is recognised by their content."""

CONTAINERS = ",".join(_ENDINGS)
