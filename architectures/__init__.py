"""One file per architecture: ``build(input_shape, output_shape, *, ...)`` returns a Keras model with linear outputs.

Files in the folder architectures of a study are further ones (see `xval.base.config_file.find_study`).
"""
