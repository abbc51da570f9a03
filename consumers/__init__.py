"""The bookstore's services: each module is one, with a queue of its own, in a process of its own.

    manage.py eventbridge consume consumers.email --settings consumers.settings
"""
