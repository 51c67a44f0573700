"""The `cds-service` command. Each command imports what it needs when it runs, so that `--help` is quick."""

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import click

from cds_service.conformance.command import build_command as build_conformance
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


@main.group(invoke_without_command=True)
@click.option(
    "--json", "as_json", is_flag=True, help="Print everything as JSON: rules, thresholds, codes, sources, hash."
)
@click.pass_context
def knowledge(ctx: click.Context, as_json: bool) -> None:
    """List the rules, the sources they rest on, and their state of review. The codes of CDS_VALUESETS are included."""
    if ctx.invoked_subcommand is not None:
        return
    from cds_service import assembly
    from cds_service.hooks import encode
    from cds_service.knowledge.export import knowledge_export
    from cds_service.knowledge.listing import print_knowledge

    engine = assembly.build_engine(_settings())
    exported = knowledge_export(engine.index, engine.shop.stamp)
    if as_json:
        click.echo(encode(exported).decode())
    else:
        print_knowledge(exported)
        for due in assembly.overdue_reviews(engine, _today(_settings())):
            click.echo(f"Overdue: {due}.", err=True)


@knowledge.command("diff")
@click.argument("old", metavar="OLD.json", type=click.File("rb"))
@click.argument("new", metavar="NEW.json", type=click.File("rb"))
def knowledge_diff(old: BinaryIO, new: BinaryIO) -> None:
    """Say what changed between two exports of `knowledge --json`, one sentence a change.

    Exit code 0: nothing did. 1: something did. 2: a file is no export.
    """
    from cds_service.knowledge.diff import compare, read_export

    try:
        sentences = compare(read_export(old.read(), old.name), read_export(new.read(), new.name))
    except ConfigurationError as wrong:
        raise click.UsageError(str(wrong)) from None
    click.echo("\n".join(sentences) or "Nothing changed.")
    sys.exit(bool(sentences))


@knowledge.command("sign-off")
def knowledge_sign_off() -> None:
    """Print a sign-off file for the knowledge as it is now, to be signed and named in CDS_SIGN_OFF."""
    from cds_service import assembly, knowledge_stamp
    from cds_service.sign_off import render_template

    stamp = assembly.build_engine(_settings()).shop.stamp
    click.echo(render_template(stamp.digest, knowledge_stamp.REVIEW_BY), nl=False)


@main.command()
def migrate() -> None:
    """Make or update the tables of CDS_DATABASE_URL. Run it once, before the service starts."""
    from cds_service.store import migrating

    click.echo(f"The tables are at version {migrating.migrate(_settings().database_url)}.")


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


