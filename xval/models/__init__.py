"""The Keras model of a fold: front end, normalisation, architecture, transfer, losses, prediction; and saved ones (`saved`)."""
