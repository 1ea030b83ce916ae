"""Python objects to attachments and prompt text, within privacy and a budget.

* `attach`: any object as an attachment, by the first kind that knows it.
* `attachment`: the attachment as a value; its text redacted and cut to a budget.
* `frames`: frames of any library, within their policy.
* `table`: a frame read, as plain values.
* `card`: the text that describes a frame.
* `row_frame`: a frame's rows one by one, and answers put back as columns.
* `arrays`: arrays of numbers.
* `figures`: charts in words and as pictures.
* `images`: pictures.
* `files`: texts and pictures by their path; `documents` reads them, those with a structure in the
  process of `document_worker`.
* `relevance`: the parts of documents that a question is about.
* `quotes`: where a quote of an answer is found in what was sent.
* `cell_text`: cells of the notebook.
* `sources`: functions and classes by their source, modules by their names.
* `containers`: dicts, lists, texts, numbers.
* `objects`: everything else, and those that describe themselves.
* `prompt`: ``{{ expression }}`` and ``@name`` in a prompt.
"""
