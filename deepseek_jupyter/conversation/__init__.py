"""Turns, the tree that they form, and the journal that keeps them.

* turn           one question with all that answers it, as a record and back
* tree           how turns follow each other: ids and parents; drawn as text, and compared
* conversation   the turns of one notebook, its branches, and what fits the model's window
* search         words of a search, and where they occur
* journal        every turn on this machine, over SQLite
* rows           turns, branches and answers of jobs as rows
* totals         tokens and money, summed
* maintenance    turns that a kill left unfinished, pruning, the search index
* database       the file, its schema, and what to do when it fails
* restore        which notebook this is, and its conversation from journal or outputs
* exports        a conversation as a file
* recording      answers as a file, for lessons and CI
"""
