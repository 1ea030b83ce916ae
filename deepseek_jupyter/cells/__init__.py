"""The executed cells as values: what each does to names, and which of them matter. Pure.

* `executed`: one run of a cell, and the log of all runs.
* `effects`: what a cell does to names, from its syntax tree.
* `lineage`: which earlier cells a cell depends on, and the prompts that show them.
* `failure`: an error, and its frames that are the notebook's own.
* `edits`: a change to a cell, how a model writes one, and its difference.
"""
