"""Export a saved model as ONNX, SavedModel or TFLite, with a check against the Keras model (``xval export``)."""
