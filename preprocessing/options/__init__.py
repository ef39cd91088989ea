"""Options of command lines and sections of config.ini, as preprocessing, augmentation and xval read them."""
