"""RFC 3161 time stamps with time limits.

The library has no time limit of its own for a time stamp server and cannot be interrupted, so it
talks to a relay on this machine's loopback, and the relay asks the configured server. Nothing is
asked unless the user has configured a server.
"""

from __future__ import annotations

import http.server
import secrets
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from consent.errors import InputError

TIMEOUT_S = 20.0
_LIMIT = 1 << 20


class TimestampRelay:
    """Forwards time stamp requests to `server` for as long as the context is open.

    Attributes
    ----------
    url
        What the signing library is given: loopback, with a path nobody can guess.
    problem
        What went wrong with the server, in words; empty if nothing did.
    """

    def __init__(self, server: str, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = urllib.parse.urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                f"time stamp server {server!r} is not an http or https address",
                hint="Correct seal.timestamp_url in config.toml.",
            )
        self.server = server
        self.timeout_s = timeout_s
        self.problem = ""
        self.url = ""
        self._http: http.server.ThreadingHTTPServer | None = None

    @classmethod
    @contextmanager
    def maybe(cls, server: str | None) -> Iterator[TimestampRelay | None]:
        """Open a relay to `server`, or nothing if there is none."""
        if not server:
            yield None
            return
        with cls(server) as relay:
            yield relay

    def __enter__(self) -> TimestampRelay:
        relay = self
        path = f"/{secrets.token_urlsafe(16)}"

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if self.path != path or not 0 < length <= _LIMIT:
                    self.send_error(404)
                    return
                answer = relay.ask(self.rfile.read(length))
                if answer is None:
                    self.send_error(502)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Keep quiet."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}{path}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()

    def ask(self, request: bytes) -> bytes | None:
        """Send `request` to the server; return its answer, or None with `problem` set."""
        post = urllib.request.Request(
            self.server, data=request, headers={"Content-Type": "application/timestamp-query"}
        )
        done = threading.Event()
        answers: list[bytes] = []

        def fetch() -> None:
            try:
                with urllib.request.urlopen(post, timeout=self.timeout_s) as reply:
                    kind = reply.headers.get_content_type()
                    body = reply.read(_LIMIT + 1)
                if kind != "application/timestamp-reply":
                    self.problem = f"it answered with {kind}, not with a time stamp"
                elif len(body) > _LIMIT:
                    self.problem = "its answer is too long"
                else:
                    answers.append(body)
            except urllib.error.HTTPError as exc:
                self.problem = f"it answered {exc.code} {exc.reason}"
            except urllib.error.URLError as exc:
                self.problem = f"it cannot be reached ({exc.reason})"
            except (OSError, ValueError) as exc:
                self.problem = f"it cannot be reached ({exc or type(exc).__name__})"
            finally:
                done.set()

        # urlopen's limit is per read; a server that trickles bytes would hold it for ever.
        threading.Thread(target=fetch, daemon=True).start()
        if not done.wait(self.timeout_s):
            self.problem = f"no answer within {self.timeout_s:.0f} s"
            return None
        if not answers:
            return None
        self.problem = "its answer is not a valid time stamp"  # unless signing now succeeds
        return answers[0]
