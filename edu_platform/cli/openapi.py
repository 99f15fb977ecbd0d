"""`edu openapi`: print the API's description."""

from __future__ import annotations

import json

import click


@click.command()
def command() -> None:
    """Print the OpenAPI 3.1 document; `docs/openapi.json` is kept equal to it by a test."""
    from edu_platform.factory.app import create_app
    from edu_platform.factory.entry import settings_here

    app = create_app(settings_here())
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    click.echo(json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True))
