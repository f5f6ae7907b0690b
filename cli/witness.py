"""``vivavoce audit witness``: have the log witnessed, or witness the logs of others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import emit_json, note, say, table
from consent.errors import InputError

if TYPE_CHECKING:
    from consent.log import Log
    from consent.log.witness import Witness

app = typer.Typer(
    help="Have your log witnessed by others, or witness theirs.", no_args_is_help=True
)

OURS = "Your own log"
THEIRS = "Being a witness"

AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file, not to the screen.")
]


# -- The operator of a log --------------------------------------------------------------


@app.command(rich_help_panel=OURS)
def trust(
    vkey: Annotated[str, typer.Argument(help="The witness's key: name+hash+key.")],
) -> None:
    """Believe a witness. All that are trusted are required, unless you say otherwise.

    [bold]vivavoce audit witness trust example.org/w1+1a2b3c4d+BAAA...[/bold]
    """
    from consent.home import Home
    from consent.log.quorum import load_policy, save_policy

    home = Home.open()
    policy = load_policy(home).adding(vkey)
    save_policy(home, policy)
    say(f"Trusted. A checkpoint counts as witnessed with {policy.describe()}.")


@app.command(rich_help_panel=OURS)
def untrust(name: Annotated[str, typer.Argument(help="Name as in `witness list`.")]) -> None:
    """Stop believing a witness."""
    from consent.home import Home
    from consent.log.quorum import load_policy, save_policy

    home = Home.open()
    policy = load_policy(home).without(name)
    save_policy(home, policy)
    say(f"Removed {name}. A checkpoint counts as witnessed with {policy.describe()}.")


@app.command(rich_help_panel=OURS)
def require(
    count: Annotated[int, typer.Argument(help="How many of the trusted witnesses; 0 for none.")],
) -> None:
    """Say how many witnesses must have cosigned."""
    from consent.home import Home
    from consent.log.quorum import load_policy, save_policy

    home = Home.open()
    policy = load_policy(home).requiring(count)
    save_policy(home, policy)
    say(f"A checkpoint counts as witnessed with {policy.describe()}.")


@app.command("list", rich_help_panel=OURS)
def list_witnesses(as_json: AsJson = False) -> None:
    """Show the trusted witnesses, the quorum, and what they have cosigned."""
    with _own_log() as log:
        policy, size, witnessed = log.witnesses, log.checkpoint().size, log.witnessed()
    cosigned = {} if witnessed is None else {c.witness: c for c in witnessed.cosignatures}
    if as_json:
        emit_json(
            {
                "witnesses": [
                    {"name": name, "vkey": key.vkey} for name, key in policy.witnesses.items()
                ],
                "quorum": policy.describe(),
                "entries": size,
                "witnessed_entries": 0 if witnessed is None else witnessed.size,
                "cosignatures": [c.to_json() for c in cosigned.values()],
            }
        )
        return
    table(
        ("witness", "cosigned", "vkey"),
        (
            (name, f"{cosigned[key].time:%Y-%m-%d %H:%M}" if key in cosigned else "", key.vkey)
            for name, key in policy.witnesses.items()
        ),
    )
    say(f"Required: {policy.describe()}.")
    if witnessed is None:
        say("Nobody has witnessed this log: it proves little against its own operator.")
    else:
        say(f"Witnessed: the first {witnessed.size} of {size} entries.")


@app.command(rich_help_panel=OURS)
def request(
    old: Annotated[
        int | None,
        typer.Option(help="Entries the witness saw last; the last witnessed if not given."),
    ] = None,
    output: Output = None,
) -> None:
    """Write what a witness needs: the checkpoint, and the proof that it extends an older one.

    [bold]vivavoce audit witness request -o for-the-witness.txt[/bold]
    """
    with _own_log() as log:
        sizes = log.cosigned_sizes()
        size = old if old is not None else (sizes[0] if sizes else 0)
        text = log.extension(size).text
    _write(text, output)


@app.command(rich_help_panel=OURS)
def attach(
    files: Annotated[list[Path], typer.Argument(help="Checkpoints cosigned by witnesses.")],
) -> None:
    """Take in what witnesses cosigned; proofs of those entries carry it from now on.

    [bold]vivavoce audit witness attach cosigned.txt[/bold]
    """
    notes = [_read(path) for path in files]
    with _own_log() as log:
        checkpoint = log.attach(*notes)
        enough = log.witnesses.satisfied(checkpoint.cosignatures)
    names = ", ".join(c.witness.name for c in checkpoint.cosignatures)
    say(f"{names} cosigned the first {checkpoint.size} entries.")
    if not enough:
        say(f"Not enough yet: {log.witnesses.describe()} must have.")


@app.command(rich_help_panel=OURS)
def ask(
    url: Annotated[str, typer.Argument(help="The witness's address (its submission prefix).")],
) -> None:
    """Ask a witness over the network, and take in its answer.

    It learns the log's name, size and root, nothing else.

      [bold]vivavoce audit witness ask https://witness.example.org[/bold]
    """
    from consent.log.witness_http import ask as ask_for

    with _own_log() as log:
        sizes = log.cosigned_sizes()
        checkpoint = log.attach(ask_for(log, url, old=sizes[0] if sizes else 0))
    names = ", ".join(c.witness.name for c in checkpoint.cosignatures)
    say(f"{names} cosigned the first {checkpoint.size} entries.")


# -- Logs that are remembered -----------------------------------------------------------


@app.command("remembered", rich_help_panel=OURS)
def list_remembered(as_json: AsJson = False) -> None:
    """Show the checkpoints, of this log and of others, that this home remembers."""
    from consent.home import Home
    from consent.log.remembered import remembered

    found = remembered(Home.open())
    if as_json:
        emit_json(
            [
                {"log": i.verifier.name, "vkey": i.verifier.vkey, "size": i.checkpoint.size,
                 "root": i.checkpoint.root.hex()}
                for i in found
            ]
        )  # fmt: skip
        return
    table(
        ("log", "entries>", "root"),
        ((i.verifier.name, i.checkpoint.size, i.checkpoint.root.hex()) for i in found),
    )


@app.command(rich_help_panel=OURS)
def forget(origin: Annotated[str, typer.Argument(help="Name of the log.")]) -> None:
    """Forget all that is remembered of a log. A split view or rollback is then found no more."""
    from consent.home import Home
    from consent.log.remembered import forget as forget_log

    forget_log(Home.open(), origin)
    say(f"Forgot the log {origin}.")


# -- The witness ------------------------------------------------------------------------


@app.command(rich_help_panel=THEIRS)
def init(
    name: Annotated[str, typer.Argument(help="Your witness's name: an address without https://.")],
) -> None:
    """Begin a witness in this home.

    [bold]vivavoce audit witness init example.org/witness[/bold]
    """
    from consent.home import Home
    from consent.log.witness import Witness

    witness = Witness.create(Home.open(), name)
    say("The witness's key, for those who trust it:")
    typer.echo(witness.verifier.vkey)


@app.command(rich_help_panel=THEIRS)
def watch(
    vkey: Annotated[str, typer.Argument(help="The log's key: name+hash+key.")],
) -> None:
    """Watch a log: cosign its checkpoints from now on."""
    log = _witness().watch(vkey)
    say(f"Watching {log.name}.")


@app.command(rich_help_panel=THEIRS)
def watched(as_json: AsJson = False) -> None:
    """Show this witness's key, the logs it watches and what it cosigned last."""
    witness = _witness()
    logs = witness.watched()
    if as_json:
        emit_json(
            {
                "witness": witness.verifier.vkey,
                "logs": [
                    {"vkey": log.vkey, "size": None if last is None else last.size}
                    for log, last in logs
                ],
            }
        )
        return
    typer.echo(witness.verifier.vkey)
    table(
        ("log", "entries>", "vkey"),
        ((log.name, "" if last is None else last.size, log.vkey) for log, last in logs),
    )


