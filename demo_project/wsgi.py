"""The site as a WSGI application."""

import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_project.settings")

# One style sheet and the admin's files: served from the apps themselves, with DEBUG or without.
application = StaticFilesHandler(get_wsgi_application())
