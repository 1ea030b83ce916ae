"""What a person sees of a turn. Only `frontend` knows IPython.

* `transcript`: one turn while it grows, its text, and how often it may be shown.
* `surfaces`: where it is shown: notebook, terminal, capture, panel, or nowhere.
* `render`: a record's mimebundle, its footer, and the code in an answer.
* `terminal`: an answer's text, styled for a terminal.
* `pages`: the pages and panels that listen, and what they may ask.
* `report`: tables, drawings, changes and progress that line commands show.
* `frontend`: the running IPython.
"""
