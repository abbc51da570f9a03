"""What becomes of it all when there is much of it."""
