"""What a kernel holds, and the one place where the parts meet."""
