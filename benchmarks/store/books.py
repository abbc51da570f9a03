"""A book like any other."""

TITLE = "The Sea, the Sea, and Everything That Was Ever Said About It, Volume {}"
CONTENT = "It was a bright cold day in April, and the clocks were striking thirteen. " * 2


def book(number: int) -> dict[str, object]:
    """The fields of book ``number``."""
    return {
        "title": TITLE.format(number),
        "slug": f"the-sea-the-sea-volume-{number}",
        "content": CONTENT,
        "status": "Published",
        "author_id": number % 1000,
    }
