"""The commands of ``python -m preprocessing``, a file each; make.py runs where a corpus is named instead of a command."""

COMMANDS = {
    "check": "report what is wrong with a corpus before anything is trained on it",
    "show": "draw a clip as a model gets it: waveform, spectrogram, windows",
    "rename": "give a prepared corpus another name",
    "encoders": "list pretrained encoders, and fetch their files",
    "convert": "write wav copies of the audio files in a folder",
}
"""The commands and what they do; each is a file of this folder with a function main(arguments)."""
