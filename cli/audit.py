"""``vivavoce audit``: what was used, and whether everything still is what it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import witness
from cli.output import duration, emit_json, note, say, table
from cli.signing import Yes, confirm
from consent.errors import InputError

if TYPE_CHECKING:
    from consent.audit.checking import AuditReport
    from consent.audit.orphans import OrphanReport
    from consent.audit.statement import StatementOfUse
    from consent.audit.verifying import BundleReport
    from consent.registry import Registry

app = typer.Typer(
    help="Statements of use, checks of log and registry, evidence for strangers.",
    no_args_is_help=True,
)
app.add_typer(witness.app, name="witness")

FORMATS = ("table", "csv", "json", "html")

AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Since = Annotated[
    str, typer.Option(help="From this day or time on: 2026-01-31, or with time and zone.")
]
Until = Annotated[str, typer.Option(help="Up to and with this day, or before this time.")]


@app.command("log")
def show_log(
    kind: Annotated[
        list[str] | None, typer.Option(help="Only entries of this kind; may be repeated.")
    ] = None,
    about: Annotated[
        str, typer.Option(help="Only entries that hold this id, digest or reference, or begin it.")
    ] = "",
    since: Since = "",
    until: Until = "",
    last: Annotated[int, typer.Option(help="Only the last so many; 0 shows all.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Show the transparency log in words.

    [bold]vivavoce audit log --kind receipt --since 2026-11-01[/bold]
    """
    from collections import deque

    from consent.audit.listing import Filter
    from consent.audit.reports import log_listing

    wanted = Filter(
        kinds=tuple(kind or ()),
        about=about,
        since=_moment(since, "--since"),
        until=_moment(until, "--until", end=True),
    )
    with _registry() as registry:
        lines = list(deque(log_listing(registry, wanted), maxlen=last or None))
    if as_json:
        emit_json([line.to_json() for line in lines])
        return
    table(
        ("entry>", "time", "kind", "about", "what"),
        ((x.index, _stamp(x.time), x.kind, x.subject, x.words) for x in lines),
    )


