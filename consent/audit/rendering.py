"""A statement of use as CSV and as a page to print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape

from consent.audit.records import Use
from consent.audit.statement import LICENSEE, GrantAccount, Line, StatementOfUse
from consent.audit.tables import to_csv
from consent.clock import rfc3339, to_utc
from consent.log.note import Verifier

COLUMNS = (
    "kind",
    "date",
    "work",
    "identifier",
    "title",
    "output",
    "voice",
    "grant",
    "rights holder",
    "licensee",
    "minutes",
    "currency",
    "amount",
    "problems",
)
#: How the kinds of a line are called, in the order they are shown.
PUBLISHED = "published"
DRAFT = "review draft"
PENDING = "not sealed"

_CSS = """
body{font:15px/1.45 Georgia,'Times New Roman',serif;color:#111;max-width:60em;margin:2em auto;
padding:0 1em}
h1{font-size:1.5em;margin-bottom:.2em}h2{font-size:1.15em;margin:1.6em 0 .3em}
table{border-collapse:collapse;width:100%;font-size:.9em}
th,td{text-align:left;padding:.25em .6em;border-bottom:1px solid #ccc;vertical-align:top}
th.n,td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tfoot td{font-weight:bold;border-top:2px solid #111;border-bottom:0}
.bad{border-left:4px solid #b00;padding:.3em .8em;background:#fff3f3}
.good{border-left:4px solid #080;padding:.3em .8em;background:#f3fff3}
.quiet{color:#555;font-size:.85em}pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.75em}
@media print{body{margin:0;max-width:none}
h2,tr{break-inside:avoid}thead{display:table-header-group}}
"""


def minutes(duration_ms: int) -> str:
    """Write milliseconds as minutes with three decimals: ``"12.345"``."""
    return str((Decimal(duration_ms) / 60_000).quantize(Decimal("0.001")))


def day(moment: datetime | None) -> str:
    """Write a date, in UTC; empty for None."""
    return "" if moment is None else to_utc(moment).date().isoformat()


def lines_of(account: GrantAccount) -> list[tuple[str, Line]]:
    """Return every line of an account with its kind."""
    return [
        *((PUBLISHED, line) for line in account.lines),
        *((DRAFT, line) for line in account.drafts),
        *((PENDING, line) for line in account.pending),
    ]


def statement_csv(statement: StatementOfUse) -> str:
    """Return one row for each use; amounts only where something is due."""
    return to_csv(
        COLUMNS,
        (
            _row(kind, line, account)
            for account in statement.grants
            for kind, line in lines_of(account)
        ),
    )


def _row(kind: str, line: Line, account: GrantAccount) -> Sequence[object]:
    use, price = line.use, account.grant.price
    return (
        kind,
        rfc3339(use.sealed_at or use.made_at),
        use.work,
        use.identifier,
        use.title,
        use.output_id,
        use.voice,
        use.grant_id,
        account.grant.owner_name or account.grant.owner,
        account.grant.licensee_name or account.grant.licensee,
        minutes(use.duration_ms),
        "" if price is None or line.amount is None else price.currency,
        "" if line.amount is None else line.amount,
        "; ".join(line.problems),
    )


def money(amounts: Iterable[tuple[str, Decimal]]) -> str:
    """Write amounts by currency: ``"12.50 EUR, 3.00 USD"``; a dash for nothing."""
    return ", ".join(f"{amount} {currency}" for currency, amount in amounts) or "–"


def period_words(statement: StatementOfUse) -> str:
    """Say in words what period a statement covers."""
    period = statement.head.period
    if period.since is None and period.until is None:
        return "all uses up to the day of this statement"
    since = "the beginning" if period.since is None else rfc3339(period.since)
    until = "the day of this statement" if period.until is None else rfc3339(period.until)
    return f"from {since} until before {until}"


def statement_html(statement: StatementOfUse) -> str:
    """Return the statement as one page that prints well: no script, nothing fetched."""
    head = statement.head
    who = head.party_name or head.party
    side = "licensee" if head.role == LICENSEE else "rights holder"
    title = f"Statement of use: {who}"
    sections = "".join(_section(account) for account in statement.grants)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_text(title)}</title>\n<style>{_CSS}</style></head>\n<body>\n"
        f"<h1>{_text(title)}</h1>\n"
        f"<p>For the {side} ({_text(head.party)}); {_text(period_words(statement))}. "
        f"Made {_text(rfc3339(head.made_at))}.</p>\n"
        f"{_verdict(statement)}{_summary(statement)}{sections}"
        f"{_colophon(statement)}</body></html>\n"
    )


def _verdict(statement: StatementOfUse) -> str:
    problems = statement.problems
    if not problems:
        return '<p class="good">Every use listed here was covered by its grant.</p>\n'
    items = "".join(f"<li>{_text(problem)}</li>" for problem in problems)
    return f'<div class="bad"><p>Not everything is in order:</p><ul>{items}</ul></div>\n'


def _summary(statement: StatementOfUse) -> str:
    rows = "".join(
        f"<tr><td>{_text(voice.voice)}</td>{_number(voice.outputs)}"
        f"{_number(minutes(voice.used_ms))}{_number(money(voice.amounts.items()))}</tr>"
        for voice in statement.voices
    )
    outputs = sum(len(account.lines) for account in statement.grants)
    return (
        '<table><thead><tr><th>Voice</th><th class="n">Outputs</th><th class="n">Minutes</th>'
        f'<th class="n">Amount</th></tr></thead><tbody>{rows}</tbody>'
        f"<tfoot><tr><td>Total</td>{_number(outputs)}{_number(minutes(statement.used_ms))}"
        f"{_number(money(statement.amounts.items()))}</tr></tfoot></table>\n"
    )


def _section(account: GrantAccount) -> str:
    grant = account.grant
    limit = "no limit" if grant.granted_ms is None else f"{minutes(grant.granted_ms)} minutes"
    note = f" ({grant.price.note})" if grant.price is not None and grant.price.note else ""
    rows = "".join(_html_row(kind, line, account) for kind, line in lines_of(account))
    if not rows:
        rows = '<tr><td colspan="7" class="quiet">No use in this period.</td></tr>'
    total = "–" if grant.price is None else f"{account.amount} {grant.price.currency}"
    return (
        f"<h2>{_text(grant.voice)}: {_text(grant.owner_name or grant.owner)} to "
        f"{_text(grant.licensee_name or grant.licensee)}</h2>\n"
        f'<p class="quiet">Grant {_text(grant.id)}, {_text(grant.status)}, valid '
        f"{day(grant.valid_from)} to {day(grant.valid_until)}; {_text(limit)}; "
        f"{_text(grant.price_words + note)}. Digest {_text(grant.digest)}.</p>\n"
        "<table><thead><tr><th>Date</th><th>Work</th><th>Title</th><th>Output</th><th>What</th>"
        f'<th class="n">Minutes</th><th class="n">Amount</th></tr></thead><tbody>{rows}</tbody>'
        f'<tfoot><tr><td colspan="5">Published</td>{_number(minutes(account.used_ms))}'
        f"{_number(total)}</tr></tfoot></table>\n"
    )


def _html_row(kind: str, line: Line, account: GrantAccount) -> str:
    use, price = line.use, account.grant.price
    amount = "–" if line.amount is None or price is None else f"{line.amount} {price.currency}"
    what = kind if not line.problems else f"{kind}: {'; '.join(line.problems)}"
    return (
        f"<tr><td>{day(use.sealed_at or use.made_at)}</td><td>{_text(_work(use))}</td>"
        f"<td>{_text(use.title)}</td><td>{_text(use.output_id)}</td><td>{_text(what)}</td>"
        f"{_number(minutes(use.duration_ms))}{_number(amount)}</tr>"
    )


def _work(use: Use) -> str:
    return f"{use.work} ({use.identifier})" if use.identifier else use.work


def _colophon(statement: StatementOfUse) -> str:
    head = statement.head
    origin = Verifier.parse(head.log_vkey).name
    return (
        '<p class="quiet">Amounts are what the grants ask for, rounded once per grant. Review '
        "drafts are free. Taken from the transparency log "
        f"{_text(origin)} of the registry {_text(head.registry_did)} in this state:</p>\n"
        f"<pre>{_text(head.checkpoint)}</pre>\n"
    )


def _text(text: str) -> str:
    """Escape text of others; what could turn it round on the page is made visible."""
    shown = "".join(
        "\ufffd" if char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00" else char
        for char in text
    )
    return escape(shown, quote=True)


def _number(value: object) -> str:
    return f'<td class="n">{_text(str(value))}</td>'
