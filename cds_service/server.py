"""Serves the app with gunicorn: worker processes with threads, a graceful stop, JSON for what never reaches the app."""

import errno
import gc
import http.client
import logging
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import (
    ExpectationFailed,
    ForbiddenProxyRequest,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from cds_service.errors import (
    BadRequest,
    CdsError,
    ConfigurationError,
    OtherRefusal,
    ServiceFault,
    operation_outcome,
)
from cds_service.operations import ForeignRecords, Log, build_log
from cds_service.settings import Settings, read_metrics_folder, share_metrics_in
from cds_service.sockets import PatientWorker

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

KEEP_ALIVE_SECONDS = 75  # longer than the idle time of common load balancers, so that they are the ones to close
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a folder that is none on a disk
# A call leaves no reference cycles behind to speak of, and the collector costs more than the parsing on large bodies.
GC_THRESHOLDS = (50_000, 50, 100)


def check_address(settings: Settings) -> None:
    """Raises `ConfigurationError` if the port cannot be listened on, before anything slow is done."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as refused:
            raise ConfigurationError(_why_not(refused, settings)) from None


def _why_not(refused: OSError, settings: Settings) -> str:
    match refused.errno:
        case errno.EADDRINUSE:
            return f"port {settings.port} is in use; stop the other program, or choose another with CDS_PORT"
        case errno.EACCES:
            return f"port {settings.port} may not be used by this user; choose one above 1023 with CDS_PORT"
        case _:
            return f"cannot listen on CDS_HOST={settings.host}, CDS_PORT={settings.port}: {refused.strerror or refused}"


def serve(settings: Settings) -> None:
    """Runs until SIGTERM (accepted calls are finished first) or SIGINT (at once)."""
    log = build_log(settings.log_level)
    given, main = read_metrics_folder(), os.getpid()
    folder = given or Path(tempfile.mkdtemp(prefix="cds-metrics-", dir=MEMORY))
    share_metrics_in(folder)  # before the app, and with it prometheus-client, is imported
    try:
        Server(settings, log, folder).run()
    finally:
        if given is None and os.getpid() == main:  # workers come by here, too
            shutil.rmtree(folder, ignore_errors=True)


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with the app built once, before the workers are forked: they share its memory."""

    def __init__(self, settings: Settings, log: Log, metrics: Path) -> None:
        """`metrics`: the folder in which the workers share their counts."""
        self.settings = settings
        self.log = log
        self.metrics = metrics
        super().__init__()

    def load_config(self) -> None:
        for name, value in server_options(self.settings).items():
            self.cfg.set(name, value)
        self.cfg.set("child_exit", self._forget)
        _bring_in_server_log(self.log)

    def reload(self) -> None:
        """SIGHUP: the registry is read again here, once, and new workers take over from the old as they finish."""
        from cds_service.app import CLIENTS

        clients = self.callable.extensions.get(CLIENTS)
        if clients is not None:
            clients.reload()

    def load(self) -> "WSGIApplication":
        from cds_service.app import create_app
        from cds_service.metrics import empty_folder

        empty_folder(self.metrics)
        app = create_app(self.settings, log=self.log)
        gc.collect()
        gc.freeze()
        return app

    def _forget(self, _: object, worker: Any) -> None:
        """gunicorn reports each worker that ended, however it did."""
        from cds_service.metrics import forget_worker

        forget_worker(worker.pid, self.metrics)


def server_options(settings: Settings) -> dict[str, Any]:
    """gunicorn's configuration; everything else stays at its default."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": f"{host}:{settings.port}",
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_class": Worker,
        "forwarded_allow_ips": "",  # else SCRIPT_NAME and PATH_INFO as headers from this machine change the address
        "preload_app": True,
        "graceful_timeout": settings.graceful_seconds,
        "keepalive": KEEP_ALIVE_SECONDS,
        "control_socket_disable": True,  # it would be created under the home directory
        "worker_tmp_dir": MEMORY,  # the heartbeat file: not on a slow disk
        "errorlog": None,  # its messages come into our log, see below
        "proc_name": "cds-service",
        "post_fork": _tune_worker,
    }


def _tune_worker(_: object, worker: Any) -> None:
    gc.set_threshold(*GC_THRESHOLDS)
    # gunicorn looks two dozen settings up for each request, each through two calls; in a worker none changes any more.
    config = worker.cfg
    fixed = {name: one.get() for name, one in config.settings.items() if not hasattr(type(config), name)}
    vars(config).update(fixed)


def _bring_in_server_log(log: Log) -> None:
    handler = ForeignRecords(log)
    logging.getLogger().addHandler(handler)
    logging.getLogger("gunicorn.error").addHandler(handler)  # it does not propagate


class Worker(PatientWorker):
    """Answers in JSON also what is no HTTP request that the app could be given (CH-001)."""

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:  # noqa: ARG002
        error = read_server_error(exc)
        kind = type(exc).__name__  # and not its message, which quotes what was sent
        if error.status == ServiceFault.status:
            self.log.error("failed outside the app: %s", kind, exc_info=exc)
        else:
            self.log.warning("refused before the app: %s", kind)
        try:
            util.write_nonblock(client, render_bare(error))
        except OSError:
            self.log.debug("the client was gone before it could be answered")


def read_server_error(exc: Exception) -> CdsError:
    """What gunicorn found wrong, as one of our errors; its own words may quote the request."""
    match exc:
        case LimitRequestLine():
            return OtherRefusal(414)
        case LimitRequestHeaders():
            return OtherRefusal(431)
        case ExpectationFailed():
            return OtherRefusal(417)
        case ForbiddenProxyRequest():
            return OtherRefusal(403)
        case UnsupportedTransferCoding():
            return OtherRefusal(501)
        case ParseException():
            return BadRequest("this is no well-formed HTTP request")
        case _:
            return ServiceFault()


def render_bare(error: CdsError) -> bytes:
    """A complete HTTP response with the OperationOutcome, after which the connection is closed."""
    body = msgspec.json.encode(operation_outcome(error))
    reason = http.client.responses.get(error.status, "Error")
    head = f"HTTP/1.1 {error.status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode("ascii") + body
