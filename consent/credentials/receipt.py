"""The consent receipt: what somebody who gave their voice keeps.

One HTML file in plain sentences, to be read and printed: no scripts, nothing loaded from
anywhere. At its end stand the fields of a consent record after ISO/IEC TS 27560:2023.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import get_args

from consent.credentials.grant import Grant
from consent.credentials.terms import GrantTerms, Permission, Purpose
from consent.credentials.wording import Wording, wording
from consent.errors import InputError

SCHEMA = "ISO/IEC TS 27560:2023; urn:vivavoce:schema:grant:v1"

_STATES = {"active": "granted", "revoked": "revoked", "expired": "expired"}

#: Nothing is left to take back.
_ENDED = ("revoked", "superseded", "expired")

_CSS = """
:root { color-scheme: light; }
body { font: 16px/1.55 Georgia, "Times New Roman", serif; color: #1a1a1a; background: #fff;
  max-width: 44rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #bbb; }
p, ul { margin: .5rem 0; }
.lead { color: #444; }
.status { border: 2px solid #1a1a1a; padding: .5rem .8rem; margin: 1.2rem 0; font-weight: bold; }
.status.good { border-color: #1b6e3c; color: #1b6e3c; }
.status.bad { border-color: #a3201d; color: #a3201d; }
.status p { margin: 0; }
.short { font-size: 1.12rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid #ddd; }
.yes { font-weight: bold; color: #1b6e3c; white-space: nowrap; }
.no { font-weight: bold; color: #a3201d; white-space: nowrap; }
code { font: .85em/1.4 "DejaVu Sans Mono", Consolas, monospace; overflow-wrap: anywhere; }
pre { background: #f4f4f1; padding: .6rem .8rem; white-space: pre-wrap; }
.record { font-size: .85rem; }
.record th { width: 13rem; font-weight: normal; color: #444; }
@media print {
  @page { margin: 20mm 18mm; }
  body { font-size: 11pt; margin: 0; max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  tr, .status, pre { break-inside: avoid; }
  pre { border: 1px solid #bbb; background: none; }
}
""".strip()


@dataclass(frozen=True)
class _Page:
    """A grant and everything its receipt says about it."""

    grant: Grant
    say: Wording
    status: str
    names: Mapping[str, str]
    made_at: datetime | None
    status_since: datetime | None
    superseded_by: str
    used_ms: int | None
    contact: str
    leaf_index: int | None

    @property
    def terms(self) -> GrantTerms:
        return self.grant.terms


def consent_receipt_html(
    grant: Grant,
    *,
    status: str,
    parties: Mapping[str, str],
    locale: str | None = None,
    made_at: datetime | None = None,
    status_since: datetime | None = None,
    superseded_by: str = "",
    used_ms: int | None = None,
    contact: str = "",
    leaf_index: int | None = None,
) -> str:
    """Return the receipt of a grant as one HTML page.

    Parameters
    ----------
    grant
        The grant, opened.
    status
        How it stands: ``"active"``, ``"suspended"``, ``"revoked"``, ``"superseded"``,
        ``"expired"``, ``"not-yet-valid"``, ``"status-stale"`` or ``"key-not-valid"``.
    parties
        Names by party id, for people; an id without a name is shown as it is.
    locale
        Language, else that of the grant; English where there are no words for it.
    made_at
        When the receipt is written.
    status_since
        Since when it stands so.
    superseded_by
        Id of the grant that replaced it.
    used_ms
        Finished audio made so far, in milliseconds.
    contact
        How to reach the registry: an address, a telephone number.
    leaf_index
        0-based place of the grant in the log.

    Raises
    ------
    InputError
        `status` is none of these.
    """
    say = wording(locale or grant.terms.locale)
    if say.term("status", status) == status:
        raise InputError(f"{status[:40]!r} is not a status of a grant")
    page = _Page(
        grant, say, status, parties, made_at, status_since, superseded_by, used_ms, contact,
        leaf_index,
    )  # fmt: skip
    body = "\n".join(
        [*_head(page), *_short(page), *_permissions(page), *_content(page), *_pay(page),
         *_revoke(page), *_rights(page), *_record(page)]
    )  # fmt: skip
    title = escape(say("receipt.title"))
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(say.locale)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}: {escape(grant.terms.voice)}</title>\n<style>\n{_CSS}\n</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def plain_sentences(terms: GrantTerms, parties: Mapping[str, str], locale: str = "en") -> list[str]:
    """Return what `terms` allow, as sentences of plain text.

    Parameters
    ----------
    parties
        Names by party id.
    """
    say = wording(locale)
    return [*_sentences(terms, say, parties, str, str), *_conditions(terms, say)]


def _conditions(terms: GrantTerms, say: Wording) -> list[str]:
    """Return as sentences what the page of a receipt shows in sections of its own."""
    allowed = say.joined(say(f"permission.{name}.name") for name in terms.permissions)
    lines = [say("receipt.allowed_list", permissions=allowed)]
    if terms.exclusions:
        never = say.joined(say.term("content", code) for code in terms.exclusions)
        lines.append(f"{say('receipt.never')}: {never}.")
    else:
        lines.append(say("receipt.never_none"))
    lines.append(say(f"receipt.approval_{'yes' if terms.performer_approval else 'no'}"))
    lines.append(say(f"receipt.audible_{'yes' if terms.disclosure.audible else 'no'}"))
    if terms.disclosure.text:
        lines.append(say("receipt.disclosure_text", text=terms.disclosure.text))
    if terms.credit:
        lines.append(say("receipt.credit", credit=terms.credit))
    else:
        lines.append(say("receipt.credit_none"))
    return [*lines, *_payment(terms, say)]


def _payment(terms: GrantTerms, say: Wording) -> list[str]:
    pay = terms.compensation
    if pay is None:
        return [say("receipt.pays_nothing")]
    key = {"finished-minute": "minute", "finished-hour": "hour", "flat": "flat"}[pay.unit]
    lines = [say(f"receipt.pays_{key}", rate=say.number(pay.rate), currency=pay.currency)]
    return [*lines, say("receipt.pays_note", note=pay.note)] if pay.note else lines


def _head(page: _Page) -> list[str]:
    say = page.say
    good = "good" if page.status == "active" else "bad"
    lines = [f"<h1>{escape(say('receipt.title'))}</h1>", _p(say("receipt.lead"), "lead")]
    if page.made_at is not None:
        lines.append(_p(say("receipt.made", date=say.moment(page.made_at)), "lead"))
    state = escape(say.term("status", page.status)) + "."
    if page.status_since is not None and page.status != "active":
        state += " " + escape(say("receipt.since", date=say.moment(page.status_since)))
    if page.superseded_by:
        state += " " + escape(say("receipt.replaced", grant=page.superseded_by))
    return [*lines, f'<div class="status {good}"><p>{state}</p></div>']


def _short(page: _Page) -> list[str]:
    say = page.say
    lines = _sentences(page.terms, say, page.names, escape, _bdi)
    if page.used_ms is not None:
        used = f"{Decimal(page.used_ms) / 60_000:.1f}"
        lines.append(escape(say("receipt.used", used=say.number(used))))
    first, *rest = lines
    return [
        f"<h2>{escape(say('receipt.in_short'))}</h2>",
        f'<p class="short">{first}</p>',
        *(f"<p>{line}</p>" for line in rest),
    ]


def _permissions(page: _Page) -> list[str]:
    say, terms = page.say, page.terms
    lines = [f"<h2>{escape(say('receipt.allowed'))}</h2>", "<table>"]
    for permission in get_args(Permission):
        answer = "yes" if permission in terms.permissions else "no"
        name = escape(say(f"permission.{permission}.name"))
        about = escape(say(f"permission.{permission}.about"))
        lines.append(
            f'<tr><th scope="row">{name}</th><td>{about}</td>'
            f'<td class="{answer}">{escape(say(f"receipt.{answer}"))}</td></tr>'
        )
    lines += ["</table>", _p(say("receipt.only_these"))]
    others = [code for code in get_args(Purpose) if code not in terms.purposes]
    if others:
        words = say.joined(say.term("purpose", code) for code in others)
        lines.append(_p(say("receipt.other_purposes", purposes=words)))
    return lines


def _content(page: _Page) -> list[str]:
    say, terms = page.say, page.terms
    lines = [f"<h2>{escape(say('receipt.never'))}</h2>"]
    if terms.exclusions:
        lines.append(_ul(say.term("content", code) for code in terms.exclusions))
    else:
        lines.append(_p(say("receipt.never_none")))
    answer = "yes" if terms.performer_approval else "no"
    lines += [
        f"<h2>{escape(say('receipt.approval'))}</h2>",
        _p(say(f"receipt.approval_{answer}")),
        f"<h2>{escape(say('receipt.listeners'))}</h2>",
        _p(say("receipt.audible_yes" if terms.disclosure.audible else "receipt.audible_no")),
    ]
    if terms.disclosure.text:
        lines.append(_p(say("receipt.disclosure_text", text=terms.disclosure.text)))
    credit = say("receipt.credit", credit=terms.credit) if terms.credit else None
    return [*lines, _p(credit or say("receipt.credit_none"))]


def _pay(page: _Page) -> list[str]:
    say = page.say
    return [
        f"<h2>{escape(say('receipt.pays'))}</h2>",
        *(_p(line) for line in _payment(page.terms, say)),
    ]


def _revoke(page: _Page) -> list[str]:
    if page.status in _ENDED:
        return []
    say, seconds = page.say, page.terms.status_interval_s
    hours = format((Decimal(seconds) / 3600).quantize(Decimal("0.1")).normalize(), "f")
    stale = (
        say("receipt.revoke_stale", hours=say.number(hours))
        if seconds >= 360
        else say("receipt.revoke_stale_0")
    )
    lines = [
        f"<h2>{escape(say('receipt.revoke'))}</h2>",
        _p(say("receipt.revoke_1")),
        _p(say("receipt.revoke_2")),
        f"<pre><code>vivavoce consent revoke {escape(page.grant.id)}</code></pre>",
        _p(say("receipt.revoke_3")),
        _p(say("receipt.revoke_4")),
        _p(stale),
    ]
    if page.contact:
        lines.append(_p(say("receipt.revoke_contact", contact=page.contact)))
    return lines


def _rights(page: _Page) -> list[str]:
    say = page.say
    return [
        f"<h2>{escape(say('receipt.rights'))}</h2>",
        _p(say("receipt.rights_1")),
        _p(say("receipt.rights_2")),
    ]


def _record(page: _Page) -> list[str]:
    say, grant, terms = page.say, page.grant, page.terms
    entry = grant.status_entry

    def named(party: str) -> str:
        return (
            f"{_bdi(page.names[party])} {_code(party)}" if page.names.get(party) else _code(party)
        )

    rows: list[tuple[str, str]] = [
        ("record_id", _code(grant.id)),
        ("schema", escape(SCHEMA)),
        ("digest", _code(grant.digest)),
        ("issued", escape(say.moment(grant.issued_at))),
        ("status", escape(say.term("consent_state", _STATES.get(page.status, "denied")))),
        ("principal", named(terms.owner)),
        ("controller", named(terms.licensee)),
        ("basis", escape(say("field.basis_value"))),
        ("authority", escape(say.term("authority", terms.basis.kind))),
        ("mandate", _code(terms.basis.mandate)),
        ("proof", _code(terms.basis.proof)),
        ("purposes", _codes(terms.purposes)),
        ("processing", _codes(terms.permissions)),
        ("data", escape(say("field.data_value"))),
        ("retention", escape(say("field.retention_value"))),
        ("jurisdiction", _codes(terms.territories)),
        ("withdrawal", escape(say("field.withdrawal_value"))),
        ("language", _code(terms.locale)),
        ("issuer_key", _code(grant.issuer_did)),
        ("licensee_key", _code(terms.licensee_did)),
        ("registry_key", _code(terms.registry_did)),
        ("status_list", _code(f"{entry.list_id}#{entry.index}")),
        ("supersedes", _code(terms.supersedes or "")),
        ("evidence", "<br>".join(
            f"{escape(item.kind)} {_code(item.commitment)}" for item in terms.evidence)),
        ("leaf", "" if page.leaf_index is None else _code(str(page.leaf_index))),
    ]  # fmt: skip
    cells = [
        f'<tr><th scope="row">{escape(say(f"field.{key}"))}</th><td>{value}</td></tr>'
        for key, value in rows
        if value
    ]
    return [
        f"<h2>{escape(say('receipt.record'))}</h2>",
        _p(say("receipt.record_note")),
        '<table class="record">',
        *cells,
        "</table>",
    ]


def _sentences(
    terms: GrantTerms,
    say: Wording,
    parties: Mapping[str, str],
    quote: Callable[[str], str],
    show: Callable[[str], str],
) -> list[str]:
    """Return the terms as sentences; `quote` prepares our words, `show` what others wrote."""

    def line(key: str, **values: str) -> str:
        return quote(say(f"receipt.{key}")).format(**values)

    def words(table: str, codes: Iterable[str], everything: Mapping[str, str] = {}) -> str:
        return quote(
            say.joined(
                say(f"place.{everything[code]}")
                if code in everything
                else say.language(code)
                if table == "language"
                else say.term(table, code)
                for code in codes
            )
        )

    owner = show(terms.owner_name or parties.get(terms.owner) or terms.owner)
    licensee = show(terms.licensee_name or parties.get(terms.licensee) or terms.licensee)
    who = {"owner": owner, "licensee": licensee, "voice": show(terms.voice)}
    lines = [line(terms.basis.kind, **who, purposes=words("purpose", terms.purposes))]
    if terms.works:
        works = [work.title + (f" ({work.identifier})" if work.identifier else "")
                 for work in terms.works]  # fmt: skip
        lines.append(line("works", works=say.joined(show(work) for work in works)))
    else:
        lines.append(line("works_any"))
    languages = words("language", terms.languages, {"*": "any_language"})
    places = words("country", terms.territories, {"world": "world"})
    channels = words("channel", terms.channels, {"*": "any_channel"})
    begins, ends = say.moment(terms.valid_from), say.moment(terms.valid_until)
    lines += [
        line("languages", languages=languages),
        line("territories", territories=places),
        line("channels", channels=channels),
        line("term", start=quote(begins), end=quote(ends)),
    ]
    if terms.minor_until is not None:
        lines.append(line("minor", date=quote(say.day(terms.minor_until))))
    if terms.minutes is None:
        lines.append(line("minutes_none"))
    else:
        lines.append(line("minutes", minutes=say.number(str(terms.minutes))))
    lines.append(line("commercial_yes" if terms.commercial else "commercial_no", **who))
    return lines


def _bdi(text: str) -> str:
    """Return `text` as HTML that keeps its writing direction to itself."""
    return f"<bdi>{escape(text)}</bdi>"


def _p(text: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escape(text)}</p>"


def _ul(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>" if text else ""


def _codes(items: Iterable[str]) -> str:
    return ", ".join(_code(item) for item in items)
