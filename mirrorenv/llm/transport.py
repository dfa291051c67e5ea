"""The client of HTTP: what of the environment it heeds, and which of its errors mean what.

A server gets what its card says and nothing else. Of the environment only proxies and certificates
are heeded, never for an address on this machine, and what is wrong with them is said before the
first request.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import httpx2

from mirrorenv.errors import ConfigError
from mirrorenv.llm.failures import Failure

__all__ = ["client_for", "connection_failure", "is_loopback"]

_SCHEMES = ("http", "https", "socks5", "socks5h")


def is_loopback(base_url: str) -> bool:
    """Whether an address is on this machine."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def client_for(base_url: str, who: str) -> httpx2.AsyncClient:
    """A client for one address.

    Args:
        base_url: of the server.
        who: on whose behalf, for messages.

    Raises:
        ConfigError: if a proxy or a certificate file of the environment cannot be used; the message
            names the variable.
    """
    secure = base_url.startswith("https:")
    variable, proxy = _proxy(base_url)
    try:
        return httpx2.AsyncClient(
            verify=_certificates(who, os.environ.get("SSL_CERT_FILE")) if secure else False,
            proxy=proxy,
            trust_env=False,  # proxies and certificates are taken above; no .netrc, nothing else
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
        )
    except (ImportError, ValueError, TypeError, httpx2.InvalidURL) as error:
        why = " ".join(str(error).split())
        if isinstance(error, ImportError):
            why = "a socks proxy needs the package socksio: pip install socksio"
        raise ConfigError(
            f"{who}: the proxy in the environment variable {variable} cannot be used ({why}); "
            f"correct it, unset it, or name {urlsplit(base_url).hostname} in NO_PROXY"
        ) from error


def _proxy(base_url: str) -> tuple[str, str | None]:
    """The environment variable that names a proxy for an address, and the proxy."""
    place = urlsplit(base_url)
    host = place.hostname or ""
    if is_loopback(base_url) or proxy_bypass(f"{host}:{place.port or ''}".rstrip(":")):
        return "", None
    found = getproxies_environment()
    for kind in (place.scheme, "all"):
        if found.get(kind):
            name = f"{kind.upper()}_PROXY"
            address = found[kind] if "://" in found[kind] else f"http://{found[kind]}"
            if urlsplit(address).scheme not in _SCHEMES:
                raise ConfigError(
                    f"the proxy in the environment variable {name} begins with "
                    f"'{urlsplit(address).scheme}://'; write http://, https:// or socks5://"
                )
            return name, address
    return "", None


@lru_cache(maxsize=8)
def _certificates(who: str, file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{who}: the environment variable SSL_CERT_FILE names {file}, which cannot be read as "
            f"certificates ({error}); correct it or unset it"
        ) from error


def connection_failure(error: BaseException) -> Failure:
    """What an error of the client means.

    Args:
        error: an `httpx2` error, or one of the operating system.
    """
    causes = list(_causes(error))
    said = next((str(one) for one in reversed(causes) if str(one)), type(error).__name__)
    for one in causes:
        if isinstance(one, ssl.SSLCertVerificationError):
            remedy = (
                "its certificate is not trusted: name the file of the authority that signed it in "
                "SSL_CERT_FILE"
            )
            said = f"cannot connect ({one.verify_message or one})"
            return Failure(said, None, False, "address", remedy=remedy)
        if isinstance(one, ssl.SSLError) or "SSL" in type(one).__name__:
            remedy = "it does not speak https there: try http:// in base_url"
            return Failure(f"cannot connect ({said})", None, False, "address", remedy=remedy)
        if isinstance(one, socket.gaierror) and one.errno == socket.EAI_NONAME:
            remedy = "no such host: check base_url"
            return Failure(f"cannot connect ({said})", None, False, "address", remedy=remedy)
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return Failure(f"cannot connect ({said})", None, False, "address")
    if isinstance(error, httpx2.DecodingError):
        return Failure(f"the answer cannot be unpacked ({said})", 502)
    if isinstance(error, httpx2.ProxyError):
        return Failure(f"the proxy does not connect ({said})", None, True, "address")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Failure(f"cannot connect ({said})", None, True, "address")
    return Failure(f"the connection broke ({said})", None, True, "call")


def _causes(error: BaseException | None) -> Iterator[Any]:
    seen = 0
    while error is not None and seen < 10:
        yield error
        error = error.__cause__ or error.__context__
        seen += 1
