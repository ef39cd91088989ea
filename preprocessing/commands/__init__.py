"""The commands of ``python -m preprocessing``, a file each; make.py runs where a corpus is named instead of a command."""

COMMANDS = {
    "check": "report faults of a dataset before training on it",
    "show": "draw a clip as a model reads it: waveform, spectrogram, windows",
    "rename": "rename a prepared dataset",
    "encoders": "list pretrained encoders and download their files",
    "convert": "write wav copies of the audio files in a folder",
}
"""The commands and what they do; each is a file of this folder with a function main(arguments)."""
