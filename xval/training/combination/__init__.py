"""Combine the embeddings of networks with hand-crafted features in a scikit-learn classifier.

An instance with ``architecture = "feature_combination"`` trains no network. Its options:

``models``          paths of saved model.keras files; ``{fold}`` in a path stands for the number of the fold, so that the
                    features of a fold come from the network that has not seen its test items; or addresses, as of
                    initial_model. The final model of all items reads the final models of the same instances
``layers_dropped``  which output of each network: 0 its prediction, 1 what its last dense or convolutional layer reads, 2 what
                    the one before reads, and so on; maps are averaged over time and frequency
``basic_features``  add the means and deviations of 34 short-term features and their deltas, 136 numbers (short_term.py)
``classifier``      svm, random_forest or logistic_regression. It is fitted to the training items. With models its settings are
                    searched on the validation items, because a network knows the training items by heart; without models by
                    leaving training items out (xval/training/classical)
``pca_components``  principal components that reach the classifier, fewer where the data have fewer; 0: the scaled features

Of the parameters of config.ini, class_weights (of the classifier), seed, threads_per_job, backend, batch_size and the features
have an effect; those of training a network are refused. Folds, metrics and workbook are those of every other instance.
"""
