"""The network: provider profiles, keys, the HTTP client, retries. The only importer of httpx.

May import `errors`, `home` and `protocol`.
"""
