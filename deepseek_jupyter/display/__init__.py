"""What a person sees. May import `errors` and `protocol`; IPython only in `frontend`."""
