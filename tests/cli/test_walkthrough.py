"""docs/consent.md is run, command by command: a page that says what to type must be true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "consent.md"
REFUSED = "# refused, exit code 4"


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", DOCUMENT.read_text("utf-8"), flags=re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines)
    return [line.removeprefix("$ ") for line in lines]


def script() -> str:
    steps = ["set -eu"]
    for command in commands():
        if REFUSED in command:
            bare = command.replace(REFUSED, "").strip()
            steps.append(f'code=0; {bare} || code=$?; test "$code" = 4')
        else:
            steps.append(command)
    return "\n".join(steps)


@pytest.mark.slow
def test_every_command_of_the_walk_does_what_the_page_says(tmp_path: Path) -> None:
    environment = os.environ | {
        "VIVAVOCE_HOME": str(tmp_path / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", script()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "in force when the file was made" in done.stdout
    assert "it was revoked on" in done.stdout
    assert not (tmp_path / "hello.wav").exists()
    assert not (tmp_path / "more.wav").exists()
    assert "Alice Example" in (tmp_path / "consent-receipt.html").read_text("utf-8")
