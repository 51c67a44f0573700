"""The `cds-service` command. Each command imports what it needs when it runs, so that `--help` is quick."""

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import click

from cds_service.errors import BadRequest, ConfigurationError, PreconditionFailed

if TYPE_CHECKING:
    from cds_service.services import Reply
    from cds_service.settings import Settings

CARDS, BAD_INPUT, NOTHING_TO_SAY, NOT_ENOUGH_DATA = (
    0,
    2,
    3,
    4,
)  # exit codes of `evaluate`; 1 is a fault or bad set-up


class Commands(click.Group):
    """Every command stops with one sentence, and exit code 1, when the set-up is wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as wrong:
            raise click.ClickException(str(wrong)) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Decision support for IV iron in restless legs syndrome, as a CDS Hooks service.

    Settings are environment variables CDS_*; the README lists them.
    """


@main.command()
def serve() -> None:
    """Serve CDS Hooks over HTTP until stopped.

    SIGTERM: calls already accepted are answered first. Ctrl-C stops at once.
    """
    from cds_service import server

    settings = _settings()
    server.check_address(settings)
    _say_where(settings)
    server.serve(settings)


@main.command()
@click.argument("request_file", metavar="REQUEST.json", type=click.File("rb"))
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Decide as on this day; default today.",
)
@click.option(
    "--service",
    "service_id",
    metavar="ID",
    help="The CDS Service asked; default the first that answers the hook.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the reply as JSON.")
@click.option("--trace", is_flag=True, help="Print every rule with its outcome as a table.")
def evaluate(
    request_file: BinaryIO,
    as_of: datetime | None,
    service_id: str | None,
    as_json: bool,
    trace: bool,
) -> None:
    """Answer one hook request from a file, or from standard input with `-`, without a server.

    Exit code 0: cards. 3: nothing to say. 4: required data are missing (the service would answer 412). 2: bad input.
    """
    from cds_service import terminal
    from cds_service.hooks import render_response

    try:
        reply = _answer(request_file.read(), as_of, service_id)
    except BadRequest as refusal:
        _stop(BAD_INPUT, "\n".join(refusal.issues))
    except PreconditionFailed as refusal:
        _stop(NOT_ENOUGH_DATA, refusal.diagnostics)
    if as_json:
        click.echo(render_response(reply.cards, reply.extension).decode())
    else:
        terminal.print_cards(reply.cards)
    if trace:
        terminal.print_trace(reply.extension, to_error_stream=as_json)
    sys.exit(CARDS if reply.cards else NOTHING_TO_SAY)


@main.command()
@click.option(
    "--json", "as_json", is_flag=True, help="Print everything as JSON: rules, thresholds, codes, sources, hash."
)
def knowledge(as_json: bool) -> None:
    """List the rules, the sources they rest on, and their state of review. The codes of CDS_VALUESETS are included."""
    from cds_service import services
    from cds_service.hooks import encode
    from cds_service.knowledge.export import knowledge_export
    from cds_service.knowledge.listing import print_knowledge

    exported = knowledge_export(services.build_engine(_settings()).index)
    if as_json:
        click.echo(encode(exported).decode())
    else:
        print_knowledge(exported)


@main.command()
def migrate() -> None:
    """Make or update the tables of CDS_DATABASE_URL. Run it once, before the service starts."""
    from cds_service import store

    click.echo(f"The tables are at version {store.migrate(_settings().database_url)}.")


@main.command()
def purge() -> None:
    """Delete calls, cards and feedback older than CDS_RETENTION_DAYS, and tokens that have expired."""
    from cds_service import store

    settings = _settings()
    now = datetime.now(UTC)
    engine = store.open_database(settings.database_url)
    try:
        deleted = store.purge(engine, now - timedelta(days=settings.retention_days), now)
    except store.StoreDown as wrong:
        raise ConfigurationError(f"CDS_DATABASE_URL: nothing was deleted: {wrong}") from None
    finally:
        engine.dispose()
    click.echo("Deleted: " + ", ".join(f"{count} {table.replace('_', ' ')}" for table, count in deleted.items()) + ".")


@main.group()
def clients() -> None:
    """The client registry, CDS_CLIENTS."""


@clients.command()
@click.argument("path", metavar="[FILE]", type=click.Path(path_type=Path), required=False)
def check(path: Path | None) -> None:
    """Check a client registry, CDS_CLIENTS or FILE, and show what it says."""
    from cds_service.clients import describe, load_registry

    settings = _settings()
    path = path or settings.clients
    if path is None:
        raise ConfigurationError("CDS_CLIENTS is not set; name the file to check")
    registry = load_registry(path, settings)
    click.echo(f"{path} is in order.\n")
    for client in registry.clients:
        click.echo("\n".join(describe(client)) + "\n")


def _answer(body: bytes, as_of: datetime | None, service_id: str | None) -> "Reply":
    """The pipeline of the service with plain values: no web framework, no clock but here."""
    from cds_service import services
    from cds_service.hooks import parse_request

    settings = _settings(trace=True)
    request = parse_request(body)
    engine = services.build_engine(settings)
    for service in engine.services:
        if service.hook == request.hook and service_id in (None, service.id):
            day = as_of.date() if as_of else _today(settings)
            return services.answer(engine, service, request, engine.demo_client, day)
    asked = f"the CDS Service {service_id}" if service_id else "no CDS Service"
    raise BadRequest(f"hook: {asked} {'does not answer' if service_id else 'answers'} {request.hook}")


def _today(settings: "Settings") -> date:
    return datetime.now().astimezone(settings.zone).date()


def _settings(**values: bool) -> "Settings":
    from cds_service.settings import load_settings, unknown_settings

    for name in unknown_settings():
        click.echo(f"Warning: {name} is no setting of this service; is it misspelt?", err=True)
    return load_settings(**values)


def _say_where(settings: "Settings") -> None:
    if settings.demo == "anywhere":
        click.echo(
            "Warning: CDS_DEMO=anywhere asks no login of any machine that can reach this one.",
            err=True,
        )
    mode = "in demo mode, for synthetic patients only" if settings.is_demo else "for registered CDS Clients"
    click.echo(f"Serving CDS Hooks {mode}. Stop with Ctrl-C.\n\n  Discovery  {settings.public_url}/cds-services")
    click.echo(f"  Try        curl -s {settings.public_url}/cds-services\n")


def _stop(code: int, words: str) -> NoReturn:
    click.echo(words, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
