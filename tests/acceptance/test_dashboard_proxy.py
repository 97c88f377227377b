"""Who may see what, from the reader's browser through a real nginx to the dashboard: the example in deploy/, run."""

from __future__ import annotations

import base64
import http.client
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browsing import BIG, Served, Watched, free_port

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
HOST = "evals.localhost"  # a name that every browser finds on this machine
#: Where the proxy comes from, as the dashboard sees it; a reader on this machine comes from 127.0.0.1.
PROXY = "127.0.0.2"
RULES = f"""by = "proxy"
user_header = "X-Forwarded-User"
proxies = ["{PROXY}"]

[roles]
viewer = ["vic"]
analyst = ["bob"]
operator = ["ann"]
"""
WHOLE = f"""daemon off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    proxy_bind {PROXY};
    include site.conf;
}}
"""


EXPORT = "/api/export?format=csv&query=SELECT%20run%20FROM%20analytics.runs"


Person = Callable[[str, str], Page]


@dataclass(frozen=True)
class Proxied:
    """A dashboard behind nginx: the address readers use, and the one they should not."""

    url: str
    behind: Served

    def ask(self, path: str, user: str | None, **headers: str) -> tuple[int, str]:
        """Ask by plain HTTP through the proxy."""
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{user}".encode()).decode()
        return asked(self.url, path, headers)


def asked(url: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Status and text of an answer; the name in the address is said, and not looked up."""
    parts = urllib.parse.urlsplit(url)
    wire = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=30)
    wire.request("GET", path, headers={"Host": parts.netloc} | headers)
    answer = wire.getresponse()
    status, text = answer.status, "" if answer.status == 101 else answer.read().decode()
    wire.close()
    return status, text


def site(folder: Path, port: int, behind: str) -> None:
    """The example of deploy/ with this machine's ports, and a password for everybody: their own name."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for said, here in (
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("evals.example.org", HOST),
        ("/etc/nginx/passatk.htpasswd", str(folder / "htpasswd")),
        ("http://127.0.0.1:8501", behind),
    ):
        assert said in text
        text = text.replace(f" {said}" if said == "evals.example.org" else said, f" {here}" if said[0] == "e" else here)
    (folder / "site.conf").write_text(text, encoding="utf-8")
    # Started by root its workers would be somebody else, who may not read this folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + WHOLE, encoding="utf-8")
    (folder / "htpasswd").write_text("".join(f"{one}:{{PLAIN}}{one}\n" for one in ("ann", "bob", "vic", "eve")))
    folder.chmod(0o755)


