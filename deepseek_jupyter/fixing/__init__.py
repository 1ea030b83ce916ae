"""Changes to cells: asked for, decided on, written, taken back."""
