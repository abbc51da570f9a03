"""A browser without a window: cookies, forms with their CSRF token, redirects."""

import html
import json
import re
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_MISTAKE = re.compile(r'<div class="wrongness"[^>]*>\s*<p>(.*?)</p>', re.DOTALL)
_OPTION = '<option value="([^"]+)"[^>]*>{}</option>'


class BrowserError(Exception):
    """The site did not answer as a person would expect."""


class Browser:
    """Visits one site. Not thread-safe."""

    def __init__(self, site: str) -> None:
        self.site = site
        # A proxy in the environment is for the world outside, not for this machine.
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

    def see(self, path: str) -> str:
        """A page's HTML. Raises BrowserError if there is none."""
        return self._open(path)[1]

    def read(self, path: str) -> Any:
        """A JSON document."""
        return json.loads(self.see(path))

    def send(self, path: str, page: str = "", **fields: str) -> str:
        """Fill in the form on `page` (else on `path`), send it to `path`; the path where that leads.

        Raises BrowserError with the site's own words if it does not accept what was typed.
        """
        found = _TOKEN.search(self.see(page or path))
        if not found:
            raise BrowserError(f"{page or path} has no form")
        data = urlencode({"csrfmiddlewaretoken": found[1], **fields}).encode()
        url, answer = self._open(path, data)
        if mistake := _MISTAKE.search(answer):
            raise BrowserError(f"{path} says: {html.unescape(mistake[1])}")
        return url.removeprefix(self.site.rstrip("/"))

    def choice(self, path: str, label: str) -> str:
        """The value of the option that is labelled so in a form."""
        found = re.search(_OPTION.format(re.escape(html.escape(label))), self.see(path))
        if not found:
            raise BrowserError(f"{path} does not offer {label!r}")
        return found[1]

    def _open(self, path: str, data: bytes | None = None) -> tuple[str, str]:
        try:
            with self._opener.open(urljoin(self.site, path), data, timeout=25) as answer:
                return answer.url, answer.read().decode()
        except HTTPError as error:
            raise BrowserError(f"{path} answers {error.code} {error.reason}") from error
        except OSError as error:
            raise BrowserError(f"{path}: the site does not answer ({error})") from error