@main.command()
@click.argument("export", metavar="[EXPORT_DIR]", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--output", metavar="RUN_DIR", type=click.Path(path_type=Path), help="Folder for rows and report.")
@click.option("--what-if", is_flag=True, help="Decide for every patient with RLS at each new ferritin, too.")
@click.option("--identified", is_flag=True, help="Keep patient and order ids in the rows; else keyed pseudonyms.")
@click.option("--parquet", is_flag=True, help="Write Parquet instead of CSV; needs the extra `replay`.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="End of the export; default today.")
@click.option("--processes", type=click.IntRange(1, 256), help="Default: one for each processor core.")
@click.option("--spark", metavar="MASTER", help="Run on Apache Spark: local[2], yarn ...; needs the extra `spark`.")
@click.option(
    "--compare", nargs=2, metavar="RUN_A RUN_B", type=click.Path(path_type=Path), help="What changed between two runs."
)
@click.option("--examples", type=click.IntRange(0, 1000), default=3, help="Examples of each change; default 3.")
def replay(
    export: Path | None,
    output: Path | None,
    what_if: bool,
    identified: bool,
    parquet: bool,
    until: datetime | None,
    processes: int | None,
    spark: str | None,
    compare: tuple[Path, Path] | None,
    examples: int,
) -> None:
    """Decide every IV iron order of a FHIR Bulk Data export as of its moment, and report what would have fired.

    A run that was killed goes on where it stopped when it is started again with the same words.
    """
    from cds_service.reports import replay_run

    if compare is not None:
        replay_run.say_comparison(*compare, examples, click.echo)
        return
    if export is None or output is None:
        raise click.UsageError("name the folder of the export and --output RUN_DIR, or two runs with --compare")
    settings = _settings()
    day = until.date() if until else _today(settings)
    asked = replay_run.Asked(export, output, day, what_if, identified, parquet, processes, spark)
    replay_run.run_replay(settings, asked, click.echo, partial(click.echo, err=True))


_DAY = click.DateTime(["%Y-%m-%d"])
_OUT = click.Path(path_type=Path, dir_okay=False)


@main.command()
@click.option("--since", required=True, type=_DAY, metavar="DATE", help="First day, at the site.")
@click.option("--until", type=_DAY, metavar="DATE", help="Last day; default today.")
@click.option("--period-days", type=click.IntRange(1, 366), default=30, show_default=True, help="Length of a period.")
@click.option("--csv", "csv_file", type=_OUT, metavar="FILE", help="Write all figures as CSV.")
@click.option(
    "--html", "html_file", type=_OUT, metavar="FILE", help="Write a page for a committee, small groups masked."
)
def report(
    since: datetime, until: datetime | None, period_days: int, csv_file: Path | None, html_file: Path | None
) -> None:
    """Report the alert burden from the store: cards, what was done with them, and drift of the firing rate."""
    from rich.console import Console

    from cds_service.reports import burden_csv, burden_page, burden_run, burden_text

    settings = _settings()
    first, last = since.date(), until.date() if until else _today(settings)
    if last < first:
        raise click.UsageError("--until is before --since.")
    burden, notes = burden_run.build(settings, first, last, period_days)
    burden_text.print_burden(burden, notes, Console())
    if csv_file is not None:
        csv_file.write_text(burden_csv.render_csv(burden), encoding="utf-8")
    if html_file is not None:
        html_file.write_text(burden_page.render_html(burden, notes), encoding="utf-8")


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


def _bundled_requests(names: Sequence[str]) -> list[dict[str, Any]]:
    """Synthetic requests of the demo, dated to today."""
    from cds_service.demo.fixtures import FIXTURE_CANONICAL, read_request, read_situations

    known, day = read_situations().by_name, _today(_settings())
    return [read_request(known[name], FIXTURE_CANONICAL.rstrip("/"), day) for name in names]


main.add_command(build_conformance(lambda: datetime.now(UTC).timestamp(), _bundled_requests))


def _answer(body: bytes, as_of: datetime | None, service_id: str | None) -> "Reply":
    """The pipeline of the service with plain values: no web framework, no clock but here."""
    from cds_service import assembly, services
    from cds_service.hooks import parse_request

    settings = _settings(trace=True)
    request = parse_request(body)
    engine = assembly.build_engine(settings)
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
    url = settings.public_url
    lines = ["", f"  Rules      {url}/knowledge", f"  Discovery  {url}/cds-services"]
    if settings.is_demo:
        mode = "in demo mode, for synthetic patients only"
        lines.insert(1, f"  Playground {url}/")
        lines.append(f"  Try        curl -s {url}/demo/requests/low-ferritin |")
        lines.append(f"               curl -s {url}/cds-services/iv-iron-rls -H 'Content-Type: application/json' -d @-")
    else:
        mode = f"for the registered CDS Clients of {settings.clients}"
        lines.append(f"  Try        curl -s {url}/readyz    (the rest asks for a token)")
    click.echo(f"Serving CDS Hooks {mode}. Stop with Ctrl-C.")
    click.echo("\n".join(lines) + "\n")


def _stop(code: int, words: str) -> NoReturn:
    click.echo(words, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
