"""The system with the smallest model and a scripted endpoint, a browser, and a visitor who leaves no complaint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from claimcheck.commands.up.addresses import HOST
from claimcheck.commands.up.provision import provision
from claimcheck.web.access import key_hash
from tests.browser.site import Site, finished
from tests.browser.visitor import Visitor
from tests.conftest import RunSystem
from tests.stack.components import MODELS, ROOT, missing, model
from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint, variables
from tests.stack.names import NameStock
from tests.stack.ports import free_port
from tests.stack.proxy import Proxy
from tests.stack.services import Services
from tests.stack.system import System

MODEL = "tiny.en"
LIMIT_BYTES = 1024 * 1024
ANSWER_S = 30
KEY = "cc_9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TENANT = "acme"
PLAIN_HOST = "plain.example"  # by its name no secure context, as a machine in an office would be
ARGS = [
    "--no-sandbox",  # CI runs as root, where the sandbox does not
    "--disable-dev-shm-usage",  # containers have 64 MB there
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--no-first-run",
    f"--host-resolver-rules=MAP {PLAIN_HOST} {HOST}",
]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium as the system installs it; Playwright's own build is not needed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing("there is no Chromium for the tests of the page; install it: apt-get install -y chromium")
    expect.set_options(timeout=ANSWER_S * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def endpoint(run_endpoint: RunEndpoint) -> Iterator[ScriptedEndpoint]:
    """The model of the site's language tasks; who gives it rules takes them away again."""
    with run_endpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="package")
def site(
    services: Services, name_stock: NameStock, endpoint: ScriptedEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """One system for all tests of the page; who stops a program of it starts it again."""
    model(MODEL)
    names = name_stock.take()
    settings = services.settings(names)
    finished(provision(settings))
    own = {
        **variables(endpoint.endpoint_settings("scripted", capabilities=["chat", "vision", "json"])),
        "PYTHONPATH": str(ROOT / "tests" / "plugin"),
        "CLAIMCHECK_SPEECH__MODELS_DIR": str(MODELS),
        "CLAIMCHECK_SPEECH__MODEL": MODEL,
        "CLAIMCHECK_WEB__MAX_UPLOAD_BYTES": str(LIMIT_BYTES),
    }
    folder, env = tmp_path_factory.mktemp("site"), {**services.variables(names), **own}
    system = System(folder, env, workers=1, language_workers=1)
    proxy_port = free_port()
    origins = [system.process_url, f"http://{HOST}:{proxy_port}", f"http://{PLAIN_HOST}:{proxy_port}"]
    for program in system.programs.values():
        program.variables["CLAIMCHECK_WEB__ORIGINS"] = json.dumps(origins)
    try:
        system.start()
        yield Site(system, services, settings, limit_bytes=LIMIT_BYTES, proxy_port=proxy_port)
    finally:
        system.close()


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    """Another way to the page and the process API, on which connections break."""
    with Proxy(site.proxy_port, to=urlsplit(site.url).port or 0) as proxy:
        yield proxy


@pytest.fixture(scope="package")
def locked_site(run_system: RunSystem, services: Services, name_stock: NameStock) -> Iterator[Site]:
    """An installation that answers only those with a key; nobody works there."""
    names = name_stock.take()
    env = {"CLAIMCHECK_WEB__KEYS": json.dumps({key_hash(KEY): TENANT})}
    with run_system(workers=0, env=env, names=names) as system:
        yield Site(system, services, services.settings(names), tenant=TENANT)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without a past."""
    context = browser.new_context(locale="en-GB", timezone_id="UTC")
    yield context
    context.close()


@contextmanager
def visiting(context: BrowserContext, site: Site) -> Iterator[Visitor]:
    """A visitor; afterwards no console error is left, and nobody but the two APIs was asked.

    A test that breaks something on purpose clears `visitor.complaints` once it has seen what it wants to see.
    """
    visitor = Visitor(context.new_page(), site)
    yield visitor
    assert visitor.complaints == []
    assert visitor.strangers() == []


@pytest.fixture
def visitor(context: BrowserContext, site: Site) -> Iterator[Visitor]:
    """A visitor of the site."""
    with visiting(context, site) as visitor:
        yield visitor


@pytest.fixture
def stranger(context: BrowserContext, locked_site: Site) -> Iterator[Visitor]:
    """A visitor of the installation with keys, who has given none yet."""
    with visiting(context, locked_site) as visitor:
        yield visitor
