"""What may be wrong with a dataset: each rule next to its words. `xval.base.findings.rules_of` finds them in these files.

A `Fault` is looked for in the facts about every clip by `xval prepare --check`; a `Caution` in the table of a prepared corpus,
by `xval prepare` and every run.
"""
