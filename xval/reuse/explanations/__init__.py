"""Explanations: which part of a clip's features an answer rests on, and which features a classifier needs.

gradients.py    the gradient of an answer with respect to what a network reads, on each backend
attribution.py  integrated gradients and occlusion
clips.py        the explanation of clips by a saved model
picture.py      its picture over the spectrogram
importance.py   permutation importance of groups of features
"""
