"""`edu nginx`: what differs from site to site in the shipped nginx configuration, written from the settings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from edu_platform.config.settings import Settings, Storage

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx"
FORM_OVERHEAD = 65_536
"""Bytes that a multipart form adds to its file; and by how much a body may pass the limit and still meet the application's own refusal."""
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9a-f:.]+\]):\d{1,5}|unix:/[\w./-]+")
_PATH = re.compile(r"/[^\s\"';{}$\\]*")


def site(
    settings: Settings,
    *,
    upstreams: Sequence[str] = ("127.0.0.1:8000",),
    listen: str = "80",
    listen_tls: str | None = "443",
    certificate: str = "/etc/nginx/tls/edu.crt",
    key: str = "/etc/nginx/tls/edu.key",
    access_log: str = "/var/log/nginx/edu.access.log",
) -> str:
    """Return `site.conf`; without `listen_tls` the platform is served in clear, fit only behind what ends TLS or on a desk."""
    names = urlsplit(settings.public_url).hostname or "localhost"
    plain = f"    listen {listen};"
    parts = {"listen": plain, "listen_default": f"    listen {listen} default_server;", "redirect": ""}
    if listen_tls is not None:
        secure = (
            f"    ssl_certificate {certificate};\n    ssl_certificate_key {key};\n    include edu/tls.conf;"
        )
        parts["listen"] = (
            f"    listen {listen_tls} ssl http2;\n{secure}\n    error_page 497 =301 {_elsewhere(listen_tls)};"
        )
        parts["listen_default"] += f"\n    listen {listen_tls} ssl http2 default_server;\n{secure}"
        parts["redirect"] = (
            f"\nserver {{\n{plain}\n    server_name {names};\n    access_log off;\n"
            f"    return 301 {_elsewhere(listen_tls)};\n}}\n"
        )
    parts |= {
        "servers": "\n".join(f"    server {address};" for address in upstreams),
        "names": names,
        "access_log": access_log,
        "body": str(settings.max_body_bytes + FORM_OVERHEAD),
        "upload": str(settings.max_upload_bytes + FORM_OVERHEAD),
        "media": _media(settings),
    }
    template = (SHIPPED / "site.conf.in").read_text()
    return re.sub("@([a-z_]+)@", lambda found: parts[found[1]], template)


def _elsewhere(listen_tls: str) -> str:
    port = listen_tls.rsplit(":", 1)[-1]
    return "https://$host$request_uri" if port == "443" else f"https://$host:{port}$request_uri"


def _media(settings: Settings) -> str:
    """Return the location of published files: a folder, or the public prefix of the bucket."""
    if settings.storage is Storage.FOLDER:
        lines = [f'alias "{settings.data_dir}/media/public/";', "include edu/media.conf;"]
    else:
        lines = [
            f"proxy_pass {settings.s3_endpoint}/{settings.s3_bucket}/public/;",
            "include edu/media.conf;",
            "include edu/s3.conf;",
        ]
        if str(settings.s3_endpoint).startswith("https://"):
            lines += [
                "proxy_ssl_server_name on;",
                "proxy_ssl_verify on;",
                "proxy_ssl_verify_depth 3;",
                "proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;",
            ]
    return "    location /media/ {\n" + "".join(f"        {line}\n" for line in lines) + "    }"


def _path(ctx: click.Context, option: click.Parameter, value: str) -> str:
    del ctx, option
    if not _PATH.fullmatch(value):
        raise click.BadParameter(f"须为不含空格与引号的绝对路径，不是 {value!r}。")
    return value


def _addresses(ctx: click.Context, option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    del ctx, option
    for address in value:
        if not _ADDRESS.fullmatch(address):
            raise click.BadParameter(f"须形如 127.0.0.1:8000 或 unix:/run/edu.sock，不是 {address!r}。")
    return value


@click.command()
@click.option(
    "--upstream", "upstreams", multiple=True, default=["127.0.0.1:8000"], show_default=True,
    callback=_addresses, help="a web process; several times for several",
)  # fmt: skip
@click.option("--certificate", default="/etc/nginx/tls/edu.crt", show_default=True, callback=_path)
@click.option("--key", default="/etc/nginx/tls/edu.key", show_default=True, callback=_path)
@click.option("--access-log", default="/var/log/nginx/edu.access.log", show_default=True, callback=_path)
@click.option("--port", type=click.IntRange(1, 65535), default=80, show_default=True)
@click.option("--tls-port", type=click.IntRange(1, 65535), default=443, show_default=True)
@click.option("--without-tls", is_flag=True, help="serve in clear: behind what ends TLS, or on a desk")
def command(
    *,
    upstreams: tuple[str, ...],
    certificate: str,
    key: str,
    access_log: str,
    port: int,
    tls_port: int,
    without_tls: bool,
) -> None:
    """Print site.conf for the shipped nginx configuration (deploy/nginx)."""
    from edu_platform.factory.entry import settings_here

    settings = settings_here()
    if settings.trusted_proxies == 0:
        click.echo(
            "提醒：网站在 nginx 之后，请设 EDU_TRUSTED_PROXIES=1，否则限流把所有人算作一个地址。", err=True
        )
    click.echo(
        site(
            settings,
            upstreams=upstreams,
            listen=str(port),
            listen_tls=None if without_tls else str(tls_port),
            certificate=certificate,
            key=key,
            access_log=access_log,
        ),
        nl=False,
    )
