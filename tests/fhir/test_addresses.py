"""Which servers are contacted: listed bases, compared after normalising, at permitted addresses only (CH-108)."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cds_service.fhir import connections
from cds_service.fhir.addresses import (
    NO_HEADER,
    NO_SERVER,
    NO_TOKEN,
    NOT_LISTED,
    Access,
    AllowedBase,
    demo_base,
    find_access,
    find_allowed,
    may_connect,
    normalise_base,
    origin_of,
)
from tests.fhir.ehr import TOKEN, Ehr, diagnostics, make_call, open_service, post

NORMAL = {
    "https://ehr.example/fhir": "https://ehr.example/fhir",
    "https://EHR.Example/fhir/": "https://ehr.example/fhir",
    "HTTPS://ehr.example:443/fhir": "https://ehr.example/fhir",
    "http://ehr.example:80": "http://ehr.example",
    "http://ehr.example:8080/": "http://ehr.example:8080",
    "https://ehr.example/FHIR/R4": "https://ehr.example/FHIR/R4",
    "https://[2001:DB8::1]:8443/fhir": "https://[2001:db8::1]:8443/fhir",
    "https://ehr.example/fhir/../admin": None,
    "https://ehr.example/./fhir": None,
    "https://user:secret@ehr.example/fhir": None,
    "https://@ehr.example/fhir": None,
    "https://ehr.example/fhir?x=1": None,
    "https://ehr.example/fhir#x": None,
    "https://ehr.example\\@evil.example/fhir": None,
    "https://ehr.example/fhir\n": None,
    " https://ehr.example/fhir": None,
    "https://%65hr.example/fhir": None,
    "https://ehr.example:99999/fhir": None,
    "https://[::1/fhir": None,
    "ftp://ehr.example/fhir": None,
    "file:///etc/passwd": None,
    "//ehr.example/fhir": None,
    "https://": None,
    "": None,
}


@pytest.mark.parametrize("url", NORMAL)
def test_a_base_is_normalised_or_refused(url: str) -> None:
    assert normalise_base(url) == NORMAL[url]


LISTED = (AllowedBase("https://ehr.example/fhir"), AllowedBase("https://ehr.example:8443/fhir", private_network=True))
FOUND = {
    "https://ehr.example/fhir/": 0,
    "https://EHR.EXAMPLE:443/fhir": 0,
    "https://ehr.example:8443/fhir": 1,
    "http://ehr.example/fhir": None,
    "https://ehr.example": None,
    "https://ehr.example/fhir/r4": None,
    "https://ehr.example/fhi": None,
    "https://ehr.example./fhir": None,
    "https://ehr.example.evil.example/fhir": None,
    "https://sub.ehr.example/fhir": None,
}


@pytest.mark.parametrize("url", FOUND)
def test_ch_108_only_a_listed_base_is_found_and_never_one_above_below_or_beside_it(url: str) -> None:
    place = FOUND[url]
    assert find_allowed(url, LISTED) == (None if place is None else LISTED[place])


# Address: may be connected to (on a public network, on a private one)
ADDRESSES = {
    "93.184.216.34": (True, True),
    "2606:2800:220:1::1": (True, True),
    "10.0.0.1": (False, True),
    "172.16.5.4": (False, True),
    "192.168.1.1": (False, True),
    "100.64.0.1": (False, True),
    "127.0.0.1": (False, True),
    "127.8.8.8": (False, True),
    "::1": (False, True),
    "fd12::1": (False, True),
    "::ffff:10.0.0.1": (False, True),
    "::ffff:93.184.216.34": (True, True),
    "169.254.169.254": (False, False),
    "::ffff:169.254.169.254": (False, False),
    "64:ff9b::a9fe:a9fe": (False, False),
    "64:ff9b::a00:1": (False, True),
    "2002:a9fe:a9fe::1": (False, False),
    "2002:a00:1::1": (False, True),
    "fe80::1": (False, False),
    "fe80::1%eth0": (False, False),
    "fd00:ec2::254": (False, False),
    "0.0.0.0": (False, False),
    "::": (False, False),
    "224.0.0.1": (False, False),
    "ff02::1": (False, False),
    "no address": (False, False),
    "": (False, False),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_private_addresses_need_permission_and_link_local_ones_never_have_it(address: str) -> None:
    public, private = ADDRESSES[address]
    assert may_connect(address, private_network=False) is public
    assert may_connect(address, private_network=True) is private


LOCAL = {
    "http://localhost:8080/fhir": True,
    "http://127.0.0.1:8080/fhir": True,
    "http://[::1]/fhir": True,
    "http://10.1.2.3/fhir": True,
    "http://hapi:8080/fhir": True,
    "https://8.8.8.8/fhir": False,
    "https://launch.smarthealthit.example/v/r4/fhir": False,
}


@pytest.mark.parametrize("url", LOCAL)
def test_in_demo_mode_a_base_with_a_local_name_may_be_local(url: str) -> None:
    assert demo_base(url) == AllowedBase(url, LOCAL[url])


def test_access_needs_a_listed_server_and_a_token() -> None:
    base = LISTED[0].url
    assert find_access(None, None, "", LISTED) == NO_SERVER
    assert find_access(base, None, "", LISTED) == NO_TOKEN
    assert find_access("https://other.example/fhir", "t", "", LISTED) == NOT_LISTED
    assert find_access(base, "t", "", ()) == NOT_LISTED
    assert find_access(base, "a b", "", LISTED) == NO_HEADER
    assert find_access(base + "/", "t", "s", LISTED) == Access(LISTED[0], "t", "s", {})


def test_ch_100_the_repr_of_an_access_does_not_show_the_token() -> None:
    assert TOKEN not in repr(Access(LISTED[0], TOKEN))


ORIGINS = ("http://h/a", "http://H:80/b?x#y", "http://h:80")


def test_urls_of_one_origin_differ_in_path_only() -> None:
    assert len({origin_of(url) for url in ORIGINS}) == 1
    others = ("https://h/a", "http://h:81/a", "http://h.x/a", "http://u@h/a", "h/a", "http://[", "http://h:x/")
    assert all(origin_of(url) != origin_of(ORIGINS[0]) for url in others)


# ---------------------------------------------------------------------------------------- the connection itself


@pytest.fixture
def listener() -> Iterator[tuple[int, list[Any]]]:
    """A port on loopback, and what was connected to it."""
    accepted: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    accepted.append(server.accept())
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], accepted


@pytest.fixture
def resolve_to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Names resolve to these addresses, one list for each look-up; the names asked for."""
    asked: list[str] = []

    def install(*answers: list[str]) -> list[str]:
        left = list(answers)

        def look_up(host: str, port: int, *_: Any, **__: Any) -> Any:
            asked.append(host)
            found = left.pop(0) if len(left) > 1 else left[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

        monkeypatch.setattr(connections.socket, "getaddrinfo", look_up)
        return asked

    return install


def ask(ehr: Ehr, base: str) -> str:
    response = post(open_service(ehr, fhir_bases=(base,), fhir_seconds=10), make_call(ehr, fhirServer=base))
    assert response.status_code == 412
    return diagnostics(response)


def test_a_public_name_that_resolves_to_this_machine_is_not_connected_to(
    ehr: Ehr, listener: tuple[int, list[Any]], resolve_to: Callable[..., list[str]]
) -> None:
    port, accepted = listener
    asked = resolve_to(["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"])
    assert "could not be reached" in ask(ehr, f"http://ehr.example:{port}/fhir")
    assert set(asked) == {"ehr.example"} and not accepted


def test_a_name_that_changes_its_answer_after_the_check_gains_nothing(
    resolve_to: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one look-up, and the connection goes to the very address that was checked."""
    asked = resolve_to(["93.184.216.34"], ["127.0.0.1"])
    connected: list[str] = []

    class Socket(socket.socket):
        def connect(self, address: Any) -> None:
            connected.append(address[0])
            raise OSError("not in a test")

    monkeypatch.setattr(connections.socket, "socket", Socket)
    client = connections.CheckedAdapter(private_network=False, connections=1)
    pool = client.poolmanager.connection_from_url("http://ehr.example/fhir")
    with pytest.raises(Exception, match="no permitted address"):
        pool.urlopen("GET", "/fhir", retries=False)
    assert (asked, connected) == (["ehr.example"], ["93.184.216.34"])


def test_of_several_addresses_only_permitted_ones_are_tried(
    resolve_to: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(["10.0.0.1", "93.184.216.34", "127.0.0.1"])
    tried: list[str] = []

    class Socket(socket.socket):
        def connect(self, address: Any) -> None:
            tried.append(address[0])
            raise OSError("not in a test")

    monkeypatch.setattr(connections.socket, "socket", Socket)
    pool = connections.CheckedAdapter(private_network=False, connections=1).poolmanager
    with pytest.raises(Exception, match="no permitted address"):
        pool.connection_from_url("https://ehr.example/fhir").urlopen("GET", "/fhir", retries=False)
    assert tried == ["93.184.216.34"]


def test_proxies_of_the_environment_are_not_used(ehr: Ehr, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(open_service(ehr, fhir_seconds=10), make_call(ehr)).status_code == 200


def test_the_bundled_demo_server_is_listed_in_demo_mode() -> None:
    from cds_service.assembly import demo_bases
    from cds_service.settings import load_settings

    bases = demo_bases(load_settings(port=8123, fhir_bases=("https://sandbox.example/r4",)))
    assert bases == (
        AllowedBase("http://127.0.0.1:8123/demo/fhir", private_network=True),
        AllowedBase("https://sandbox.example/r4"),
    )