@app.command(rich_help_panel=THEIRS)
def sign(
    file: Annotated[Path, typer.Argument(help="A request (`witness request`), or a checkpoint.")],
    log: Annotated[
        Path | None, typer.Option(help="With a checkpoint: a copy of the log to prove it from.")
    ] = None,
    output: Output = None,
) -> None:
    """Cosign a checkpoint, if it extends all this witness has seen of the log.

    [bold]vivavoce audit witness sign for-the-witness.txt -o cosigned.txt[/bold]
    """
    from consent.log import Extension

    witness = _witness()
    text = _read(file)
    if not text.startswith("old "):
        if log is None:
            raise InputError(
                f"{file} is a checkpoint without a proof",
                hint="Give a copy of the log with --log FOLDER, or a file of `witness request`.",
            )
        text = witness.request(text, log).text
    line = witness.add_checkpoint(text)
    _write(Extension.parse(text).checkpoint + line, output)


@app.command(rich_help_panel=THEIRS)
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8642,
) -> None:
    """Answer logs over HTTP (c2sp.org/tlog-witness) until stopped.

    Listens on this machine alone; put a web server with TLS in front for the world.
    """
    from consent.log.witness_http import serve as listen

    server = listen(_witness(), host, port)
    note(f"Listening on http://{server.server_address[0]!s}:{server.server_address[1]}")
    try:
        server.serve_forever()
    finally:
        server.server_close()


@contextmanager
def _own_log() -> Iterator[Log]:
    from consent.home import Home
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        yield registry.log


def _witness() -> Witness:
    from consent.home import Home
    from consent.log.witness import Witness

    return Witness.open(Home.open())


def _read(path: Path) -> str:
    from consent.files import read_limited

    try:
        return read_limited(path, 1 << 20).decode("utf-8")
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{path} is not text") from exc


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    from consent.files import write_atomic

    write_atomic(output, text.encode())
    note(f"Wrote {output}.")
