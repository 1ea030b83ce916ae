"""Python objects to attachments and prompt text, within privacy and a budget.

* `attach`: any object as an attachment, by the first kind that knows it.
* `attachment`: the attachment as a value; its text redacted and cut to a budget.
* `frames`, `table`, `card`: frames of any library, read and described.
* `arrays`: arrays of numbers.
* `figures`, `images`: charts in words and as pictures; pictures.
* `files`: texts and pictures by their path.
* `cell_text`: cells of the notebook.
* `sources`: functions and classes by their source, modules by their names.
* `containers`: dicts, lists, texts, numbers.
* `objects`: everything else, and those that describe themselves.
* `prompt`: ``{{ expression }}`` and ``@name`` in a prompt.
"""
