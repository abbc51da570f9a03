"""The bookstore's services: each module is one, with a queue of its own, in a process of its own.

Run one with: manage.py eventbridge consume consumers.email --settings consumers.settings
"""
