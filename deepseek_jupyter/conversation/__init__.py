"""Turns, the tree that they form, and the journal that keeps them.

* turn           one question with all that answers it; its JSON form
* records        reading a turn back from its record, which may have been forged
* tree           how turns follow each other: ids and parents
* conversation   the turns of one notebook, its branches, and what fits the model's window
* drawing        the tree and a difference of two turns as text
* search         words of a search, and where they occur
* journal        every turn on this machine, over SQLite
* rows           turns, branches and what is read of notebooks as rows
* totals         tokens and money, summed
* maintenance    turns that a kill left unfinished, pruning, the search index
* database       the file, its schema (steps in schema/), and what to do when it fails
* restore        which notebook this is, and its conversation from journal or outputs
* exports        a conversation as a file
"""
