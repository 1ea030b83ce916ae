"""The executed cells as values: what each does to names, and which of them matter. Pure."""
