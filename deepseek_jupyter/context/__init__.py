"""Python objects to prompt text. May import `errors` only."""
