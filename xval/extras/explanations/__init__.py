"""Attribution of predictions to parts of a clip, and feature importance: ``xval explain``, ``report --explain``.

gradients.py          the gradient of a network's output with respect to its input, on each backend
attribution.py        integrated gradients and occlusion
clips.py              explanations of the predictions of a saved model for clips
picture.py            the picture of an explanation, over the spectrogram
importance.py         permutation importance of groups of features
estimator.py          the feature groups of a scikit-learn estimator, and their importance
worst_predictions.py  pictures for the worst predictions on the page of an experiment
"""
