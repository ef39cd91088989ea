"""The server of a review rejects other names of this machine, requests of other pages, and large bodies."""

import http.client
import json
import re
import socket

import pytest

from xval.base.errors import SettingsError
from xval.extras.label_review.server import LARGEST_BODY, ReviewServer

JSON = {"Content-Type": "application/json"}


class Client:
    def __init__(self, server):
        self.port, self.token, self.own = server.server_port, server.token, f"127.0.0.1:{server.server_port}"

    def ask(self, place, body=None, *, path=None, method=None, **headers):
        """Send a request, and return status, headers and text of the response; a header that is None is not sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Host": self.own} | (JSON if body is not None else {})
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method or ("GET" if body is None else "POST"), path or f"/{self.token}/{place}", skip_host=True)
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        for name, value in ({"Content-Length": str(len(content))} | sent).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(content)
        response = connection.getresponse()
        return response.status, dict(response.headers), response.read().decode()


@pytest.fixture
def client(shared_server):
    yield Client(shared_server)
    assert shared_server.review.verdicts() == []


def test_the_page_may_load_nothing_and_be_framed_nowhere(client):
    status, headers, text = client.ask("")

    assert status == 200
    policy = headers["Content-Security-Policy"]
    for rule in ("default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
        assert rule in policy
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert not [name for name in headers if name.startswith("Access-Control")]
    assert "Python" not in headers["Server"]
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", text)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Host": None}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("body", [None, {"number": 0, "verdict": "right", "label": None}])
def test_another_name_of_this_machine_or_another_page_is_refused(client, headers, status, body):
    assert client.ask("state" if body is None else "verdict", body, **headers)[0] == status


@pytest.mark.parametrize("origin", ["127.0.0.1", "localhost"])
def test_its_own_page_is_not(client, origin):
    own = f"{origin}:{client.port}"
    assert client.ask("undo", {"number": None}, Host=own, Origin=f"http://{own}")[0] == 200


def test_requests_without_the_token_are_rejected(client):
    for path in ("/", "/state", "//state", f"/{client.token}", f"/{client.token[:-1]}/state", f"/{client.token}x/state"):
        status, _, text = client.ask("", path=path)
        assert status == 404, path
        assert client.token not in text
    assert client.ask("", path=f"http://{client.own}/{client.token}/state")[0] == 404


@pytest.mark.parametrize(
    "place",
    ["../state", "suspect/../../etc/passwd", "suspect/..%2f..%2fetc%2fpasswd", "suspect/-1", "suspect/1e3", "suspect/",
     "page.css", "suspect/%D9%A3", "state/", "state?x=1", "suspect/99999999999999999999"],
)  # fmt: skip
def test_there_are_no_files_and_no_other_pages(client, place):
    status, _, text = client.ask("", path=f"/{client.token}/{place}")
    assert status == 404
    assert "root:" not in text


def test_a_number_without_a_suspect_is_reported(client):
    status, _, text = client.ask("suspect/999999")
    assert (status, "expected a number from 0" in json.loads(text)["error"]) == (409, True)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * (LARGEST_BODY + 1), {}, 413),
        (b"{}", {"Content-Length": "9" * 30}, 413),
        (b"{}", {"Content-Length": "-1"}, 411),
        (b"{}", {"Content-Length": None}, 411),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"[" * 4000, {}, 400),
        (b"\xff", {}, 400),
        (b"[]", {}, 400),
        (b"{}", {}, 400),
        ({"number": "0", "verdict": "right", "label": None}, {}, 400),
        ({"number": 0, "verdict": "right", "label": None, "path": "/etc/passwd"}, {}, 400),
        ({"number": 0, "verdict": "right", "label": "low"}, {}, 400),
        ({"number": 0, "verdict": "nonsense", "label": None}, {}, 409),
    ],
)
def test_what_is_no_verdict_is_refused_and_writes_nothing(client, body, headers, status):
    assert client.ask("verdict", body, **headers)[0] == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_other_methods_are_not_there(client, method):
    status, headers, _ = client.ask("state", method=method)
    assert status == 501
    assert "Content-Security-Policy" in headers


def test_a_request_that_is_none_is_refused_without_an_echo(client):
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
        connection.sendall(b"GET <script>alert(1)</script> HTTP/x\r\n\r\n")
        response = connection.makefile("rb").read().decode()

    assert "400" in response
    assert "<script>" not in response


def test_a_taken_port_is_reported(client, shared_server):
    with pytest.raises(SettingsError, match=f"--port {client.port}: Address already in use"):
        ReviewServer(shared_server.review, client.port)
    with pytest.raises(SettingsError, match="from 0 to 65535"):
        ReviewServer(shared_server.review, 70000)


def test_each_start_has_another_token(shared_server, serve):
    first, second = shared_server, serve(shared_server.review)
    assert first.token != second.token
    assert len(first.token) >= 43  # 256 bits
    assert first.server_address[0] == "127.0.0.1"
