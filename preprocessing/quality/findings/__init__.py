"""The rules for possible faults of a dataset, each with its texts. `xval.base.findings.rules_of` finds them in these files.

``xval prepare --check`` applies each `Fault` to the facts about every clip. ``xval prepare`` and every run apply each `Caution`
to the table of a prepared dataset.
"""
