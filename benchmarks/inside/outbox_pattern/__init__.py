"""Inside django-outbox-pattern's environment; an app, because its decorator wants a model of our own."""
