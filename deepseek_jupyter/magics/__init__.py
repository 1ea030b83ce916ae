"""What the user types. May import `session` and its neighbours, and `display`."""
