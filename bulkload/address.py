"""Which addresses may be sent to: whole https:// URLs without secrets, and http:// where nobody listens."""

import ipaddress
from urllib.parse import urlsplit


def wrong_url(url: str, *, allow_http: bool) -> str:
    """What keeps us from sending there, empty where nothing does. It quotes no URL, which might hold a password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no valid URL: write https://HOST/PATH"
    if not url.startswith(("http://", "https://")) or not host or not url.isprintable() or " " in url:
        return "is no valid URL: write https://HOST/PATH"
    if parts.username is not None or parts.password is not None:
        return "holds a user name or password: give them as credentials"
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        return "ends in a query or a fragment: leave that off"
    if "{" in url:
        return "still holds a {variable}: write its value"
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        return "is http://, which anybody on the way can read: write https://, or set allow_http = true"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
