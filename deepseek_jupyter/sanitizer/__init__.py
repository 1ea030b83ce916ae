"""Model text made inert: HTML and Markdown that show everything and do nothing. Pure.

* `sanitizer`: a text that grows, block by block, to both renderings.
* `blocks`: where a top-level block of Markdown ends.
* `parse`: blocks to tokens, by markdown-it-py.
* `html`, `markdown`: tokens to HTML of our own tags, and to Markdown that stays inert.
* `math`: where formulas are, and which of them a page may typeset.
* `text`: escaping, invisible characters, links.
"""
