"""Authors, their books, and the events that other services hear of."""
