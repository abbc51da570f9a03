"""A consumer that handles nothing, which is a mistake (E021)."""

from eventbridge import Consumer

consumer = Consumer("cli.idle")
