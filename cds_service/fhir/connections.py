"""Connections to FHIR servers: permitted addresses only, checked on the socket's own target, and timed by the clock."""

import http.client
import io
import socket
import ssl
import time
from typing import Any

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from cds_service.fhir.addresses import may_connect


class CheckedAdapter(HTTPAdapter):
    """What a `requests.Session` sends through; used without a session there are no proxies, cookies or redirects."""

    def __init__(self, *, private_network: bool, connections: int) -> None:
        self._private_network = private_network
        super().__init__(pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=_trust_store(), **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS[self._private_network]

    def cert_verify(self, conn: Any, *_: Any) -> None:
        """Certificates are always verified, against the authorities in the context that all connections share."""
        conn.cert_reqs = "CERT_REQUIRED"


def _trust_store() -> ssl.SSLContext:
    """The authorities of this machine (a hospital's own among them) and those that come with `requests`.

    Made once: reading them takes longer than a query, and a call opens many connections at once.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


class _Answer(http.client.HTTPResponse):
    """Status, headers and body are read by the clock: a server that drips bytes gains nothing over a silent one."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        timeout = sock.gettimeout()
        if timeout is not None:
            self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, time.monotonic() + timeout))


class _Timed(io.RawIOBase):
    """Reads from a socket until a moment; raises `TimeoutError` after it."""

    def __init__(self, inner: io.RawIOBase, sock: socket.socket, until: float) -> None:
        self._inner = inner
        self._sock = sock
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._until - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._sock.settimeout(remaining)
        return self._inner.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()


def _connect(connection: HTTPConnection, *, private_network: bool) -> socket.socket:
    """A socket to the first permitted address of the host. The check is on the address that is connected to, so that
    a name which changes its answer gains nothing. All attempts share the connection's timeout.
    """
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
    until = time.monotonic() + timeout if timeout is not None else None
    failed: Exception = OSError("the host resolves to no address that may be connected to")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        connection.host.strip("[]"), connection.port, type=socket.SOCK_STREAM
    ):
        if not may_connect(str(address[0]), private_network=private_network):
            continue
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(until - time.monotonic(), 0.001) if until is not None else None)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
        except OSError as refused:
            sock.close()
            failed = refused
        else:
            return sock
    raise NewConnectionError(connection, "no permitted address could be connected to") from failed


class _PublicHTTP(HTTPConnection):
    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        return _connect(self, private_network=False)


class _PrivateHTTP(HTTPConnection):
    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        return _connect(self, private_network=True)


class _PublicHTTPS(HTTPSConnection):
    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        return _connect(self, private_network=False)


class _PrivateHTTPS(HTTPSConnection):
    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        return _connect(self, private_network=True)


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _PrivateHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PrivateHTTP


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


class _PrivateHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PrivateHTTPS


_POOLS: dict[bool, dict[str, Any]] = {  # by `private_network`
    False: {"http": _PublicHTTPPool, "https": _PublicHTTPSPool},
    True: {"http": _PrivateHTTPPool, "https": _PrivateHTTPSPool},
}
