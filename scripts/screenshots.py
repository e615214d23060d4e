"""Pictures of every page, light and dark, wide and narrow: `make screenshots`, into screenshots/.

Starts Postcall with its sample workspace in a folder of its own, follows every link as its owner, and ends it.
Of each page there are two at most: of the sample workspace, and of one where nothing has happened yet.
With --readme it takes the four of the README instead, into docs/images/.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import django
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "postcall.settings")
django.setup()

from tests.dashboard.site import pages  # noqa: E402  # it needs Django set up

OUT = Path("screenshots")
README = Path("docs/images")
EMAIL, PASSWORD = "owner@northgate.example", "pictures of every page"
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}
SCHEMES = ("light", "dark")
PATIENCE_S = 180


def main() -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("screenshots: no Chromium found: install it first (Debian: apt install chromium)")
    out = README if "--readme" in sys.argv else OUT
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        server = start(Path(folder), port)
        try:
            wait_for(f"{url}/readyz", server)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            (take_four if out == README else take_all)(browser, url)
            browser.close()
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "POSTCALL_DATA_DIR": str(folder / "data"),
        "POSTCALL_PORT": str(port),
        "POSTCALL_ADMIN_EMAIL": EMAIL,
        "POSTCALL_ADMIN_PASSWORD": PASSWORD,
    }
    environment.pop("DATABASE_URL", None)
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "postcall", "up", "--sample"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(address, timeout=2) as answer:  # noqa: S310  # our own server's
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.5)
    sys.exit("screenshots: Postcall did not start")


def signed_in(browser: Browser, url: str) -> BrowserContext:
    """Of the owner, once the sample calls are through."""
    context = browser.new_context(base_url=url, reduced_motion="reduce")
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto("/workspaces")
    page.get_by_role("main").get_by_role("link", name="Sample").click()
    settle(page)
    return context


def take_four(browser: Browser, url: str) -> None:
    context = signed_in(browser, url)
    page = context.pages[0]
    page.set_viewport_size({"width": 1280, "height": 800})

    def take(name: str) -> None:
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(500)
        page.screenshot(path=README / f"{name}.png")

    page.goto("/calls")
    take("calls")
    page.goto("/calls?message_status=delivered")
    page.locator("a.row-link").first.click()
    take("call")
    page.goto("/actions")
    page.get_by_role("link", name="Appointment confirmation").click()
    take("editor")
    page.goto("/agents")
    page.get_by_role("link", name="Front desk").click()
    page.get_by_role("link", name="Actions", exact=True).last.click()
    page.get_by_role("link", name="Edit").first.click()
    take("mapping")
    print(f"4 pictures in {README}/")


def take_all(browser: Browser, url: str) -> None:
    context = signed_in(browser, url)
    page = context.pages[0]
    page.goto("/")
    state = context.storage_state()
    found = pages(lambda path: read(context, path), page.url.removeprefix(url).partition("?")[0], most=2)
    context.close()
    for scheme in SCHEMES:
        for size, viewport in SIZES.items():
            with_look = browser.new_context(
                base_url=url, storage_state=state, color_scheme=scheme, viewport=viewport, reduced_motion="reduce"
            )
            picture(with_look, found, f"{scheme}-{size}")
            with_look.close()
    print(f"{len(list(OUT.glob('*.png')))} pictures of {len(found)} pages in {OUT}/")


def settle(page: Page) -> None:
    """Until the sample calls are through."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        page.goto("/calls")
        if page.get_by_text("being decided").count() == 0 and page.locator("tbody tr").count() > 10:
            break
        page.wait_for_timeout(1000)


def read(context: BrowserContext, path: str) -> str | None:
    answer = context.request.get(path, max_redirects=0)
    is_page = answer.status == 200 and "text/html" in answer.headers.get("content-type", "")
    return answer.text() if is_page else None


def picture(context: BrowserContext, found: dict[str, list[str]], look: str) -> None:
    page = context.new_page()
    for name, paths in found.items():
        for number, path in enumerate(paths):
            page.goto(path)
            page.wait_for_timeout(150)
            page.screenshot(path=OUT / f"{name}{f'-{number + 1}' if number else ''}-{look}.png", full_page=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
