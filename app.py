"""The WSGI application, as the environment's settings have it."""

from edu_platform.factory.entry import application

app = application()
