"""Many questions as one job: rows of frames, cases of suites, parts of documents, variants.

runner       requests in, answers out: deduplicated, kept, within a cap, as many at once as may be
limits       how many at once, and how much money
template     a prompt with ``{{ column }}``
row_task     a question about the rows of a frame, settled: its requests, what they may cost
answer_form  the columns that an answer becomes
trial        which rows are tried, and what all would cost
row_map      the trial, the job over all rows, the frame that comes back; answers against a column
             that knows better
cluster      the rows of a Dask frame, sent by the workers of its cluster
release      what naming a column lets leave
job_view     the one live output
variant      a model and how it is asked, as a text: what suites and comparisons are of
suite        cases asked of variants and scored, and what that shows: `suite_job` asks and has
             answers judged, `attempt` is one answer, `scorecard` the card, `suite_files` reads and
             writes
scorers      how right an answer is
paired       what paired scores can and cannot say
document_map ``--fit map``: a question to each share of documents that do not fit, then one over all
comparison   one question to several variants at once, side by side
verbs        `map`; `classify`, `extract`, `translate`, `filter`, each a prompt file and a schema
"""
