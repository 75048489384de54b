"""Looks through a page with axe-core, which knows more that may be wrong than the tests of this project think of."""

from importlib.resources import files

from tests.integration.pages.browser import TIMEOUT_SECONDS, Browser

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
RUN = """
const done = arguments[arguments.length - 1];
axe.run().then(done, (error) => done({ error: String(error) }));
"""
MEASURED_BY_US = "color-contrast"  # where it cannot tell, it asks a person to look: our own test of contrasts does


def findings(browser: Browser) -> list[str]:
    """Return what is wrong with the page as it is shown now, and what a person would have to look at."""
    browser.run(AXE)
    browser.driver.set_script_timeout(TIMEOUT_SECONDS)
    told = browser.driver.execute_async_script(RUN)
    assert len(told.get("passes", ())) > 10, told.get("error")
    doubtful = [rule for rule in told["incomplete"] if rule["id"] != MEASURED_BY_US]
    return [
        f"{rule['id']}: {node['html']} {node['failureSummary']}"
        for rule in told["violations"] + doubtful
        for node in rule["nodes"]
    ]
