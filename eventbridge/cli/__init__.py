"""The command line, a module for each noun of ``manage.py eventbridge``: how it is asked, what it answers."""
