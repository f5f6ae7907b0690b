"""``vivavoce watermark``: what the sound itself says.

There is no verb that embeds. Marking is a step of sealing, and of nothing else: a file that
carried one of our ids without a receipt would be a forgery that we made ourselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import emit_json, fail, say
from consent.errors import InputError

if TYPE_CHECKING:
    from provenance.watermark import MarkReading

app = typer.Typer(help="The watermark in the sound.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Read the watermark that sealing puts into the sound."""


@app.command("read")
def read(
    files: Annotated[list[Path], typer.Argument(help="Audio files to read.", show_default=False)],
    model: Annotated[
        str | None,
        typer.Option(help="Name or folder of the watermark model. Default: the one that marks."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say where a file's sound is marked and which output ids it carries.

    An id alone proves nothing: the weights are public, and anyone can put any id on any sound.
    `vivavoce verify` says whether the rest agrees. No mark does not mean that a human spoke.

      [bold]vivavoce watermark read suspect.mp3[/bold]
    """
    from consent.home import Home
    from provenance.watermark.files import read_file, reader

    mark = reader(Home.open(), model)
    data: list[dict[str, Any]] = []
    code = 0
    for path in files:
        try:
            reading = read_file(path, mark)
        except InputError as error:  # no reason to keep quiet about the others
            if len(files) == 1:
                raise
            code = error.exit_code
            data.append({"path": str(path), "error": error.message})
            if not as_json:
                fail(error, as_json=False)
            continue
        data.append({"path": str(path), "model": mark.name, **reading.to_json()})
        if not as_json:
            _tell(path, reading)
    if as_json:
        emit_json(data[0] if len(files) == 1 else data)
    raise typer.Exit(code)


def _tell(path: Path, reading: MarkReading) -> None:
    if not reading.present:
        say(f"{path}: no mark found", style="bold")
    elif reading.output_id is None:
        say(f"{path}: marked, without a readable id", style="bold")
    else:
        say(f"{path}: {reading.output_id}", style="bold")
    for span in reading.spans:
        what = "a mark without an id" if span.output_id is None else f"id {span.output_id}"
        say(f"  {span.start_s:.2f} to {span.end_s:.2f} s: {what}, p = {span.p_value:.1e}")
    for note in reading.notes:
        say(f"  {note}")
