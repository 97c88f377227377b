"""Who may see what by an OpenID Connect login: its protocol in a real browser, tokens rightly and wrongly signed."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from itsdangerous import URLSafeTimedSerializer
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.acceptance.browsing import BIG, Served, Watched, free_port
from tests.acceptance.fake_provider import CLIENT, FAULTS, SECRET, FakeProvider

COOKIE_SECRET = "a cookie secret of the tests, long enough"
USER = "_streamlit_user"
ANN, BOB, BEA, VIC, EVE, MAL = (f"{name}@example.org" for name in ("ann", "bob", "bea", "vic", "eve", "mal"))
READERS = {
    ANN: {},
    BOB: {"groups": ["research", "others"]},
    BEA: {"groups": "research"},
    VIC: {},
    EVE: {},
    MAL: {"email": ANN, "email_verified": False},  # says that ann's address is theirs; the provider has not asked
}
RULES = f"""by = "oidc"
secrets = "secrets.toml"
login_hours = 2

[roles]
viewer = ["{VIC}"]
analyst = ["group:research"]
operator = ["{ANN}"]
"""


@dataclass
class Login:
    """A dashboard that asks who its readers are, and the provider it asks."""

    provider: FakeProvider
    served: Served
    opened: list[Watched] = field(default_factory=list)


@pytest.fixture(scope="module")
def asking(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    home, url = tmp_path_factory.mktemp("asking"), f"http://127.0.0.1:{free_port()}"
    with FakeProvider(READERS) as provider:
        said = {
            "redirect_uri": f"{url}/oauth2callback",
            "cookie_secret": COOKIE_SECRET,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "server_metadata_url": f"{provider.url}/.well-known/openid-configuration",
        }
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in said.items())
        (home / "secrets.toml").write_text(f"[auth]\n{lines}\n", encoding="utf-8")
        (home / "access.toml").write_text(RULES, encoding="utf-8")
        own = {
            "PASSATK_HOME": str(home),
            "PASSATK_MIRROR": str(served.home / "mirror"),
            "PASSATK_ACCESS": str(home / "access.toml"),
            "NO_PROXY": "127.0.0.1",
        }
        behind = Served(url, home, served.environment | own)
        behind.passatk("dashboard", "start", "--port", url.rsplit(":", 1)[1])
        yield Login(provider, behind)
        behind.passatk("dashboard", "stop")


@pytest.fixture
def opened(browser: Browser, asking: Login) -> Iterator[Callable[[str], Watched]]:
    """Opens a page in a new browser profile. It may talk to the dashboard, and be led to the provider and back."""
    contexts: list[BrowserContext] = []
    seen: list[Watched] = []
    asking.provider.fault = None

    def open_page(path: str) -> Watched:
        contexts.append(browser.new_context(reduced_motion="reduce"))
        page = contexts[-1].new_page()
        watched = Watched(page)
        watched.listen(urllib.parse.urlsplit(asking.served.url).netloc)
        seen.append(watched)
        watched.go(f"{asking.served.url}/{path}")
        return watched

    yield open_page
    for context in contexts:
        context.close()
    for watched in seen:
        led = [urllib.parse.urlsplit(one) for one in watched.outside]
        assert {one.netloc for one in led} <= {asking.provider.host}
        assert {one.path for one in led} <= {"/authorize", "/end", "/favicon.ico"}
        assert [one for one in watched.errors if "favicon" not in one] == []


Opened = Callable[[str], Watched]


def log_in(watched: Watched, name: str) -> Page:
    """Through the provider's page and back."""
    page = watched.page
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name=name).click()
    expect(page.get_by_test_id("stHeading").first).to_be_visible(timeout=30_000)
    watched.idle()
    return page


def sees_nothing(page: Page) -> None:
    expect(page.get_by_role("button", name="Log in")).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(0)
    assert BIG not in page.get_by_test_id("stMain").inner_text()


def cookies(page: Page, url: str) -> dict[str, str]:
    return {one["name"]: one["value"] for one in page.context.cookies(url)}


def status(page: Page, address: str) -> int:
    """What the browser's own cookies get under an address."""
    return page.context.request.get(address).status


def export(asking: Login) -> str:
    return f"{asking.served.url}/api/export?format=csv&query=SELECT+run+FROM+analytics.runs"


def test_nobody_sees_a_number_before_they_say_who_they_are(opened: Opened, asking: Login) -> None:
    page = opened(f"coverage?run={BIG}").page
    sees_nothing(page)
    assert status(page, export(asking)) == 403


def test_an_operator_logs_in_acts_and_logs_out(opened: Opened, asking: Login) -> None:
    watched = opened("workers")
    page = log_in(watched, ANN)
    expect(page.get_by_role("button", name="Pause …")).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile("ann@.?example.org · operator"))).to_be_visible()
    assert status(page, export(asking)) == 200
    page.get_by_role("button", name="Log out").click()
    sees_nothing(page)
    assert USER not in cookies(page, asking.served.url)
    assert asking.provider.ended[-1].count(".") == 2  # the provider was told, with the token it had given
    assert status(page, export(asking)) == 403
    watched.go(f"{asking.served.url}/coverage?run={BIG}")
    sees_nothing(page)


def test_a_login_leads_back_to_the_page_that_was_asked_for(opened: Opened, asking: Login) -> None:
    watched = opened(f"coverage?run={BIG}&k=10&band=off")
    page = log_in(watched, VIC)
    assert page.url == f"{asking.served.url}/coverage?run={BIG}&k=10&band=off"
    watched.chart()
    assert watched.card(f"{BIG} at k = 10").endswith("%")


