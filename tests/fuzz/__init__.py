"""Bad input: generated messages, straight to the broker, each of which must end somewhere where people can see it."""
