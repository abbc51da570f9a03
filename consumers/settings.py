"""The services' settings: the site's database, broker and mail, without the web."""

from demo_project.settings import *  # noqa: F403
from demo_project.settings import EVENTBRIDGE as SITE

INSTALLED_APPS = ["eventbridge", "demo_project.bookstore"]
MIDDLEWARE = []
TEMPLATES = []
ROOT_URLCONF = ""
WSGI_APPLICATION = ""
SILENCED_SYSTEM_CHECKS = []

EVENTBRIDGE = {**SITE, "CONSUMERS": ["consumers.email", "consumers.deletion"]}
