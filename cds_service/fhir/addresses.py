"""Which FHIR servers may be contacted: listed bases only, compared after normalising, and at permitted addresses."""

import ipaddress
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
# The last four bytes are the IPv4 address that is really reached: NAT64 (RFC 6052, RFC 8215), IPv4-translated
# (RFC 2765) and IPv4-compatible (RFC 4291 2.5.5.1) notation.
_IPV4_INSIDE = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")))
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")  # all that is given out; Python calls global what is not yet
# Instance metadata and credentials of cloud machines, as far as they are not at link-local addresses.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),
    )
)
LONGEST_TOKEN = 16_384  # characters; longer header lines are refused by servers
_SENDABLE = re.compile(r"[\x21-\x7e]+").fullmatch  # what fits into a header as it is
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}").fullmatch
IPV4 = 4
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class AllowedBase:
    """A FHIR base URL that may be contacted, normalised."""

    url: str
    private_network: bool = False  # may resolve to private and loopback addresses


@dataclass(frozen=True, slots=True)
class Access:
    """One call's way to its CDS Client's FHIR server. The repr does not show the token (CH-100)."""

    base: AllowedBase
    token: str = field(repr=False)
    scope: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NoAccess:
    """Why no query can be made, and what to do about it."""

    why: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What a browser calls an origin: the token never leaves it."""

    scheme: str
    host: str
    port: int


NO_SERVER = NoAccess("the call names no fhirServer")
NO_TOKEN = NoAccess("the call brings no access token (fhirAuthorization)")
NO_HEADER = NoAccess(f"the access token is over {LONGEST_TOKEN} characters, or holds some that no HTTP header can")
NOT_LISTED = NoAccess(
    "the fhirServer of the call is not listed; list it in CDS_FHIR_BASES (demo mode), or under [[client.fhir]] in the "
    "registry of CDS_CLIENTS"
)


def find_access(
    server: str | None,
    token: str | None,
    scope: str,
    bases: tuple[AllowedBase, ...],
    traceparent: str = "",
    request_id: str = "",
) -> Access | NoAccess:
    """Server and token of a call as access to a listed base (CH-097, CH-098, CH-108)."""
    if server is None:
        return NO_SERVER
    base = find_allowed(server, bases)
    if base is None:
        return NOT_LISTED
    if token is None:
        return NO_TOKEN
    if len(token) > LONGEST_TOKEN or not _SENDABLE(token):
        return NO_HEADER
    headers = {"X-Request-Id": request_id} if request_id else {}
    if _TRACEPARENT(traceparent):
        headers["traceparent"] = traceparent
    return Access(base, token, scope, headers)


def normalise_base(url: str) -> str | None:
    """Scheme and host in lower case, default port and trailing slash dropped; None for what cannot be a base."""
    if "\\" in url or any(ord(sign) <= ord(" ") for sign in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        return None
    path = parts.path.rstrip("/")
    if "%" in parts.netloc or (path and posixpath.normpath(path) != path):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown_port = "" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}"
    return f"{scheme}://{host}{shown_port}{path}"


def find_allowed(url: str, bases: tuple[AllowedBase, ...]) -> AllowedBase | None:
    """The listed base that `url` is, exactly; a base below a listed one is another server."""
    wanted = normalise_base(url)
    return next((base for base in bases if base.url == wanted), None) if wanted else None


def demo_base(url: str) -> AllowedBase:
    """A base listed in demo mode, where nothing says `private_network`: local is what has a local name."""
    return AllowedBase(normalise_base(url) or url, private_network=_is_local_name(urlsplit(url).hostname or ""))


def _is_local_name(host: str) -> bool:
    """A private address, or a name without dots, which only this machine's network can know (`localhost`, `hapi`)."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host


def origin_of(url: str) -> Origin | None:
    """None when the URL has none, or carries a user name."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return Origin(scheme, parts.hostname.lower(), port or _DEFAULT_PORTS[scheme])


def may_connect(address: str, *, private_network: bool) -> bool:
    """Whether a resolved address may be connected to. Link-local, multicast and unspecified addresses never."""
    try:
        ip = _reached(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in _METADATA:
        return False
    return private_network or (ip.is_global and (ip.version == IPV4 or ip in _PUBLIC_IPV6))


def _reached(ip: IpAddress) -> IpAddress:
    """The IPv4 address that an IPv6 notation stands for."""
    if isinstance(ip, ipaddress.IPv4Address) or ip.is_loopback:
        return ip
    if any(ip in network for network in _IPV4_INSIDE):
        return ipaddress.IPv4Address(ip.packed[-4:])
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)
