"""Which FHIR servers may be contacted: listed bases only, compared after normalising, checked at the connected address."""

import ipaddress
import posixpath
from dataclasses import dataclass
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class AllowedBase:
    """A FHIR base URL of the registry, normalised."""

    url: str
    private_network: bool = False  # may resolve to private and loopback addresses


@dataclass(frozen=True, slots=True)
class Origin:
    scheme: str
    host: str
    port: int


def normalise_base(url: str) -> str | None:
    """Scheme and host in lower case, default port and trailing slash dropped; None for what cannot be a base."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username or parts.query or parts.fragment:
        return None
    if "%" in parts.netloc or "\\" in url or any(ord(sign) <= 32 for sign in url):
        return None
    path = posixpath.normpath(parts.path) if parts.path.strip("/") else ""
    if path != (parts.path.rstrip("/") or "") or ".." in parts.path.split("/"):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown_port = "" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}"
    return f"{scheme}://{host}{shown_port}{path}"


def find_allowed(url: str, bases: tuple[AllowedBase, ...]) -> AllowedBase | None:
    """The listed base that `url` is, exactly; a base below a listed one is another server."""
    wanted = normalise_base(url)
    return next((base for base in bases if base.url == wanted), None) if wanted else None


def origin_of(url: str) -> Origin | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username:
        return None
    return Origin(scheme, parts.hostname.lower(), port or _DEFAULT_PORTS[scheme])


def may_connect(address: str, *, private_network: bool) -> bool:
    """Whether a resolved address may be connected to. Link-local and unspecified addresses never."""
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    return private_network or ip.is_global
