"""A model of the whole way: random histories with a death between any two steps, and what must hold after each."""
