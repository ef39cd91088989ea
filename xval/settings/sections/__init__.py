"""The settings of instances, a file for each section of config.ini that no lower room has."""
