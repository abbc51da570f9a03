"""Real servers for the tests: a broker, a database, a mail server, and a bad network in front of them."""
