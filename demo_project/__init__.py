"""The bookstore's site: a small Django project that publishes its events with eventbridge."""
