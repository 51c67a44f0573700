"""The `conformance` command: what it is about to do, consent, the test, and the outcome in three forms."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from cds_service.errors import ConfigurationError

if TYPE_CHECKING:
    from cds_service.conformance.run import Outcome
    from cds_service.conformance.tokens import Signer

Json = dict[str, Any]
FAILED = 1  # exit code when a duty under 2.0.1 is not met
SAMPLES = ("low-ferritin", "never-tested", "other-drug", "signing-complete", "after-week-9", "candidate")


@dataclass(frozen=True, slots=True)
class Login:
    """What the options say about the CDS Client that the test plays."""

    key: Path | None
    issuer: str | None
    kid: str | None
    audience: str | None
    tenant: str | None
    jku: str | None


def announce(base: str, *, is_agreed: bool) -> None:
    """Says what will be sent, and asks before a service on another machine is called. Raises `click.UsageError`."""
    from cds_service.settings import is_loopback

    click.echo(
        f"This sends some hundreds of requests to {base}, broken ones among them, and feedback. All patients are "
        "synthetic. A service that stores calls or feedback will have stored them afterwards.",
        err=True,
    )
    if not is_agreed and not is_loopback(urlsplit(base).hostname or ""):
        raise click.UsageError("The address is not on this machine: say --yes if its operator agrees.")


def build_signer(login: Login, base: str, now: Callable[[], float]) -> "Signer | None":
    """None without a key. Raises `ConfigurationError` naming what is missing."""
    from cds_service.conformance.tokens import Signer, load_key

    if login.key is None:
        return None
    if login.issuer is None:
        raise ConfigurationError("--key needs --issuer: the `iss` under which the service knows the key")
    key, algorithm, kid = load_key(login.key)
    kid = login.kid or kid
    if not kid:
        raise ConfigurationError("--kid is missing: the file does not name the key")
    return Signer(key, algorithm, kid, login.issuer, (login.audience or base).rstrip("/"), now, login.tenant, login.jku)


def read_requests(files: Sequence[Path]) -> list[Json]:
    """Hook requests from files. Raises `ConfigurationError` for what is none."""
    samples = []
    for file in files:
        try:
            sample = json.loads(file.read_bytes())
            if not isinstance(sample["context"]["patientId"], str) or not isinstance(sample["hook"], str):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise ConfigurationError(f"{file.name}: is no CDS Hooks request with hook and context.patientId") from None
        samples.append(sample)
    return samples


def write_files(outcome: "Outcome", junit: Path | None, as_json: Path | None) -> None:
    """The machine-readable forms, where they were asked for."""
    from cds_service.conformance import report

    if junit is not None:
        junit.write_text(report.render_junit(outcome), encoding="utf-8")
    if as_json is not None:
        as_json.write_text(json.dumps(report.render_json(outcome), indent=2, ensure_ascii=False) + "\n", "utf-8")


def build_command(now: Callable[[], float], bundled: Callable[[Sequence[str]], list[Json]]) -> click.Command:
    """`now` gives seconds since 1970; `bundled` the synthetic requests of this package by name, dated to today."""
    path, file = click.Path(path_type=Path), click.Path(path_type=Path, exists=True, dir_okay=False)

    @click.command("conformance")
    @click.argument("base", metavar="BASE_URL")
    @click.option("--yes", "is_agreed", is_flag=True, help="The operator of a service on another machine agrees.")
    @click.option(
        "--request",
        "requests",
        multiple=True,
        type=file,
        help="Hook request for this service, synthetic, that gives cards; repeatable.",
    )
    @click.option("--key", type=file, help="Private key of a registered CDS Client, PEM or JWK: tests the login, too.")
    @click.option("--issuer", help="`iss` of that client.")
    @click.option("--kid", help="Id of the key, where the file does not tell.")
    @click.option("--audience", help="Base URL as the service knows it, if not BASE_URL.")
    @click.option("--tenant", help="`tenant` of that client.")
    @click.option("--jku", help="`jku` of that client.")
    @click.option("--origin", help="A web origin that the service answers.")
    @click.option("--all", "all_rows", is_flag=True, help="List all 256 rows.")
    @click.option("--junit", type=path, metavar="FILE", help="Write JUnit XML.")
    @click.option("--json", "as_json", type=path, metavar="FILE", help="Write JSON.")
    def conformance(
        base: str,
        is_agreed: bool,
        requests: tuple[Path, ...],
        origin: str | None,
        all_rows: bool,
        junit: Path | None,
        as_json: Path | None,
        **login: Any,
    ) -> None:
        """Test any CDS Service at BASE_URL, this one or another, against what CDS Hooks 2.0.1 asks of it.

        Exit code 0: no duty was seen to be broken. 1: one was, or the service could not be read. Rows of 3.0, best
        practices and house rules are listed apart and do not count.
        """
        from rich.console import Console

        from cds_service.conformance import report
        from cds_service.conformance.run import Plan, run

        base = base.rstrip("/").removesuffix("/cds-services")
        if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname:
            raise click.UsageError("BASE_URL must be an http or https address, without /cds-services.")
        signer = build_signer(Login(**login), base, now)
        given = read_requests(requests)
        announce(base, is_agreed=is_agreed)
        outcome = run(Plan(base, bundled(SAMPLES), now(), signer, origin, given))
        report.print_outcome(outcome, Console(), all_rows=all_rows)
        write_files(outcome, junit, as_json)
        if outcome.has_failed:
            click.get_current_context().exit(FAILED)

    return conformance
