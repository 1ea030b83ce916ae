"""The network: provider profiles, keys, the HTTP client, retries. The only importer of httpx.

providers  the ten first-class providers, as data
addresses  base URLs in every form that pages print
learned    what hosts taught: refusals that were cured, and what they list
keys       where API keys are found, and how they stay out of sight
client     requests out, deltas in; retries, limits on time, size and concurrency
engine     the thread and event loop on which every exchange runs
exchange   one question and its answer, and the verdict on what came
failures   from a refusal to an error class
retry      which failures are tried again, and after how long
"""
