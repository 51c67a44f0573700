"""Every error we raise, as one tree, and how a caller sees it.

Exception
├── ConfigurationError          the service cannot start as it is set up
└── CdsError                    one call cannot be answered
    ├── BadRequest          400  malformed, or against the CDS Hooks contract
    ├── Unauthorized        401  no valid JWT; never says why (CH-218)
    ├── NotFound            404  no such service or page
    ├── MethodNotAllowed    405
    ├── PreconditionFailed  412  required data neither supplied nor obtainable (CH-091)
    ├── BodyTooLarge        413
    ├── UnsupportedMediaType 415
    ├── Misdirected         421  a Host that is not ours (demo mode)
    ├── ServiceFault        500  our fault; says nothing but where to look (CH-240)
    ├── Overloaded          503  busy: come back later
    └── OtherRefusal        4xx  whatever else the web framework refuses

`diagnostics` says what happened and what to do. It goes to the caller and into the log, so it never holds a value of a
patient, a token or a part of the body.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class ConfigurationError(Exception):
    """The service cannot start: the message names the setting or file, and what to change."""


class CdsError(Exception):
    """A call that cannot be answered. `issue_code` is from the FHIR value set issue-type."""

    status: ClassVar[int]
    issue_code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, diagnostics: str = "") -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics

    @property
    def issues(self) -> tuple[str, ...]:
        """What to report, one FHIR issue each."""
        return (self.diagnostics,)

    @property
    def headers(self) -> Mapping[str, str]:
        """HTTP headers that belong to this error."""
        return {}


class BadRequest(CdsError):
    """400. `also` are further mistakes found in the same body, so that an integrator sees them in one go."""

    status = 400
    issue_code = "invalid"
    title = "The request cannot be read as a CDS Hooks call"

    def __init__(self, diagnostics: str, also: tuple[str, ...] = ()) -> None:
        super().__init__(diagnostics)
        self.also = also

    @property
    def issues(self) -> tuple[str, ...]:
        return (self.diagnostics, *self.also)


class Unauthorized(CdsError):
    """401. The answer is the same for every refused token; `reason` is for the log alone (CH-218)."""

    status = 401
    issue_code = "login"
    title = "A valid bearer token is required"

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason

    @property
    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class NotFound(CdsError):
    """404."""

    status = 404
    issue_code = "not-found"
    title = "There is nothing at this address"


class MethodNotAllowed(CdsError):
    """405. `allowed` are the methods that the address answers."""

    status = 405
    issue_code = "not-supported"
    title = "This address does not answer that method"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(f"use {' or '.join(allowed)}" if allowed else "")
        self.allowed = allowed

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Allow": ", ".join(self.allowed)}


class PreconditionFailed(CdsError):
    """412. `keys` are the prefetch keys, or references, that are needed and could not be had (CH-091)."""

    status = 412
    issue_code = "incomplete"
    title = "Required data are missing"

    def __init__(self, keys: tuple[str, ...], diagnostics: str) -> None:
        super().__init__(diagnostics)
        self.keys = keys


class BodyTooLarge(CdsError):
    """413. `limit` in bytes."""

    status = 413
    issue_code = "too-long"
    title = "The request body is too large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit:,} bytes; send less prefetch, or raise CDS_MAX_BODY_BYTES")
        self.limit = limit


class UnsupportedMediaType(CdsError):
    """415."""

    status = 415
    issue_code = "not-supported"
    title = "The body must be JSON"


class Misdirected(CdsError):
    """421: the Host header names a machine that this service does not answer for."""

    status = 421
    issue_code = "forbidden"
    title = "This service does not answer under that host name"


class ServiceFault(CdsError):
    """500. `diagnostics` names the log entry, nothing else."""

    status = 500
    issue_code = "exception"
    title = "The service failed; this is not an all-clear"


class Overloaded(CdsError):
    """503. `retry_after` in seconds."""

    status = 503
    issue_code = "throttled"
    title = "The service is busy"

    def __init__(self, diagnostics: str = "", retry_after: int = 1) -> None:
        super().__init__(diagnostics)
        self.retry_after = retry_after

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(self.retry_after)}


class OtherRefusal(CdsError):
    """A 4xx of the web framework or of a page's own address that has no class here."""

    issue_code = "processing"
    title = "The request is refused"

    def __init__(self, status: int, diagnostics: str = "") -> None:
        super().__init__(diagnostics)
        self.status = status  # type: ignore[misc]  # elsewhere the class says it


def operation_outcome(error: CdsError) -> dict[str, Any]:
    """The FHIR OperationOutcome of an error (CH-238); no empty members (CH-005)."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [_render_issue(error, words) for words in error.issues],
    }


def _render_issue(error: CdsError, words: str) -> dict[str, Any]:
    issue = {
        "severity": "error",
        "code": error.issue_code,
        "details": {"text": error.title},
    }
    return {**issue, "diagnostics": words} if words else issue
