"""What somebody is told, and how; webhooks with a receiver that is there."""

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import expect

from world import Pages, world

# The notifier, the worker and the page each look in their own time.
PATIENCE_MS = 60_000


class Receiver:
    """Takes webhooks on the loopback address, and answers what it is told to."""

    def __init__(self):
        self.requests, self.status = [], 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append((dict(self.headers.items()), body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Notifications(Pages):
    def test_the_inbox_and_its_count(self):
        # The administrator is also told how the jobs of other tests went, at any time.
        page = self.logged_in(world.site.newcomer())
        page.goto("/notifications")
        page.get_by_role("button", name="Send me a test").click()
        expect(page.get_by_role("status")).to_contain_text("on its way")
        # The head counts by itself, without the page being loaded anew.
        expect(page.locator("#unread .count")).to_be_visible(timeout=PATIENCE_MS)
        page.locator("#unread").click()
        line = page.locator(".inbox li").first
        expect(line).to_contain_text("A test of your notifications")
        line.get_by_role("button", name="Mark as read").click()
        expect(page.locator("#unread .count")).to_have_count(0)
        page.locator(".inbox li").first.get_by_role("button", name="Mark as unread").click()
        page.locator(".tabs").get_by_role("link", name="Unread").click()
        page.get_by_role("button", name="Mark all as read").click()
        page.locator(".tabs").get_by_role("link", name="Unread").click()
        expect(page.get_by_text("Everything is read.")).to_be_visible()
        self.assertEqual(self.troubles, [])

    def test_choosing_without_javascript(self):
        page = self.logged_in(java_script_enabled=False)
        page.goto("/notifications/settings")
        page.get_by_label("A reconciliation has finished, by email").select_option("daily")
        page.get_by_label("Quiet from").fill("22:00")
        page.get_by_label("Clock of").fill("Nowhere/Land")
        page.get_by_role("button", name="Store it").click()
        expect(page.get_by_role("alert")).to_contain_text("time_zone")
        expect(page.get_by_label("A reconciliation has finished, by email")).to_have_value("daily")
        page.get_by_label("Clock of").fill("Europe/Berlin")
        page.get_by_label("to", exact=True).fill("07:00")
        page.get_by_role("button", name="Store it").click()
        expect(page.get_by_role("status")).to_contain_text("stored")
        stored = world.site.get("/api/notifications/settings")
        self.assertEqual((stored["quiet_hours"], stored["time_zone"]), ({"from": "22:00", "to": "07:00"}, "Europe/Berlin"))
        chosen = [(c["event"], c["channel"], c["mode"]) for c in stored["choices"] if not c["is_default"]]
        self.assertEqual(chosen, [("reconciliation.finished", "email", "daily")])

    def test_a_webhook_from_its_secret_to_its_deliveries(self):
        receiver = Receiver()
        self.addCleanup(receiver.stop)
        page = self.logged_in()
        page.goto(self.p("/webhooks"))
        page.get_by_label("Address").fill("nothing")
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_label("What it is").fill("browser test")
        page.get_by_label("job.dead").check()
        page.get_by_role("button", name="Add a webhook").click()
        secret = page.locator("#made").inner_text()
        page.locator("table").get_by_role("link", name=receiver.url).click()
        self.send_a_test(page)
        self.until_listed(page, "Sent")
        headers, body = receiver.requests[0]
        headers = {name.lower(): value for name, value in headers.items()}
        signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        self.assertEqual(headers["webhook-signature"], f"v1,{expected}")
        self.assertEqual(json.loads(body)["type"], "notification.test")
        page.get_by_role("button", name="Send notification.test again").click()
        expect(page.get_by_role("status")).to_contain_text("One delivery is sent again")
        self.until_listed(page, "Sent", 2, receiver)
        # Gone: it is switched off, until somebody switches it on again.
        receiver.status = 410
        self.send_a_test(page)
        self.until_listed(page, "Failed")
        expect(page.locator("main")).to_contain_text("Switched off since")
        page.get_by_role("button", name="Switch it on").click()
        expect(page.locator(".head")).to_contain_text("On")
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="New secret").click()
        self.assertNotEqual(page.locator("#made").inner_text(), secret)
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_role("heading", name="Webhooks", level=1)).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_role("link", name=receiver.url)).to_have_count(0)
        self.assertEqual(self.troubles, [])

    def send_a_test(self, page):
        page.get_by_role("button", name="Send a test").click()
        # Who goes elsewhere before the answer takes the request back.
        expect(page.get_by_role("status")).to_contain_text("A test is on its way")

    def until_listed(self, page, state, requests=0, receiver=None):
        """The log is a page like others: it is loaded until it says so."""
        for _ in range(PATIENCE_MS // 500):
            page.goto(page.url.split("?")[0])
            has_come = receiver is None or len(receiver.requests) >= requests
            if has_come and page.locator("tbody tr", has_text=state).count():
                return
            page.wait_for_timeout(500)
        self.fail(f"no delivery is {state}: {page.locator('main').inner_text()}")
