"""The way of a question: from what was typed to the `Reply`, each step a file."""
