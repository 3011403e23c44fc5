"""Deciding about what a result leaves to people."""

import time

from playwright.sync_api import expect

from world import Pages, world

DECISIONS = 45
DECISIONS_A_MINUTE_MIN = 40


class Review(Pages):
    def desk(self, page, path="/matches"):
        self.job = world.site.to_review()
        page.goto(self.p(f"/reconciliations/{self.job}/review{path}"))

    def number(self, page):
        return page.locator(".case-head .quiet-text").first.inner_text()

    def test_by_keyboard_alone(self):
        page = self.logged_in()
        self.desk(page)
        began, decided = time.monotonic(), 0
        while decided < DECISIONS:
            before = self.number(page)
            page.keyboard.press("r" if decided % 5 == 4 else "a")
            expect(page.locator(".case-head .quiet-text").first).not_to_have_text(before)
            decided += 1
        rate = decided * 60 / (time.monotonic() - began)
        print(f"decisions by keyboard: {rate:.0f} a minute, n {decided}")
        self.assertGreaterEqual(rate, DECISIONS_A_MINUTE_MIN)
        found = world.site.review(self.job, "/matches?state=accepted&limit=500")["items"]
        self.assertEqual(len(found), DECISIONS - DECISIONS // 5)

        before = self.number(page)
        page.keyboard.press("u")
        expect(page.locator(".said-done")).to_contain_text("undone")
        self.assertEqual(len(world.site.review(self.job, "/decisions?limit=500")["items"]), DECISIONS + 1)
        page.keyboard.press("j")
        page.keyboard.press("k")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Reject the suggestion")
        page.keyboard.press("Escape")

        # An exception is written off with its reason, and another one looked for on the other side.
        page.goto(self.p(f"/reconciliations/{self.job}/review/exceptions"))
        before = self.number(page)
        page.keyboard.press("x")
        page.keyboard.type("Fee")
        page.keyboard.press("Enter")
        expect(page.locator(".said-done")).to_contain_text("written off")
        self.assertNotEqual(before, self.number(page))
        page.keyboard.press("c")
        page.keyboard.type("asked the bank")
        page.keyboard.press("Enter")
        expect(page.locator(".history")).to_contain_text("asked the bank")
        page.keyboard.press("m")
        expect(page.get_by_role("button", name="Match the chosen")).to_be_visible()
        self.assertEqual(self.troubles, [])

    def test_without_javascript(self):
        page = self.logged_in(java_script_enabled=False)
        self.desk(page)
        before = self.number(page)
        page.locator(".verdicts").get_by_role("button", name="Accept").click()
        expect(page.locator(".said-done")).to_contain_text("was accepted")
        self.assertNotEqual(before, self.number(page))
        page.locator(".verdicts").get_by_role("button", name="Reject").click()
        expect(page.locator(".said-done")).to_contain_text("was rejected")
        page.locator(".said-done").get_by_role("button", name="Undo").click()
        expect(page.locator(".said-done")).to_contain_text("undone")
        page.locator(".lines a").nth(3).click()
        page.goto(self.p(f"/reconciliations/{self.job}/review/exceptions"))
        expect(page.get_by_role("heading", name="Proof after review")).to_contain_text("closes")

    def test_find_and_match_many(self):
        page = self.logged_in()
        self.desk(page, "/exceptions")
        # Rejected: both sides are open again, of one amount.
        first = world.site.review(self.job, "/matches?tier=suggested&limit=1")["items"][0]
        world.site.post(f"/api/reconciliation/jobs/{self.job}/review/decisions", {"action": "reject", "match": first["number"]})
        released = world.site.review(self.job, "/exceptions?kind=released")["items"]
        left = next(item for item in released if item["exception"]["side"] == "left")
        right = next(item for item in released if item["exception"]["side"] == "right")
        page.goto(self.p(f"/reconciliations/{self.job}/review/exceptions?at={left['number']}"))
        page.keyboard.press("m")
        expect(page.locator("[data-sum=left]")).not_to_have_text("0")
        # What is looked for replaces the list, and what is chosen stays.
        page.get_by_label("Text in id").fill(right["exception"]["record"]["id"].lower())
        page.get_by_label("Text in id").press("Enter")
        expect(page.locator("input[name=right]")).to_have_count(1)
        expect(page.locator(f"input[name=left][value='{left['number']}']")).to_be_checked()
        page.locator(f"input[name=right][value='{right['number']}']").check()
        expect(page.locator("[data-sum=difference]")).to_have_text("0.00")
        page.get_by_label("Order").select_option("day")
        page.wait_for_url("**order=day**")
        expect(page.locator("[data-sum=difference]")).to_have_text("0.00")
        page.get_by_label("Comment").fill("found by hand")
        with page.expect_navigation():
            page.get_by_label("Comment").press("Enter")
        page.goto(self.p(f"/reconciliations/{self.job}/review/by-hand"))
        page.get_by_role("button", name="Take apart").click()
        expect(page.locator("main").get_by_text("Taken apart").last).to_be_visible()
        self.assertEqual(self.troubles, [])

    def test_all_that_fit(self):
        page = self.logged_in()
        self.desk(page)
        page.get_by_role("link", name="All that fit").click()
        page.get_by_label("What to do").select_option("accept")
        page.get_by_role("button", name="Decide about").click()
        expect(page.locator(".said-done")).to_contain_text("were accepted")
        page.locator(".said-done").get_by_role("button", name="Undo").click()
        expect(page.locator(".said-done")).to_contain_text("undone")
        self.assertEqual(self.troubles, [])
