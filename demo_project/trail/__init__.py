"""Each event's way, written down for people to look at: a receiver of eventbridge's own signals in every process."""
