"""DeepSeek in notebooks."""
