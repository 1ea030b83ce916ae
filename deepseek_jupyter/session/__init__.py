"""What one kernel holds.

* session      `Session`: settings, conversation, endpoints, what was spent
* memory       the notebook's conversation, brought back and kept
* endpoint     from settings and environment to a provider, its key and a model
* accounts     what was spent; what models cost, and what other models would have cost
* recordings   the files that answer in place of a model
* withholding  what the data policies withhold, and each conversation's redactor
"""
