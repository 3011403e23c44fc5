"""What the tests of pages share: the running site, the browser, and a page that is logged in."""

import os
import unittest

from playwright.sync_api import sync_playwright

from site_of_tests import Site


class World:
    """One site and one browser for all tests."""

    def start(self):
        self.site = Site()
        self.playwright = sync_playwright().start()
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        self.browser = self.playwright.chromium.launch(
            executable_path=os.environ["COUNTERFOIL_CHROMIUM"], args=sandbox)

    def stop(self):
        for name, end in (("browser", "close"), ("playwright", "stop"), ("site", "stop")):
            if hasattr(self, name):
                getattr(getattr(self, name), end)()


world = World()


class Pages(unittest.TestCase):
    def context(self, **options):
        options = {"base_url": world.site.url, "viewport": {"width": 1280, "height": 900}, "locale": "en-GB",
                   "timezone_id": "Europe/Berlin", **options}
        context = world.browser.new_context(**options)
        context.set_default_timeout(20_000)
        self.addCleanup(context.close)
        return context

    def logged_in(self, token=None, **options):
        """A page of the administrator, or of whoever has the token."""
        context = self.context(**options)
        context.add_cookies([{"name": "counterfoil", "value": token or world.site.token, "url": world.site.url,
                              "httpOnly": True, "sameSite": "Strict"}])
        page = context.new_page()
        self.troubles = []
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: message.type == "error" and self.troubles.append(message.text))
        return page

    def p(self, path=""):
        return f"/p/{world.site.project}{path}"
