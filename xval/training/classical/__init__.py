"""Scikit-learn estimators instead of networks: baselines on stored features, and the classifier of a combination.

An instance names one as its architecture, and trains no network:

constant           the most frequent class, or the mean, regardless of the input svm, logistic      classes: support vector
machine (rbf or linear), logistic regression forest, boosting   classes or numbers: random forest, gradient boosting of
histograms knn                classes or numbers: the nearest neighbours linear, ridge      numbers: least squares, without and
with an L2 penalty svr                numbers: support vector regression

It reads the stored features of an example, pooled over the frames that are no padding: the statistics that ``pooling`` names
(mean, deviation, minimum, maximum, median, delta_mean, delta_deviation) of each bin, in each of ``time_parts`` equal parts of
the time; an example that is one vector is read as it is. They are scaled by the training examples (before that, with
``normalization = per_item``, by the clips of their item), and ``pca_components`` above 0 keeps that many principal components.

It is fitted to all items that are not tested (``fit_on = all``). The options with several values (``C``, ``gamma``, ...) are a
grid, which is searched by inner folds over these: each setting is fitted without some of the items and scored on those (macro
F1; mean squared error). One value is no search. The answers out of fold are those on the validation side, and calibrate
probabilities (calibration.py). With ``fit_on = training`` the validation items take no part but in calibrating.

``feature_combination`` (xval/training/combination) reads what networks make of an example, and hand-made features, with one of
these.
"""
