"""What goes beyond the assignment; README.md tells it."""
