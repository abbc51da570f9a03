"""Who may do what. In the demo everybody may do everything; elsewhere each page asks for Django's own permissions."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

View = Callable[..., HttpResponse]


def needs(permission: str) -> Callable[[View], View]:
    """Only for users with that permission, such as `bookstore.add_book`; who is not logged in is asked to."""

    def guarded(view: View) -> View:
        @wraps(view)
        def ask(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if settings.BOOKSTORE_DEMO or request.user.has_perm(permission):
                return view(request, *args, **kwargs)
            if request.user.is_authenticated:
                raise PermissionDenied
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))

        return ask

    return guarded
