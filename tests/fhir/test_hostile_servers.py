"""Findings of the security review about FHIR servers: where a call may go, what may come back, and how much of it."""

import ssl
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cds_service.fhir import connections
from cds_service.fhir.addresses import LONGEST_TOKEN, NO_HEADER, Access, AllowedBase, find_access, may_connect
from cds_service.fhir.client import FhirClient, Limits
from cds_service.fhir.prefetch import Settled, State
from tests.fhir.ehr import FHIR_JSON, TOKEN, Ehr, Exchange, diagnostics, make_call, open_service, post, trace_of

MEGABYTE = 1_000_000
AMPLE = 15.0  # seconds for FHIR

# Address to (may be connected to, may be with `private_network`). Each stands for another way to write an address that
# must not be reached, or for a machine that hands out credentials.
ADDRESSES = {
    "::127.0.0.1": (False, True),  # IPv4-compatible
    "::169.254.169.254": (False, False),
    "::ffff:0:169.254.169.254": (False, False),  # IPv4-translated
    "::ffff:169.254.169.254": (False, False),  # IPv4-mapped
    "64:ff9b::169.254.169.254": (False, False),  # NAT64
    "64:ff9b:1::169.254.169.254": (False, False),  # NAT64 within a site
    "64:ff9b:1::10.0.0.1": (False, True),
    "64:ff9b::8.8.8.8": (True, True),
    "2002:a9fe:a9fe::1": (False, False),  # 6to4
    "2001:0:4136:e378:8000:63bf:5601:5601": (False, False),  # Teredo of 169.254.169.254
    "fec0::1": (False, True),  # site-local, given up
    "::2": (False, True),
    "5f00::1": (False, True),  # not given out
    "2606:4700::1": (True, True),
    "fd12:3456::1": (False, True),
    "::1": (False, True),
    "::": (False, False),
    "0.0.0.0": (False, False),
    "100.100.100.200": (False, False),  # metadata of cloud machines
    "168.63.129.16": (False, False),
    "192.0.0.192": (False, False),
    "fd00:ec2::254": (False, False),
    "fd00:ec2::23": (False, False),
    "fd20:ce::254": (False, False),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_way_of_writing_an_address_gets_around_the_check(address: str) -> None:
    found = (may_connect(address, private_network=False), may_connect(address, private_network=True))
    assert found == ADDRESSES[address]


# What a server, or the CDS Client in its prefetch, may name as the next page: `{}` is host and port of the server.
ELSEWHERE = (
    "http://{}@evil.example/base/r4/Observation?page=2",
    "http://user:secret@{}/base/r4/Observation?page=2",
    "http://evil.example\\@{}/base/r4/Observation?page=2",
    "http://{}\\@evil.example/base/r4/Observation?page=2",
    "http://{}.evil.example/Observation?page=2",
    "https://{}/base/r4/Observation?page=2",
    "//evil.example/base/r4/Observation?page=2",
    "\t//evil.example/Observation?page=2",
    "file:///etc/passwd",
    "gopher://{}/x",
    "http://[::1/Observation?page=2",
    "javascript:alert(1)",
)


@pytest.mark.parametrize("link", ELSEWHERE)
@pytest.mark.parametrize("named_by", ["server", "prefetch"])
def test_a_next_link_to_anywhere_else_is_not_followed(ehr: Ehr, link: str, named_by: str) -> None:
    host = ehr.base.removeprefix("http://").partition("/")[0]
    first = {"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "next", "url": link.format(host)}]}
    prefetch = {"weight": first} if named_by == "prefetch" else {}
    ehr.faults["weight"] = lambda exchange: exchange.reply(first)
    reply = post(open_service(ehr, fhir_seconds=AMPLE), make_call(ehr, prefetch=prefetch)).get_json()
    assert "another server" in trace_of(reply)["notObtained"]["weight"]
    assert not [one for one in ehr.seen if "page=2" in one.target or "evil" in str(one.headers)]


def bomb(times: int, size: int) -> bytes:
    """Blanks, packed so many times over."""
    data = b" " * MEGABYTE
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(data) for _ in range(size)) + packer.flush()
    for _ in range(times - 1):
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        packed = packer.compress(packed) + packer.flush()
    return packed


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_unpacks_to_more_than_a_key_may_bring_is_cut_off(ehr: Ehr, times: int) -> None:
    """The limit is on what is unpacked: 40 MB arrive in 40 kB, or in a few hundred bytes."""
    packed, encoding = bomb(times, 40), ", ".join(["gzip"] * times)
    ehr.faults["ferritin"] = lambda exchange: exchange.reply(packed, Content_Encoding=encoding)
    response = post(open_service(ehr, fhir_seconds=AMPLE), make_call(ehr))
    assert response.status_code == 412 and "larger than is read" in diagnostics(response)


def test_packed_answers_are_not_asked_for(ehr: Ehr) -> None:
    post(open_service(ehr, fhir_seconds=AMPLE), make_call(ehr))
    assert {one.headers.get("Accept-Encoding") for one in ehr.seen} == {"identity"}


def fetch(ehr: Ehr, limits: Limits, keys: int) -> dict[str, Settled]:
    """Answers to as many queries at once."""
    import time

    client = FhirClient(keys, limits)
    access = Access(AllowedBase(ehr.base, private_network=True), TOKEN)
    jobs = {f"key-{number}": f"Observation?number={number}" for number in range(keys)}
    try:
        return client.fetch_all(access, dict(jobs), lambda *_: False, time.monotonic() + AMPLE)
    finally:
        client.close()


def megabyte(exchange: Exchange) -> None:
    exchange.reply(b'{"resourceType":"Bundle","type":"searchset"%s}' % (b" " * MEGABYTE), kind=FHIR_JSON)


def test_all_answers_of_a_call_together_have_a_limit(ehr: Ehr) -> None:
    """Twenty keys of 16 MB each were 320 MB, and their further pages twice that."""
    ehr.faults["*"] = megabyte
    enough = fetch(ehr, Limits(bytes_of_call=6 * MEGABYTE), 5)
    assert {one.state for one in enough.values()} == {State.EMPTY}
    cut = fetch(ehr, Limits(bytes_of_call=3 * MEGABYTE), 5)
    assert {one.why for one in cut.values() if one.state is State.FAILED} == {
        "the answers together are larger than is read for one call"
    }


def test_the_first_page_counts_towards_the_limit_of_its_key(ehr: Ehr) -> None:
    entry = {"resource": {"resourceType": "Observation", "text": {"div": " " * MEGABYTE}}}

    def page(exchange: Exchange) -> None:
        link = {"relation": "next", "url": f"{ehr.base}/Observation?page={exchange.number + 1}"}
        exchange.reply({"resourceType": "Bundle", "entry": [entry], "link": [link]})

    ehr.faults["*"] = page
    found = fetch(ehr, Limits(bytes=2 * MEGABYTE), 1)["key-0"]
    assert (len(found.resources), found.why) == (2, "more data than are read for one key")


def test_a_token_longer_than_any_header_may_be_is_not_sent() -> None:
    base = AllowedBase("https://ehr.example/fhir")
    assert isinstance(find_access(base.url, "t" * LONGEST_TOKEN, "", (base,)), Access)
    assert find_access(base.url, "t" * (LONGEST_TOKEN + 1), "", (base,)) == NO_HEADER


def test_a_certificate_for_another_name_is_refused(ehr: Ehr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed by an authority we trust, but not for the server that is asked."""
    authority, (certificate, key) = tmp_path / "authority.pem", _certify(tmp_path, "other.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    ehr._http.socket = context.wrap_socket(ehr._http.socket, server_side=True)
    base = ehr.base.replace("http:", "https:")
    usual = connections._trust_store

    def trusting() -> ssl.SSLContext:
        made = usual()
        made.load_verify_locations(authority)
        return made

    monkeypatch.setattr(connections, "_trust_store", trusting)
    service = open_service(ehr, fhir_bases=(base,), fhir_seconds=AMPLE)
    assert post(service, make_call(ehr, fhirServer=base)).status_code == 412
    assert not ehr.seen
    context.load_cert_chain(*_certify(tmp_path, "127.0.0.1"))  # the same authority, and the right name
    service = open_service(ehr, fhir_bases=(base,), fhir_seconds=AMPLE)
    assert post(service, make_call(ehr, fhirServer=base)).status_code == 200


def _certify(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate and its key, signed by the authority in `folder`, which is made if it is not there."""
    from ipaddress import ip_address

    now = datetime.now(UTC)
    signer = folder / "authority.key"
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Synthetic authority for tests")])
    if not signer.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        made = x509.CertificateBuilder(issuer, issuer, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
        authority = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        authority = authority.add_extension(usage, critical=True)
        authority = authority.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        (folder / "authority.pem").write_bytes(
            authority.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        signer.write_bytes(_pem(key))
    authority_key: Any = serialization.load_pem_private_key(signer.read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    serial = x509.random_serial_number()
    made = x509.CertificateBuilder(issuer, subject, key.public_key(), serial, now - timedelta(1), now + timedelta(1))
    known: x509.GeneralName = x509.DNSName(name) if name[0].isalpha() else x509.IPAddress(ip_address(name))
    made = made.add_extension(x509.SubjectAlternativeName([known]), critical=False)
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    signed = made.add_extension(by, critical=False).sign(authority_key, hashes.SHA256())
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(_pem(key))
    return certificate, private


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
