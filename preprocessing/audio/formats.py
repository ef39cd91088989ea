"""The formats of audio that are read: one list for folders, tables, copies, the decoder and the docs."""

_ENDINGS = {
    "aac": (".aac",), "ac3": (".ac3",), "aiff": (".aiff", ".aif", ".aifc"), "amr": (".amr",), "ape": (".ape",),
    "asf": (".wma",), "au": (".au", ".snd"), "avi": (),
    "caf": (".caf",), "dsf": (".dsf",), "dts": (".dts",),
    "eac3": (".eac3",), "flac": (".flac",), "flv": (), "loas": (), "matroska": (".mka", ".webm"),
    "mov": (".m4a", ".mp4"), "mp3": (".mp3", ".mp2"),
    "mpc": (".mpc",), "mpc8": (), "mpeg": (), "mpegts": (), "ogg": (".ogg", ".oga", ".opus"), "oma": (".oma",), "rm": (".ra",),
    "tak": (".tak",), "tta": (".tta",), "voc": (".voc",), "w64": (".w64",), "wav": (".wav", ".bwf", ".rf64"), "wv": (".wv",),
}  # fmt: skip
"""The endings of the files of each container that is decoded, by FFmpeg's name of it. Of those without an ending, films above
all, a file is read where a table names it, and a folder is not searched for it."""

_OF_LIBSNDFILE = (".sph",)  # alone

AUDIO_SUFFIXES = (*(ending for endings in _ENDINGS.values() for ending in endings), *_OF_LIBSNDFILE)
"""Files with these endings are the audio of a folder. What they are is told by their content, not by their names."""

CONTAINERS = ",".join(_ENDINGS)
