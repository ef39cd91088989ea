"""The web server of a review of labels: one page and its data, on 127.0.0.1, at an address with a random token.

The server rejects these requests, because other web pages could send them:

- a Host other than its own: another page may let its own name resolve to this machine (DNS rebinding)
- an Origin other than its own, or a body that is no JSON: another page can send these without the user
- a path that does not begin with the token of this start
- a body of more than `LARGEST_BODY` bytes

It serves no files: requests name clips and labels by numbers.
"""

import hmac
import json
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from xval.base.errors import SettingsError, XvalError
from xval.base.operating_system import refusal
from xval.base.terminal import visible
from xval.extras.label_review.session import Review
from xval.report.rendering import content_policy, make_environment, render_page

LARGEST_BODY = 4096
"""The largest body of a request that is read, in bytes."""

_HOST = "127.0.0.1"
_SECONDS_TO_SEND = 10.0
_LONGEST_NUMBER = 10  # digits
_TEMPLATES = Path(__file__).with_name("templates")
_SCRIPT = _TEMPLATES / "review.js"
_POLICY = content_policy(_SCRIPT, "connect-src 'self'", "base-uri 'none'", "form-action 'none'")
_HEADERS = {
    "Content-Security-Policy": f"{_POLICY}; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ReviewServer(ThreadingHTTPServer):
    """The server of a review, which runs from `serve_forever` to `shutdown`.

    Args:
        review: The review to serve.
        port: A free port, 0 to 65535; 0 chooses one.

    Raises:
        SettingsError: The port is taken, or not allowed.
    """

    daemon_threads = True

    def __init__(self, review: Review, port: int = 0) -> None:
        self.review, self.token = review, secrets.token_urlsafe(32)
        try:
            super().__init__((_HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = refusal(error) if isinstance(error, OSError) else "expected a number from 0 to 65535"
            raise SettingsError(f"--port {port}: {reason}. Give another port, or none to use a free one.") from error
        self.hosts = {f"{name}:{self.server_port}" for name in (_HOST, "localhost")}

    @property
    def address(self) -> str:
        """The address of the page, with its token."""
        return f"http://{_HOST}:{self.server_port}/{self.token}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a closed connection; print any other error, which is a fault of this program."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """Handles the requests of the page of a review."""

    server: ReviewServer
    server_version, sys_version = "xval", ""
    timeout = _SECONDS_TO_SEND

    def do_GET(self) -> None:
        """Send the page, the state of the review, or a suspicious clip."""
        path = self._checked_path()
        if path is None:
            return
        page, _, number = path.partition("/")
        if path == "":
            text = render_page(
                make_environment(_TEMPLATES), "review.html", script=_SCRIPT, policy=_POLICY, title=self.server.review.title
            )
            self._send(HTTPStatus.OK, "text/html", text)
        elif path == "state":
            self._send_json(self.server.review.state)
        elif page == "suspect" and number.isascii() and number.isdecimal() and len(number) < _LONGEST_NUMBER:
            self._send_json(lambda: self.server.review.show(int(number)))
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Store a verdict, or undo one, and send the state of the review."""
        path = self._checked_path()
        if path is None or (body := self._body()) is None:
            return
        review = self.server.review
        match path, body:
            case "undo", {"number": int() | None as number, **rest} if not rest and _are_numbers(number):
                self._send_json(lambda: review.undo(number))
            case "verdict", {"number": int(number), "verdict": str(verdict), "label": int() | None as label, **rest} if (
                not rest and _are_numbers(number, label)
            ):
                self._send_json(lambda: review.judge(number, verdict, label))
            case (("undo" | "verdict"), _):
                self.send_error(HTTPStatus.BAD_REQUEST)
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _checked_path(self) -> str | None:
        """Return the part of the path behind the token; None if the request was rejected."""
        origin = self.headers.get("Origin")
        hosts = self.server.hosts
        if self.headers.get_all("Host", []) not in [[host] for host in hosts]:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif origin is not None and origin not in {f"http://{host}" for host in hosts}:
            self.send_error(HTTPStatus.FORBIDDEN)
        else:
            token, slash, path = self.path.removeprefix("/").partition("/")
            if hmac.compare_digest(token.encode(errors="replace"), self.server.token.encode()) and slash:
                return path
            self.send_error(HTTPStatus.NOT_FOUND)
        return None

    def _body(self) -> Any:
        """Return the JSON of the body; None if the request was rejected."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Content-Type") != "application/json":
            self.send_error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        elif not (length.isascii() and length.isdecimal()) or "Transfer-Encoding" in self.headers:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif len(length) > _LONGEST_NUMBER or int(length) > LARGEST_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            try:
                content = json.loads(self.rfile.read(int(length)))
            except (ValueError, RecursionError):
                content = None
            if isinstance(content, dict):
                return content
            self.send_error(HTTPStatus.BAD_REQUEST)
        return None

    def _send_json(self, make: Any) -> None:
        try:
            code, content = HTTPStatus.OK, make()
        except (XvalError, OSError) as error:
            code, content = HTTPStatus.CONFLICT, {"error": visible(str(error))}
        self._send(code, "application/json", json.dumps(content))

    def _send(self, code: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(code)
        for name, value in {**_HEADERS, "Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Reject a request with a status code; the response repeats nothing of the request."""
        del message, explain
        self.close_connection = True
        self._send(code, "text/plain", f"{int(code)} {HTTPStatus(code).phrase}\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class calls it
        """Print nothing, because lines of a log would contain the token."""


def _are_numbers(*values: int | None) -> bool:
    """Return whether no value is a boolean, which Python treats as 1 or 0."""
    return not any(isinstance(value, bool) for value in values)
