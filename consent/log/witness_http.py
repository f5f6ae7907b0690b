"""The witness protocol over HTTP (c2sp.org/tlog-witness), with the standard library alone.

The server speaks plain HTTP on this machine; a public one belongs behind a web server that does
TLS and limits. The client is for the log's operator and asks one address that he names.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from consent.errors import InputError, RefusedError, StorageError, VivavoceError
from consent.log.cosignature import merge
from consent.log.log import Log
from consent.log.note import parse_signatures
from consent.log.witness import Conflict, Witness, status_of

_MAX_REQUEST = 64 << 10
_MAX_ANSWER = 64 << 10
_TIMEOUT = 20.0
_TRIES = 3


def serve(witness: Witness, host: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    """Return a server that answers for `witness`, listening; call ``serve_forever`` on it.

    Parameters
    ----------
    witness
        Who cosigns.
    host
        Address to listen on; this machine's own by default.
    port
        0 takes any free one (``server.server_address``).

    Raises
    ------
    StorageError
        The address cannot be listened on.
    """

    class Handler(_Handler):
        pass

    Handler.witness = witness
    try:
        return ThreadingHTTPServer((host, port), Handler)
    except OSError as exc:
        raise StorageError(
            f"cannot listen on {host}:{port}: {exc.strerror or exc}", hint="Choose another --port."
        ) from exc


def ask(log: Log, url: str, *, old: int = 0) -> str:
    """Ask a witness for cosignatures of a log's present checkpoint; return the cosigned note.

    Parameters
    ----------
    log
        The log; its witness policy decides whose signatures are taken (:meth:`Log.attach`).
    url
        The witness's submission prefix; ``/add-checkpoint`` is added.
    old
        Size the witness saw last; if it is another, the witness says so and is asked again.

    Raises
    ------
    InputError
        It is not an http(s) address.
    RefusedError
        The witness refuses; the message holds its words.
    StorageError
        It cannot be reached.
    """
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise InputError(f"{url[:200]!r} is not the address of a witness (https://...)")
    address = url.rstrip("/") + "/add-checkpoint"
    for _ in range(_TRIES):
        extension = log.extension(old)
        status, kind, answer = _post(address, extension.text)
        if status == 200:
            lines = parse_signatures(answer)
            return merge(extension.checkpoint, lines)
        if status != 409 or kind != "text/x.tlog.size":
            break
        if not re.fullmatch(r"(0|[1-9][0-9]{0,18})\n", answer):
            break
        old = int(answer)
    raise RefusedError(
        f"the witness at {url} refused ({status}): {answer.strip()[:500] or 'no reason given'}",
        hint="404: it does not watch this log yet. 409, 422: it has seen another history of it.",
    )


def _post(address: str, body: str) -> tuple[int, str, str]:
    request = urllib.request.Request(address, body.encode(), {"Content-Type": "text/plain"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            return answer.status, answer.headers.get_content_type(), _text(answer.read(_MAX_ANSWER))
    except urllib.error.HTTPError as exc:
        return exc.code, exc.headers.get_content_type(), _text(exc.read(_MAX_ANSWER))
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        raise StorageError(
            f"the witness at {address} cannot be reached: {reason}", hint="Try again later."
        ) from exc


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


class _Handler(BaseHTTPRequestHandler):
    witness: Witness
    protocol_version = "HTTP/1.1"
    server_version = "vivavoce-witness"
    sys_version = ""
    timeout = _TIMEOUT

    def do_POST(self) -> None:
        """Answer ``add-checkpoint``."""
        if not self.path.endswith("/add-checkpoint"):
            self._answer(404, "there is nothing here but add-checkpoint\n")
            return
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > _MAX_REQUEST:
            self.close_connection = True
            self._answer(400, f"a Content-Length of at most {_MAX_REQUEST} bytes is needed\n")
            return
        try:
            request = self.rfile.read(int(length)).decode()
            self._answer(200, self.witness.add_checkpoint(request))
        except UnicodeDecodeError:
            self._answer(400, "the request is not UTF-8 text\n")
        except Conflict as exc:
            self._answer(409, f"{exc.size}\n", "text/x.tlog.size")
        except VivavoceError as exc:
            status = status_of(exc)
            # What went wrong in here is for the operator, not for strangers.
            self._answer(status, f"{exc.message}\n" if status < 500 else "internal error\n")
            if status >= 500:
                self.log_error("%s", exc.message)

    def do_GET(self) -> None:
        """Say whose witness this is."""
        if self.path.rstrip("/") == "":
            self._answer(200, f"{self.witness.verifier.vkey}\n")
        else:
            self._answer(404, "there is nothing here\n")

    def _answer(self, status: int, body: str, kind: str = "text/plain; charset=utf-8") -> None:
        data = body.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
