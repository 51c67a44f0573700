"""The sign-off file: who signed which knowledge, and when each rule is due for review.

A signature is bound to the content hash of the knowledge. When one threshold, rule, code or source changes, the hash
does, and the signature is void: nothing then says that the knowledge was signed.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from cds_service.errors import ConfigurationError

ROLES = ("sleep physician", "pharmacist")  # both have to sign
WHOLE = "the knowledge as a whole"
_DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Signature:
    """One person's. The name is published with the knowledge; it is not that of a patient."""

    name: str
    role: str
    day: date


@dataclass(frozen=True, slots=True)
class SignOff:
    """What the file says. `digest` is the content hash that was signed."""

    digest: str = ""
    signatures: tuple[Signature, ...] = ()
    review_by: date | None = None
    rules: Mapping[str, date] = field(default_factory=dict)  # rules with a review date of their own

    def signs(self, digest: str) -> bool:
        """Whether every role signed just this knowledge."""
        return self.digest == digest and {one.role for one in self.signatures} >= set(ROLES)


UNSIGNED = SignOff()


def load_sign_off(path: Path | None) -> SignOff:
    """`UNSIGNED` without a file. Raises `ConfigurationError` naming the member that is wrong."""
    if path is None:
        return UNSIGNED
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as wrong:
        raise ConfigurationError(f"CDS_SIGN_OFF: {path.name} cannot be read as TOML: {wrong}") from None
    if unknown := document.keys() - {"digest", "review_by", "signature", "review"}:
        raise ConfigurationError(f"CDS_SIGN_OFF: {path.name} has {min(unknown)!r}, which means nothing")
    return SignOff(
        digest=_digest(document.get("digest", "")),
        signatures=tuple(_signature(one) for one in _tables(document.get("signature", []))),
        review_by=_day(document["review_by"], "review_by") if "review_by" in document else None,
        rules={rule: _day(day, f"review.{rule}") for rule, day in _table(document.get("review", {})).items()},
    )


def _digest(value: Any) -> str:
    is_hash = isinstance(value, str) and len(value) == _DIGEST_LENGTH and set(value) <= set("0123456789abcdef")
    if not is_hash:
        raise ConfigurationError("CDS_SIGN_OFF: digest must be the content hash of 64 hexadecimal digits")
    return str(value)


def _signature(table: Mapping[str, Any]) -> Signature:
    name, role = table.get("name"), table.get("role")
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError("CDS_SIGN_OFF: a signature has no name")
    if role not in ROLES:
        raise ConfigurationError(f"CDS_SIGN_OFF: the role of a signature must be one of {', '.join(ROLES)}")
    return Signature(name, str(role), _day(table.get("date"), "the date of a signature"))


def _tables(value: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ConfigurationError("CDS_SIGN_OFF: write each signature as [[signature]]")
    return value


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError('CDS_SIGN_OFF: write review dates of single rules as [review] with "R-22" = date')
    return value


def _day(value: Any, what: str) -> date:
    if type(value) is not date:  # a datetime is a date, too, and would be one of some zone
        raise ConfigurationError(f"CDS_SIGN_OFF: {what} must be a date such as 2027-11-24, without quotes")
    return value


def overdue(sign_off: SignOff, review_by: date, as_of: date) -> tuple[str, ...]:
    """A sentence for each review that is due: the whole first, then rules in the order of the file.

    `review_by` is the date that comes with the knowledge; the file may move it.
    """
    dates = {WHOLE: sign_off.review_by or review_by, **sign_off.rules}
    return tuple(f"{what} was due for review by {day}" for what, day in dates.items() if day < as_of)


def render_template(digest: str, review_by: date) -> str:
    """A file to fill in and sign, bound to this hash."""
    signatures = "".join(f'\n# [[signature]]\n# name = ""\n# role = "{role}"\n# date = YYYY-MM-DD\n' for role in ROLES)
    return (
        "# Sign-off of the clinical knowledge. It holds for exactly this content hash: any change of a threshold,\n"
        "# rule, code or source voids it. Both roles have to sign.\n"
        f'digest = "{digest}"\nreview_by = {review_by}\n{signatures}\n'
        '# [review]  # rules that are due earlier\n# "R-22" = ' + f"{review_by}\n"
    )
