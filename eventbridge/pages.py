"""Pages: made plain as a whole, once they are rendered. Values reach a page in too many ways to watch each."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.template.response import SimpleTemplateResponse

from eventbridge.wording import spelled

# Controls, line separators, and what turns the direction of text. Not its marks and joiners, which translations need.
_STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def plainly(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view, whose pages nothing that came in a message can steer. (Templates escape HTML.)"""

    @wraps(view)
    def shown(*args: Any, **kwargs: Any) -> HttpResponse:
        response = view(*args, **kwargs)
        if isinstance(response, SimpleTemplateResponse):
            response.add_post_render_callback(_make_plain)
        return response

    return shown


def _make_plain(response: Any) -> None:
    text = response.content.decode(response.charset)
    response.content = _STEERING.sub(lambda found: spelled(found[0]), text).encode(response.charset)