@app.command()
def check(
    proof: Annotated[
        list[Path] | None,
        typer.Option(help="A consistency proof of another log that is remembered here."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check everything: log, registry, memory, witnesses, minutes, and every use of a voice.

    Exit code 0 if all is well, 5 if not.

      [bold]vivavoce audit check[/bold]
    """
    from consent.audit.checking import check_everything

    proofs = [_text(path, "the proof") for path in proof or ()]
    with _registry() as registry:
        report = check_everything(registry, proofs=proofs)
    if as_json:
        emit_json(report.to_json())
    else:
        _tell_check(report)
    raise typer.Exit(report.exit_code)


@app.command("correct-clock")
def correct_clock(yes: Yes = False) -> None:
    """Put on record that this machine's clock was ahead once and is right now.

    Until then nothing is authorized: a clock that was set back could make what is over new.

    [bold]vivavoce audit correct-clock[/bold]
    """
    from consent.home import Home
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        confirm(f"It is {registry.now():%Y-%m-%d %H:%M:%S} UTC, and that is right?", yes=yes)
        registry.correct_clock()
    say("On record. Work goes on by the present time.")


@app.command()
def statement(
    party: Annotated[str, typer.Argument(help="Handle or id of a rights holder or licensee.")],
    role: Annotated[
        str, typer.Option("--as", help="rights-holder or licensee; found out if not given.")
    ] = "",
    since: Since = "",
    until: Until = "",
    form: Annotated[str, typer.Option("--format", help="table, csv, json or html.")] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead.")
    ] = None,
    signed: Annotated[bool, typer.Option(help="Sign it as the registry; JSON only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what was made with somebody's voice, when, under which grant, and for how much.

    Exit code 5 if a use was not covered by its grant.

      [bold]vivavoce audit statement emma --since 2026-01-01 --format html -o emma.html[/bold]
    """
    from consent.audit.reports import signed_statement, statement_of_use

    form = "json" if as_json else form
    if form not in FORMATS:
        raise InputError(f"the format is {form!r}, expected one of {', '.join(FORMATS)}")
    if signed and form != "json":
        raise InputError(
            f"a {form} cannot be signed", hint="Add --format json; the others show the same."
        )
    with _registry() as registry:
        found = statement_of_use(
            registry,
            party,
            role=role,
            since=_moment(since, "--since"),
            until=_moment(until, "--until", end=True),
        )
        data = signed_statement(registry, found) if signed else found.to_json()
    if form == "table" and output is None:
        _tell_statement(found)
    elif form == "json" and output is None:
        emit_json(data)
    else:
        _write_statement(found, data, form, output)
    raise typer.Exit(5 if found.problems else 0)


@app.command()
def outputs(
    grant: Annotated[str, typer.Option(help="Only outputs under this grant.")] = "",
    folder: Annotated[
        Path | None, typer.Option(help="Hold the audio files in this folder against the receipts.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List outputs: of a grant, or all; receipts without a file, and files without a receipt.

    Exit code 5 if something needs to be looked at.

      [bold]vivavoce audit outputs --folder ~/Audiobooks[/bold]
    """
    with _registry() as registry:
        if grant:
            problems = _outputs_of(registry, grant, as_json=as_json)
        else:
            problems = _all_outputs(registry, folder, as_json=as_json)
    raise typer.Exit(5 if problems else 0)


@app.command()
def policies(as_json: AsJson = False) -> None:
    """Show which policies were in force when.

    [bold]vivavoce audit policies[/bold]
    """
    from consent.audit.reports import policy_history

    with _registry() as registry:
        found = policy_history(registry)
    if as_json:
        emit_json([change.to_json() for change in found])
        return
    table(
        ("entry>", "since", "policies", "receipts>", "rules"),
        ((c.index, _stamp(c.time), c.digest[:16], c.outputs, ", ".join(c.rules)) for c in found),
    )


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
) -> None:
    """Write what an auditor needs into a folder: log, keys, outputs, policies. No personal data.

    [bold]vivavoce audit export for-the-auditor[/bold]
    """
    from consent.audit.exporting import export_audit

    with _registry() as registry:
        report = export_audit(registry, folder)
    say(f"Wrote {len(report.files)} files into {folder}: {report.entries} entries of the log.")
    say(f"The log's key, to be sent by a way the auditor trusts: {report.log_vkey}")


@app.command()
def bundle(
    output_id: Annotated[list[str], typer.Argument(help="One or more output ids.")],
    file: Annotated[Path, typer.Option("--output", "-o", help="Where to write it (.json).")],
    redacted: Annotated[
        bool, typer.Option(help="Leave out terms and names: for strangers.")
    ] = False,
) -> None:
    """Write the evidence for outputs into one file that anyone can check offline.

    [bold]vivavoce audit bundle 4f1c00112233 -o evidence.json[/bold]
    """
    from consent.audit.documents import write_json
    from consent.audit.making import make_bundle
    from consent.files import write_atomic
    from provenance.manifest.certificates import own_chain

    with _registry() as registry:
        document = make_bundle(
            registry, output_id, redacted=redacted, certificates=own_chain(registry.home)
        )
        vkey, did = registry.log.vkey, registry.did
    write_atomic(file, write_json(document))
    say(f"Wrote the evidence for {len(document['outputs'])} outputs into {file}.")
    if not redacted:
        note("It holds the terms of the grants: for the parties. For strangers: --redacted.")
    say("To check it, the other side needs one of these keys by a way it trusts:")
    say(f"  --log-key {vkey}")
    say(f"  --registry-key {did}")


@app.command("verify-bundle")
def verify_bundle(
    bundle_file: Annotated[Path, typer.Argument(help="A bundle from `audit bundle`.")],
    file: Annotated[Path | None, typer.Option(help="An audio file said to be in it.")] = None,
    log_key: Annotated[
        str, typer.Option(help="The log's key as you know it from elsewhere, or a file with it.")
    ] = "",
    registry_key: Annotated[
        str, typer.Option(help="The registry's did:key or public key in hex, or a file with it.")
    ] = "",
    witness: Annotated[
        list[str] | None, typer.Option(help="Key of a witness that must have cosigned.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="A copy of the log: shows that nothing was left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a bundle of evidence. Needs no home, no registry and no network.

    Exit code 0 if it is proved by a key you gave, 10 if it is only consistent in itself, 5 if it
    is contradicted.

      [bold]vivavoce audit verify-bundle evidence.json --file book.m4b --log-key studio.vkey[/bold]
    """
    from consent.audit.verifying import Trust, read_bundle
    from consent.audit.verifying import verify_bundle as verify

    trust = Trust(_key(log_key), _key(registry_key), tuple(_key(key) for key in witness or ()))
    report = verify(read_bundle(bundle_file), trust, file=file, log=log)
    if as_json:
        emit_json(report.to_json())
    else:
        _tell_bundle(bundle_file, report)
    raise typer.Exit(report.exit_code)


@contextmanager
def _registry() -> Iterator[Registry]:
    from consent.home import Home
    from consent.registry import Registry as Opened

    with Opened.open(Home.open()) as registry:
        yield registry


def _moment(text: str, option: str, *, end: bool = False) -> datetime | None:
    """Read a day or a time; a day as an end includes itself."""
    if not text:
        return None
    try:
        if len(text) == 10:
            day = datetime.combine(datetime.fromisoformat(text).date(), time(), UTC)
            return day + timedelta(days=1) if end else day
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as exc:
        raise InputError(
            f"{option} is {text[:40]!r}", hint="Write 2026-01-31 or 2026-01-31T12:00:00Z."
        ) from exc
    if moment.tzinfo is None:
        raise InputError(
            f"{option} is {text[:40]!r}, a time without a zone",
            hint="Add Z for UTC, or an offset: 2026-01-31T12:00:00+01:00.",
        )
    return moment


def _stamp(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _text(path: Path, what: str) -> str:
    from consent.files import read_limited

    try:
        return read_limited(path, 1 << 20).decode("utf-8")
    except OSError as exc:
        raise InputError(f"cannot read {what} {path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{what} {path} is not UTF-8 text") from exc


def _key(text: str) -> str:
    """Return a key given as it is or as a file."""
    if text and "+" not in text and not text.startswith("did:") and Path(text).is_file():
        return _text(Path(text), "the key").strip()
    return text


def _tell_check(report: AuditReport) -> None:
    for section in report.sections:
        say(f"{'ok ' if section.ok else 'BAD'} {section.name}: {section.summary}")
        for problem in section.problems:
            say(f"    {problem}", style="bold red")
        for remark in section.remarks:
            say(f"    {remark}", style="yellow")
    say()
    count = len(report.problems)
    say("Nothing is wrong." if report.ok else f"{count} problem{'s' if count > 1 else ''}.")


def _tell_statement(found: StatementOfUse) -> None:
    from consent.audit.rendering import day, lines_of, money, period_words

    who = found.head.party_name or found.head.party
    say(f"Statement of use for {who} ({found.head.role}): {period_words(found)}", style="bold")
    for account in found.grants:
        grant = account.grant
        table(
            ("date", "work", "title", "output", "what", "time>", "amount>"),
            (
                (
                    day(line.use.sealed_at or line.use.made_at),
                    line.use.work,
                    line.use.title,
                    line.use.output_id,
                    kind,
                    duration(line.use.duration_ms / 1000),
                    "" if line.amount is None else str(line.amount),
                )
                for kind, line in lines_of(account)
            ),
            title=f"{grant.voice}: {grant.owner_name or grant.owner} to "
            f"{grant.licensee_name or grant.licensee}, {grant.status}, {grant.price_words}",
        )
        due = [] if account.amount is None or not grant.price else [account.amount]
        total = money((grant.price.currency, amount) for amount in due if grant.price)
        say(f"  {duration(account.used_ms / 1000)} published, {total}, grant {grant.id}")
    if not found.grants:
        say("There are no grants.")
    say(f"Total: {duration(found.used_ms / 1000)}, {money(found.amounts.items())}", style="bold")
    for problem in found.problems:
        say(problem, style="bold red")


def _write_statement(
    found: StatementOfUse, data: dict[str, Any], form: str, output: Path | None
) -> None:
    from consent.audit.documents import write_json
    from consent.audit.rendering import statement_csv, statement_html
    from consent.files import write_atomic

    if form == "table":
        raise InputError("a table is for the screen", hint="Write --format csv, json or html.")
    text = {
        "csv": lambda: statement_csv(found),
        "html": lambda: statement_html(found),
        "json": lambda: write_json(data).decode(),
    }[form]()
    if output is None:
        typer.echo(text, nl=False)
        return
    write_atomic(output, text.encode())
    note(f"Wrote {output}.")


def _outputs_of(registry: Registry, grant: str, *, as_json: bool) -> bool:
    from consent.audit.reports import outputs_under

    found = outputs_under(registry, grant)
    if as_json:
        emit_json([entry.to_json() for entry in found])
    else:
        table(
            ("output", "state", "made", "work", "title", "voice", "time>", "problems"),
            (
                (
                    entry.use.output_id,
                    "review draft" if entry.use.review else entry.use.state,
                    _stamp(entry.use.made_at),
                    entry.use.work,
                    entry.use.title,
                    entry.use.voice,
                    duration(entry.use.duration_ms / 1000),
                    "; ".join(entry.problems),
                )
                for entry in found
            ),
        )
    return any(entry.problems for entry in found)


def _all_outputs(registry: Registry, folder: Path | None, *, as_json: bool) -> bool:
    from consent.audit.reports import known_outputs, orphans
    from provenance.claims import claims_in

    report = orphans(registry, () if folder is None else claims_in(folder))
    known = known_outputs(registry)
    if as_json:
        emit_json({"outputs": [output.to_json() for output in known], **report.to_json()})
        return bool(report.problems)
    table(
        ("output", "state", "made", "title", "sha256"),
        ((o.output_id, o.state, _stamp(o.made_at), o.title, o.sha256[:16]) for o in known),
    )
    _tell_orphans(report)
    return bool(report.problems)


def _tell_orphans(report: OrphanReport) -> None:
    for output in report.pending:
        say(f"{output.output_id} has a receipt and no file yet.", style="yellow")
    for finding in report.files:
        say(finding.sentence)
    for problem in report.problems:
        say(problem, style="bold red")


def _tell_bundle(path: Path, report: BundleReport) -> None:
    say(f"{path}: {report.verdict}", style="bold")
    for problem in report.problems:
        say(f"  {problem}", style="bold red")
    for basis, words in (
        ("log", "Proved by the log:"),
        ("registry", "Said and signed by the registry:"),
        ("file", "Seen in the file:"),
    ):
        found = [finding for finding in report.findings if finding.basis == basis]
        if found:
            say(words, style="bold")
        for finding in found:
            say(f"  {finding.about}: {finding.sentence}")
    if report.not_covered:
        say("Not shown by this bundle:", style="bold")
    for sentence in report.not_covered:
        say(f"  {sentence}")
