"""The command line as a user meets it: run as a program, in a home of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from cli.reference import HEADLINE, reference

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "chickens.epub"


@pytest.fixture
def run(tmp_path: Path):
    home = tmp_path / "home"

    def call(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"VIVAVOCE_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"}
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            input=stdin,
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": str(ROOT)},
            check=False,
        )

    return call


def test_every_command_and_option_is_documented() -> None:
    document = (ROOT / "docs" / "cli.md").read_text("utf-8")
    written = document.split(HEADLINE, 1)[1].strip()
    assert written == reference().strip(), "run: python -m cli.reference, into docs/cli.md"


def test_version_and_help_work(run) -> None:
    assert run("--version").stdout.startswith("vivavoce ")
    help_text = run("--help").stdout
    for verb in ("narrate", "plan", "speak", "voices", "models", "verify", "keys", "doctor"):
        assert verb in help_text


def test_voices_are_listed_with_licence_and_can_be_filtered(run) -> None:
    voices = json.loads(
        run("voices", "list", "--language", "en-GB", "--commercial", "--json").stdout
    )
    assert len(voices) >= 4
    assert {voice["commercial"] for voice in voices} == {True}
    assert all("en-GB" in voice["languages"] for voice in voices)


def test_plan_shows_chapters_and_what_is_left_out(run) -> None:
    result = run("plan", EXAMPLE, "--voice", "bm_george", "--json")
    assert result.returncode == 0, result.stderr
    data = json.loads(result.stdout)
    assert [chapter["title"] for chapter in data["chapters"]] == [
        "I: A Letter with a Postscript",
        "II: Mr. and Mrs. S. F. Ukridge",
    ]
    shown = run("plan", EXAMPLE, "--voice", "bm_george").stdout
    assert "imprint" in shown.lower()
    assert "--keep" in shown


def test_an_exported_plan_can_be_read_back(run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    assert run("plan", EXAMPLE, "-o", plan).returncode == 0
    assert tomllib.loads(plan.read_text("utf-8"))
    again = run("plan", EXAMPLE, "-o", plan)
    assert again.returncode == 3
    assert "exists" in again.stderr
    data = json.loads(run("plan", plan, "--json").stdout)
    assert len(data["chapters"]) == 2


def test_plan_reads_standard_input(run) -> None:
    data = json.loads(run("plan", "-", "--json", stdin="Good evening. Who is there?").stdout)
    assert data["words"] == 5


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("narrate", "missing.epub", "-o", "x.m4b"), 3, "missing.epub"),
        (("narrate", EXAMPLE, "-v", "nobody", "-o", "x.m4b"), 3, "nobody"),
        (("narrate", EXAMPLE, "-o", "no/such/folder/x.m4b"), 7, "no/such/folder"),
        (("narrate", EXAMPLE, "-o", "x.ogg"), 3, "ogg"),
        (("narrate", EXAMPLE, "-o", "x.m4b", "--chapters", "9"), 3, "9"),
        (("narrate", EXAMPLE, "-o", "x.m4b", "--require-watermark"), 4, "watermark"),
        (("speak", "Hello.", "-v", "joe", "--commercial", "-o", "x.wav"), 4, "commercial"),
        (("models", "show", "nonesuch"), 3, "nonesuch"),
        (("verify", "missing.m4b"), 3, "missing.m4b"),
        (("narrate",), 2, ""),
        (("frobnicate",), 2, ""),
    ],
)
def test_refusals_name_the_value_and_have_their_exit_code(
    run, tmp_path: Path, arguments: tuple[object, ...], code: int, says: str
) -> None:
    result = run(*arguments)
    assert result.returncode == code, result.stderr
    assert says in result.stderr.replace("\n", "")
    assert "Traceback" not in result.stderr + result.stdout
    assert not list(tmp_path.glob("x.*"))


def test_errors_are_json_when_json_was_asked_for(run) -> None:
    error = json.loads(run("models", "show", "nonesuch", "--json").stderr)
    assert error["error"] == "InputError"
    assert error["exit_code"] == 3
    assert "nonesuch" in error["message"]


def test_nothing_in_a_name_or_a_book_reaches_the_terminal_as_a_command(run, tmp_path: Path) -> None:
    hostile = "Evil\x1b]0;owned\x07\x1b[31m \x9b31m \u202etxt [bold]title[/bold]"
    (tmp_path / "book.md").write_text(f"# {hostile}\n\nHello there.\n", "utf-8")
    results = [
        run("plan", "book.md"),
        run("plan", "book.md", "--json"),
        run("plan", "no \x1b[31m \udcff [x].epub"),
        run("plan", "no \x1b[31m \udcff [x].epub", "--json"),
        run("verify", "no \x9b31m \u202e.wav"),
    ]
    for result in results:
        assert not set("\x1b\x07\x9b\u202e") & set(result.stdout + result.stderr)
        assert result.returncode in (0, 3)
    assert "[bold]title[/bold]" in results[0].stdout
    assert "[x].epub" in results[2].stderr


def test_ctrl_c_is_answered_with_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("Some words of a book, again and again. " * 40_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "plan", "book.txt"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"VIVAVOCE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert "run the same command again" in said
    assert "Traceback" not in said


def test_speaking_from_standard_input_decodes_it_as_books_are_decoded(tmp_path: Path) -> None:
    def speak(data: bytes) -> str:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "speak", "-", "-v", "nobody", "-o", "x.wav"],
            input=data,
            capture_output=True,
            cwd=tmp_path,
            env=os.environ | {"VIVAVOCE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)},
            check=False,
        ).stderr.decode()

    assert "nobody" in speak(b"caf\xe9, in an old encoding")
    assert "standard input: this is not text" in speak(bytes(500))


def test_one_unreadable_file_does_not_hide_what_is_known_of_the_others(run, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "bare.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + bytes(40))
    shown = run("verify", "text.wav", "bare.wav", "missing.wav")
    assert shown.returncode == 12
    assert "bare.wav: absent" in shown.stdout
    assert "text.wav is not an audio file" in shown.stderr
    assert "missing.wav" in shown.stderr
    rows = json.loads(run("verify", "text.wav", "bare.wav", "--json").stdout)
    assert [(row["path"], row["status"]) for row in rows] == [
        ("text.wav", "unreadable"),
        ("bare.wav", "absent"),
    ]
    assert run("verify", "text.wav", "missing.wav").returncode == 3


def test_files_without_an_end_are_not_read_to_it(run, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("Hello there.")
    for arguments in (
        ("trust", "add", "/dev/zero"),
        ("plan", "book.txt", "--cast", "/dev/zero"),
        ("plan", "book.txt", "--lexicon", "/dev/zero"),
        ("keys", "backup", "x", "--passphrase-file", "/dev/zero"),
    ):
        result = run(*arguments)
        assert result.returncode == 3, result.stderr
        assert "/dev/zero" in result.stderr and "more than" in result.stderr


def test_a_passphrase_that_is_no_text_is_refused(run, tmp_path: Path) -> None:
    (tmp_path / "phrase").write_bytes(b"\xff\xfe")
    result = run("keys", "backup", "x", "--passphrase-file", "phrase")
    assert result.returncode == 3
    assert "phrase is not UTF-8" in result.stderr


def test_a_home_with_a_file_in_the_way_is_said(run, tmp_path: Path) -> None:
    run("doctor")
    (tmp_path / "home" / "sealing").write_text("x")
    result = run("speak", "Hello.", "-v", "kokoro:af_heart", "-o", "x.wav")
    assert result.returncode == 7, result.stderr
    assert "something else of that name" in result.stderr


def test_the_configuration_can_make_all_work_commercial(run, tmp_path: Path) -> None:
    run("doctor")
    (tmp_path / "home" / "config.toml").write_text("[narration]\ncommercial = true\n")
    result = run("speak", "Hello.", "-v", "joe", "-o", "x.wav")
    assert result.returncode == 4, result.stderr
    assert "commercial" in result.stderr


def test_a_misspelt_setting_is_refused(run, tmp_path: Path) -> None:
    run("doctor")
    (tmp_path / "home" / "config.toml").write_text("[narration]\ncomercial = true\n")
    result = run("voices", "list")
    assert result.returncode in (0, 3)
    result = run("doctor")
    assert result.returncode == 3
    assert "comercial" in result.stderr
