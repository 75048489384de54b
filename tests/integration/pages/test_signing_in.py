"""Who may see the pages, and where the key is kept."""

import httpx

from tests.integration.pages.browser import Browser
from tests.integration.pages.conftest import sign_in
from tests.service import Service


def test_an_unknown_key_is_refused_with_the_sentence_of_the_service(browser: Browser, service: Service) -> None:
    browser.driver.get(service.url)
    browser.fill("#key", "rq_nobody")
    browser.press("Sign in")
    browser.wait_for_text("#key-problem", "not known")
    assert browser.run("return document.activeElement.id") == "key"
    assert browser.run("return sessionStorage.length") == 0


def test_what_cannot_be_a_key_is_not_even_sent(browser: Browser, service: Service) -> None:
    browser.driver.get(service.url)
    browser.fill("#key", "clé secrète")
    browser.press("Sign in")
    browser.wait_for_text("#key-problem", "Paste an API key")


def test_the_key_is_kept_for_the_tab_alone_until_signing_out(browser: Browser, service: Service) -> None:
    sign_in(browser, service.url, service.key)
    browser.driver.refresh()
    browser.one("#spec option")
    assert browser.run("return [localStorage.length, document.cookie]") == [0, ""]
    assert service.key not in browser.driver.current_url
    browser.press("Sign out")
    browser.one("#key")
    assert browser.run("return sessionStorage.length") == 0


def test_the_key_outlives_a_service_that_is_away_for_a_while(browser: Browser, service: Service) -> None:
    sign_in(browser, service.url, service.key)
    browser.command("Network.enable")
    browser.command("Network.setBlockedURLs", urls=["*/v0.7/*"])
    browser.driver.refresh()
    browser.wait_for_text("#key-problem", "cannot be reached")
    browser.command("Network.setBlockedURLs", urls=[])
    browser.driver.refresh()
    browser.one("#spec option")
    assert all("ERR_BLOCKED_BY_CLIENT" in complaint for complaint in browser.console())


def test_the_page_can_reach_no_other_host(browser: Browser, service: Service) -> None:
    sign_in(browser, service.url, service.key)
    attempts = {
        "fetch": "await fetch('http://localhost:1/').then(() => 'reached', () => 'refused')",
        "image": "await new Promise((end) => { const image = new Image(); image.onload = () => end('reached'); "
        "image.onerror = () => end('refused'); image.src = 'http://localhost:1/' })",
        "inline": "(() => { const script = document.createElement('script'); "
        "try { script.textContent = 'window.ran = 1' } catch {} document.head.append(script); "
        "return window.ran ? 'reached' : 'refused' })()",
        "html": "(() => { try { document.body.innerHTML = '<b>x</b>' } catch { return 'refused' } })()",
    }
    for name, attempt in attempts.items():
        script = f"const end = arguments[0]; (async () => end({attempt}))()"
        assert browser.driver.execute_async_script(script) == "refused", name
    assert browser.console()  # the refusals are in it, and this empties the browser's part
    browser.run("window.uncaught = []")


def test_pages_are_sent_without_a_key_and_with_a_strict_policy(service: Service) -> None:
    for path in ("/", "/upload", "/ops"):
        page = httpx.get(service.url + path)
        assert page.status_code == 200
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http:" not in policy
