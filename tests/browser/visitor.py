"""A person at the page: what they do, and what their browser noticed meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Route, expect

from tests.browser.site import Site

ENDS_S = 60  # tiny.en on one shared core needs a few seconds; its first job also loads the model
AHEAD = timedelta(minutes=1)  # A clock cannot be stopped at a time that has passed by then.


class Visitor:
    """One page in a browser of its own. `complaints` are console errors, `requests` what was asked of whom.

    `home` is where the page comes from; a test may set another way to the same system.
    """

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site, self.home = page, site, site.url
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self._has_clock = False
        page.on("request", lambda request: self.requests.append(request))  # it marks its handlers, so no builtin
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def open(self, job_id: str | None = None) -> None:
        """Open the page, or a job's ticket in it, and wait until it is drawn."""
        self.page.goto(f"{self.home}/" + (f"#job={job_id}" if job_id else ""))
        expect(self.page.locator("#ticket" if job_id else "#hand-in")).to_be_visible()

    def does_not_wait(self) -> None:
        """From now on something between page and status API drops the wish to wait, as old proxies do."""

        def drop(route: Route) -> None:
            route.continue_(headers={name: value for name, value in route.request.headers.items() if name != "prefer"})

        self.page.route(f"{self.site.system.status_url}/**", drop)

    def stop_the_clock(self) -> None:
        """From now on nothing passes by itself: the page stays as it is until something comes, or the clock goes on."""
        if not self._has_clock:
            self.page.clock.install()
            self._has_clock = True
        now_ms = float(self.page.evaluate("Date.now()"))
        self.page.clock.pause_at(datetime.fromtimestamp(now_ms / 1000, UTC) + AHEAD)

    def turn_to(self, task: str) -> None:
        """Choose a task by the name that the form gives it."""
        self.page.get_by_role("radio", name=task).click()

    def type_in(self, text: str) -> None:
        """Type what the task works on."""
        self.page.locator("#text").fill(text)

    def choose(self, path: Path) -> None:
        """Choose a file in the form."""
        self.page.set_input_files("#file", path)

    def hand_in(self, path: Path) -> str:
        """Choose a file, send it, and return the id on the ticket."""
        self.choose(path)
        return self.send()

    def send(self) -> str:
        """Send what is in the form, and return the id on the ticket."""
        self.page.get_by_role("button", name="Hand it in").click()
        self.page.wait_for_url("**/#job=*")
        return self.ticket_number

    @property
    def ticket_number(self) -> str:
        """The job id in the address."""
        return self.page.url.partition("#job=")[2]

    @property
    def stamp(self) -> Locator:
        """Where the ticket shows the status."""
        return self.page.locator("#stamp")

    @property
    def connection(self) -> Locator:
        """Where the ticket says that the status cannot be asked."""
        return self.page.locator("#connection")

    @property
    def segments(self) -> Locator:
        """The transcript's rows."""
        return self.page.locator("#segments li")

    @property
    def answer(self) -> Locator:
        """What a model answered."""
        return self.page.locator("#answer-text")

    def fact(self, name: str) -> Locator:
        """One of the small facts below an answer."""
        return self.page.locator("#usage div", has=self.page.get_by_text(name, exact=True)).locator("dd")

    def sees(self, stamp: str) -> None:
        """Wait until the ticket has this stamp."""
        expect(self.stamp).to_have_text(stamp, timeout=ENDS_S * 1000)

    def sees_problem(self, title: str, detail: str, *, at: str = "#problem") -> None:
        """Wait until a problem is shown whose detail contains `detail`."""
        expect(self.page.locator(f"{at} h2")).to_have_text(title, timeout=ENDS_S * 1000)
        expect(self.page.locator(f"{at} p")).to_contain_text(detail)

    def number(self, selector: str, name: str) -> float:
        """A number that an element has now; the page's policy forbids Playwright to wait for one by itself."""
        return float(self.page.locator(selector).evaluate("(element, name) => element[name]", name))

    def polls(self) -> list[Request]:
        """Every question about a job so far."""
        self.page.evaluate("null")  # the browser's news arrive only during a call
        return [request for request in self.requests if request.url.startswith(self.site.system.status_url)]

    def asked_last_to_wait(self) -> bool:
        """Whether the latest question about a job asked the API to hold its answer back."""
        return any("prefer" in poll.headers for poll in self.polls()[-1:])

    def strangers(self) -> list[str]:
        """What was asked of anyone but the two APIs; the player's own file is nobody's."""
        ours = (self.home, self.site.system.status_url, "blob:")
        return [request.url for request in self.requests if not request.url.startswith(ours)]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)
