"""Which part of a clip a prediction depends on, and which features a classifier needs: ``xval explain``, ``report --explain``.

gradients.py    the gradient of an answer with respect to what a network reads, on each backend
attribution.py  integrated gradients and occlusion
clips.py        the explanation of clips by a saved model
picture.py      its picture over the spectrogram
importance.py   permutation importance of groups of features
"""
