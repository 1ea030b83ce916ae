"""The way of a question: from what was typed to the `Reply`, each step a file.

* question        what a user asks for, as a value; when two questions are equal
* ask             `resolve`, then `ask`, `aask`, `stream`: one question from end to end
* attachments     the objects that it names, as attachments
* notebook_cells  the notebook's own cells: from the page, the file or the history
* long_texts      documents made to fit, and quoted from
* toolset         the tools that it offers the model
* prepare         place, message, window and request, settled before anything is sent
* budget          what is refused because it is too long or may cost too much
* prompt_cache    what the provider's cache can find again, and what broke it
* fallback        where a question goes on to when its host turns it away
* run             one question on its way, from the first byte to the reply
* tool_rounds     calls of the model's, answers that have to fit a schema
* consent         what the user decides: whether a call runs, whether turns of a file are used
* replay          the kept answer to a question that was asked before
* reply           `Reply`
* preview         what would be sent, or was
* next_tokens     what a model would write next, and answers that go on from other tokens
"""
