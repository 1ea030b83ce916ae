"""What a page of JupyterLab, or a panel in an output, may ask of the kernel.

* requests           which requests there are, and who answers them
* fields             the fields of a request, checked
* state              what pages hear: running turns, position, status, settings
* inline_completion  ghost text while the user types
* siblings           other answers to a question, other turns to go on from
* panel              `ds.panel()`
* panel_widget       the panel for every front end that shows widgets
* panel_queries      requests that change nothing; what ``@`` may name
* panel_questions    requests of the panel that ask the model
"""
