"""Answers that do something: typed results, and functions that the model may call, with consent.

functions          `Tool`, and how a plain Python function becomes one
loop               one round of calls: which can run, running them, their results as text
schemas            answers of a shape: how one is asked for, read and validated
strict             a JSON schema in the subset that strict mode takes
arrow              columns as Arrow arrays and back; records as a frame
inspect_variables  the tool that describes what is attached
python             the tool that runs the model's code in this kernel
sql                the tool that queries attached frames; what SQL may see of them
aggregates         the gate: a model's SQL over protected frames, checked and written again
sql_tree           a model's SQL as a tree
sql_select         its SELECTs, as they will run
sql_values         its expressions: what each may be used for, and how it will run
sandbox            tables in a locked process of their own, seen from the kernel
sql_worker         the process itself
"""
