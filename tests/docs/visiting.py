"""A visit of the built site in a real browser, with the network off.

``LOSSLIB_SITE`` is the directory of the built pages, ``CHROMIUM`` the browser where it is not on the path.
"""

from __future__ import annotations

import gzip
import http.server
import io
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

__all__ = ["FLAGS", "SITE", "Handler", "Visit"]

SITE = Path(os.environ.get("LOSSLIB_SITE", Path(__file__).parents[2] / "docs" / "_build" / "html"))
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the site, compressed as every web server does, without a word."""

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def send_head(self) -> Any:
        path = Path(self.translate_path(self.path))
        if path.suffix not in (".html", ".css", ".js", ".svg", ".json") or not path.is_file():
            return super().send_head()
        body = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)


class Visit:
    """A page with everything that went wrong on it, and the bytes that it took."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.address = address
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.bytes = 0
        self.context = browser.new_context(**options)
        self.context.route("**/*", self._route)
        self.context.set_default_timeout(60_000)  # a busy machine is no defect of the page
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfinished", self._count)

    def _route(self, route: Any) -> None:
        url = route.request.url
        if url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.strangers.append(url)
            route.abort()

    def _count(self, request: Any) -> None:
        response = request.response()
        if response is not None and urlsplit(request.url).scheme == "http":
            self.bytes += int(response.headers.get("content-length", 0))

    def open(self, path: str, theme: str = "light") -> Page:
        self.page.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')")
        response = self.page.goto(f"{self.address}/{path}", wait_until="networkidle")
        assert response is not None
        assert response.ok, f"{path}: {response.status}"
        return self.page
