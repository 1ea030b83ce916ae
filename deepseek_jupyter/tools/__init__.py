"""Answers that do something: typed results, and functions that the model may call."""