def test_a_viewer_reads_pages_and_asks_no_sql(opened: Opened, asking: Login) -> None:
    watched = opened("sql")
    page = log_in(watched, VIC)
    expect(page.get_by_test_id("stMain")).to_contain_text("analyst", timeout=30_000)
    expect(page.get_by_role("button", name="Run", exact=True)).to_have_count(0)
    assert status(page, export(asking)) == 403


@pytest.mark.parametrize("name", [EVE, MAL])
def test_somebody_without_a_role_sees_no_number_and_may_leave(opened: Opened, name: str) -> None:
    watched = opened(f"coverage?run={BIG}")
    page = log_in(watched, name)
    expect(page.get_by_text("has no role here")).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(0)
    page.get_by_role("button", name="Log out").click()
    sees_nothing(page)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_token_logs_nobody_in(opened: Opened, asking: Login, fault: str) -> None:
    asking.provider.fault = fault
    page = log_in(opened(f"coverage?run={BIG}"), ANN)
    sees_nothing(page)
    assert USER not in cookies(page, asking.served.url)


def cookie(asking: Login, secret: str, **changed: object) -> str:
    """A login of the operator as Streamlit writes it, with another secret or other claims."""
    claims = {"email": ANN, "sub": ANN, "iat": int(time.time()), "is_logged_in": True, "provider": "default"}
    whole = claims | {"origin": asking.served.url} | changed
    return URLSafeTimedSerializer(secret, salt=USER).dumps(json.dumps(whole))


@pytest.mark.parametrize(
    ("secret", "changed", "let_in"),
    [
        (COOKIE_SECRET, {}, True),
        ("some other secret that is long enough", {}, False),
        (COOKIE_SECRET, {"iat": time.time() - 2 * 3600 - 60}, False),
        (COOKIE_SECRET, {"iat": None}, False),
        (COOKIE_SECRET, {"origin": "http://elsewhere.example"}, False),
    ],
    ids=["right", "signed by another secret", "too old", "without its time", "of another dashboard"],
)
def test_a_forged_or_expired_cookie_is_refused(
    opened: Opened, asking: Login, secret: str, changed: dict[str, object], let_in: bool
) -> None:
    watched = opened("health")
    value = cookie(asking, secret, **changed)
    watched.page.context.add_cookies([{"name": USER, "value": value, "url": asking.served.url}])
    watched.go(f"{asking.served.url}/coverage?run={BIG}")
    if let_in:
        watched.chart()
    else:
        sees_nothing(watched.page)
    assert status(watched.page, export(asking)) == (200 if let_in else 403)


def test_a_tampered_cookie_is_refused(opened: Opened, asking: Login) -> None:
    watched = opened("health")
    page = log_in(watched, VIC)
    payload, *rest = cookies(page, asking.served.url)[USER].rsplit(".", 2)
    forged = cookie(asking, "any secret", email=ANN).rsplit(".", 2)[0]
    assert forged != payload
    page.context.add_cookies([{"name": USER, "value": ".".join([forged, *rest]), "url": asking.served.url}])
    watched.go(f"{asking.served.url}/workers")
    sees_nothing(page)


def asked_for(watched: Watched) -> str:
    """Run a query and give the address under which its whole answer is downloaded."""
    page = watched.page
    page.get_by_role("button", name="Run", exact=True).click()
    link = page.get_by_role("link", name="Download CSV")
    expect(link).to_be_visible(timeout=30_000)
    watched.idle()
    return urllib.parse.urljoin(page.url, link.get_attribute("href"))


def test_a_download_is_for_the_reader_and_the_browser_that_asked(opened: Opened, asking: Login) -> None:
    bobs, beas, other = opened("sql"), opened("sql"), opened("sql")
    page = log_in(bobs, BOB)
    ticket = asked_for(bobs)
    assert status(page, ticket) == 200
    assert status(log_in(beas, BEA), ticket) == 403  # an analyst too, but not the one who asked
    assert status(log_in(other, BOB), ticket) == 403  # the same person, elsewhere
    assert status(opened("health").page, ticket) == 403
    page.get_by_role("button", name="Log out").click()
    sees_nothing(page)
    assert status(page, ticket) == 403


def test_a_role_that_is_taken_away_is_gone_at_once(opened: Opened, asking: Login) -> None:
    rules = Path(asking.served.environment["PASSATK_ACCESS"])
    watched = opened("sql")
    page = log_in(watched, BOB)
    ticket = asked_for(watched)
    rules.write_text(RULES.replace('"group:research"', ""), encoding="utf-8")
    try:
        assert status(page, ticket) == 403
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_text("has no role here")).to_be_visible(timeout=30_000)
    finally:
        rules.write_text(RULES, encoding="utf-8")


def test_a_file_of_a_page_asks_for_a_role(opened: Opened, asking: Login) -> None:
    watched = opened(f"coverage?run={BIG}")
    page = log_in(watched, VIC)
    watched.chart()
    page.get_by_text("Table and export", exact=True).first.click()
    button = page.get_by_role("button", name=re.compile("^CSV")).first
    with page.expect_download() as saved:
        button.click()
    assert "/media/" in saved.value.url
    assert status(page, saved.value.url) == 200
    assert status(opened("health").page, saved.value.url) == 403