@pytest.fixture(scope="module")
def proxied(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    if not Path(NGINX).exists():
        pytest.skip("nginx is not installed: readers behind a proxy are NOT tested")
    home, folder = tmp_path_factory.mktemp("behind"), tmp_path_factory.mktemp("nginx")
    rules = home / "access.toml"
    rules.write_text(RULES, encoding="utf-8")
    behind = Served(
        f"http://127.0.0.1:{free_port()}",
        home,
        served.environment
        | {"PASSATK_HOME": str(home), "PASSATK_MIRROR": str(served.home / "mirror"), "PASSATK_ACCESS": str(rules)},
    )
    port = free_port()
    behind.passatk("dashboard", "start", "--port", behind.url.rsplit(":", 1)[1], "--allow-host", HOST)
    site(folder, port, behind.url)
    nginx = subprocess.Popen([NGINX, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"], stderr=subprocess.PIPE)
    try:
        await_port(port, nginx)
        yield Proxied(f"http://{HOST}:{port}", behind)
    finally:
        nginx.terminate()
        nginx.communicate(timeout=30)
        behind.passatk("dashboard", "stop")


def await_port(port: int, nginx: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert nginx.poll() is None, nginx.communicate()[1].decode()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx did not listen within 30 s")


@pytest.fixture
def person(browser: Browser, proxied: Proxied) -> Iterator[Person]:
    """Opens a page as somebody who knows their password; nothing may fail in the console or be asked of others."""
    opened: list[Watched] = []

    def open_page(name: str, path: str) -> Page:
        context = browser.new_context(http_credentials={"username": name, "password": name}, reduced_motion="reduce")
        seen = Watched(context.new_page())
        seen.listen(urllib.parse.urlsplit(proxied.url).netloc)
        opened.append(seen)
        seen.go(f"{proxied.url}/{path}")
        return seen.page

    yield open_page
    for seen in opened:
        seen.page.context.close()
        seen.clean()
    assert "Traceback" not in proxied.behind.log


def test_an_operator_may_do_everything(person: Person) -> None:
    page = person("ann", "workers")
    expect(page.get_by_role("button", name="Pause …")).to_be_visible(timeout=30_000)


def test_an_analyst_asks_sql_and_sees_the_command_instead_of_the_action(person: Person) -> None:
    page = person("bob", "sql")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("rows in")).to_be_visible(timeout=30_000)
    page = person("bob", "workers")
    expect(page.get_by_text("For operators, on the command line:")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Pause …")).to_have_count(0)


def test_a_viewer_reads_pages_and_asks_no_sql(person: Person) -> None:
    page = person("vic", f"coverage?run={BIG}")
    expect(page.locator("g.mark-line path").first).to_be_attached(timeout=30_000)
    page = person("vic", "sql")
    expect(page.get_by_role("button", name="Run", exact=True)).to_have_count(0)
    expect(page.get_by_test_id("stMain")).to_contain_text("analyst")


def test_somebody_without_a_role_sees_no_number(person: Person) -> None:
    page = person("eve", f"coverage?run={BIG}")
    expect(page.get_by_text("eve has no role here")).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(0)
    assert BIG not in page.get_by_test_id("stMain").inner_text()


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("eve", 403), ("vic", 403), ("bob", 200), ("ann", 200)])
def test_an_export_asks_for_an_analyst(proxied: Proxied, user: str | None, status: int) -> None:
    found, text = proxied.ask(EXPORT, user)
    assert found == status
    assert (BIG in text) == (status == 200)


def test_a_download_is_for_the_reader_and_the_browser_that_asked(person: Person, proxied: Proxied) -> None:
    page = person("bob", "sql")
    page.get_by_role("button", name="Run", exact=True).click()
    link = page.get_by_role("link", name="Download CSV")
    expect(link).to_be_visible(timeout=30_000)
    path = link.get_attribute("href")
    assert path
    own = {"Cookie": "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies(proxied.url))}
    assert proxied.ask(path, "bob", **own)[0] == 200
    assert proxied.ask(path, "bob")[0] == 403  # the same person, elsewhere
    for user, status in (("ann", 403), ("vic", 403), ("eve", 403), (None, 401)):
        assert proxied.ask(path, user, **own)[0] == status  # whoever has the link and even the cookie


def test_a_name_that_a_browser_claims_is_replaced_by_the_one_the_proxy_knows(proxied: Proxied) -> None:
    assert proxied.ask(EXPORT, "vic", **{"X-Forwarded-User": "ann"})[0] == 403


HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def test_nobody_comes_past_the_proxy(proxied: Proxied) -> None:
    """The address behind it answers those who only ask whether it is up, and nobody else, whatever name they claim."""
    behind, claim = proxied.behind.url, {"X-Forwarded-User": "ann"}
    assert asked(behind, "/", claim)[0] == 403
    assert asked(behind, "/api/export?query=SELECT+1", claim)[0] == 403
    assert asked(behind, "/_stcore/stream", claim | HANDSHAKE)[0] == 403
    assert asked(behind, "/_stcore/health", {})[0] == 200
    assert asked(behind, "/api/ready", {})[0] == 200
    assert "answers" in proxied.behind.passatk("dashboard", "status")


@pytest.mark.parametrize(("host", "status"), [(None, 101), ("rebound.example", 4)])
def test_a_foreign_name_gets_no_websocket_through_the_proxy(proxied: Proxied, host: str | None, status: int) -> None:
    found, _ = proxied.ask("/_stcore/stream", "ann", **HANDSHAKE, **({"Host": host} if host else {}))
    assert found == status or found // 100 == status


def test_the_headers_name_the_one_host_a_page_may_talk_to(proxied: Proxied) -> None:
    parts = urllib.parse.urlsplit(proxied.url)
    wire = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=30)
    wire.request("GET", "/", headers={"Host": parts.netloc, "Authorization": "Basic YW5uOmFubg=="})
    policy = wire.getresponse().headers["content-security-policy"]
    wire.close()
    assert f"connect-src 'self' ws://{parts.netloc} wss://{parts.netloc};" in policy
    assert "unsafe-eval" not in policy
