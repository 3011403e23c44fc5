"""From two files to a result, by mouse and by keyboard, live."""

import statistics
import threading
import time
import unittest
from pathlib import Path

from playwright.sync_api import expect

from site_of_tests import ROOT
from world import Pages, world

EXAMPLES = ROOT.parent / "shared/data/lerian_examples"
DATA = EXAMPLES / "context-02-bank-statement-vs-ledger/data"
# No rule, preset or test of matching was made with these two.
UNSEEN = EXAMPLES / "context-03-marketplace-payouts/data"
CLICKS_MAX = 8
# For a loaded machine and a debug build; what it takes is printed.
TO_SCREEN_P95_MS_MAX = 1000
CHANGES = 40


class Flow(Pages):
    def reconcile(self, page, left=DATA / "bank-statement.csv", right=DATA / "midaz-ledger-export.json"):
        """Two files nobody has described, to a result. Gives the clicks it took, file choices included."""
        clicks = 0
        page.goto(self.p())
        page.locator("main").get_by_role("link", name="Reconcile files").click()
        clicks += 1
        for side, file in (("left", left), ("right", right)):
            page.locator(f"input[type=file][name={side}]").set_input_files(file)
            clicks += 1
        page.get_by_role("button", name="Upload and look at the columns").click()
        clicks += 1
        expect(page.get_by_role("heading", name="What the columns mean")).to_be_visible()
        self.assertEqual(page.locator(".notice.bad").count(), 0)
        page.get_by_role("button", name="Use these columns").click()
        clicks += 1
        expect(page.get_by_role("heading", name="How to compare")).to_be_visible()
        page.get_by_role("button", name="Reconcile", exact=True).click()
        clicks += 1
        expect(page.get_by_role("heading", name="Balance proof", exact=True)).to_be_visible(timeout=60_000)
        expect(page.get_by_text("The proof closes.")).to_be_visible()
        return clicks

    def look_around(self, page):
        page.get_by_role("link", name="Matches", exact=False).first.click()
        first = page.locator(".matches > li").first
        first.locator("summary").first.click()
        expect(first.get_by_text("Why: the score by field")).to_be_visible()
        page.locator(".tabs a").nth(2).click()
        expect(page.locator(".tabs [aria-current]")).to_contain_text("Exceptions")

    @unittest.skipUnless(DATA.is_dir(), f"{DATA} is not there")
    def test_two_unknown_files_with_javascript(self):
        page = self.logged_in()
        clicks = self.reconcile(page)
        print(f"two unknown files to a result: {clicks} clicks")
        self.assertLessEqual(clicks, CLICKS_MAX)
        self.look_around(page)
        self.assertEqual(self.troubles, [])

    def reviewed(self, page, left, right):
        """Further, until somebody has decided about what the result suggests. Gives the clicks of all."""
        clicks = self.reconcile(page, UNSEEN / left, UNSEEN / right)
        together = page.locator("#left").get_by_role("link", name="All suggested at once")
        if not together.count():
            # Nothing is left to decide but what has no counterpart.
            page.locator("#left").get_by_role("link", name="Review").click()
            expect(page.locator(".case-head")).to_be_visible()
            return clicks + 1
        together.click()
        clicks += 1
        page.get_by_role("button", name="Decide about").click()
        clicks += 1
        expect(page.locator(".said-done")).to_contain_text("accepted")
        expect(page.get_by_role("heading", name="Proof after review")).to_contain_text("closes")
        return clicks

    @unittest.skipUnless(UNSEEN.is_dir(), f"{UNSEEN} is not there")
    def test_files_nobody_developed_with_to_a_reviewed_result(self):
        for javascript in (True, False):
            for left, right in (("orders.csv", "gateway-transactions.json"), ("gateway-transactions.json", "refunds.csv")):
                with self.subTest(left=left, right=right, javascript=javascript):
                    page = self.logged_in(java_script_enabled=javascript)
                    clicks = self.reviewed(page, left, right)
                    print(f"{left} and {right} to a reviewed result: {clicks} clicks")
                    self.assertLessEqual(clicks, CLICKS_MAX)
                    self.assertEqual(self.troubles, [])

    @unittest.skipUnless(DATA.is_dir(), f"{DATA} is not there")
    def test_two_unknown_files_without_javascript(self):
        page = self.logged_in(java_script_enabled=False)
        self.reconcile(page)
        self.look_around(page)
        page.locator(".menu.end summary", has_text="Export").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Everything, Excel").click()
        self.assertGreater(Path(download.value.path()).stat().st_size, 10_000)

    def test_logging_in_and_out(self):
        page = self.context().new_page()
        page.goto(self.p("/jobs"))
        page.get_by_label("E-mail address").fill(world.site.email)
        page.get_by_label("Password").fill(world.site.password)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
        page.locator(".menu.end summary").click()
        page.get_by_role("button", name="Dark").click()
        self.assertEqual(page.locator("html").get_attribute("data-theme"), "dark")
        page.locator(".menu.end summary").click()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()

    def test_own_rules_are_checked_and_built(self):
        page = self.logged_in()
        right, left = world.site.sources()[:2]
        page.goto(self.p(f"/reconcile/rules?left={left}&right={right}"))
        page.get_by_text("Add a common pass to them").click()
        page.get_by_label("Records belong together by").select_option("amount")
        page.get_by_role("button", name="Add the pass and try it").click()
        expect(page.get_by_label("Rule set (TOML)")).to_have_value(
            'version = 1\n\n[[pass]]\nname = "amount and date"\ndate = { window_days = 5 }\n')
        expect(page.locator("aside .figures")).to_be_visible()
        page.get_by_label("Rule set (TOML)").fill("version = 1\n[[pass]\n")
        page.get_by_role("button", name="Check and try on a sample").click()
        expect(page.get_by_role("alert")).to_contain_text("line 2")

    def test_jobs_schedules_and_queues(self):
        page = self.logged_in()
        schedule = world.site.schedule()
        page.goto(self.p(f"/schedules/{schedule}"))
        self.assertEqual(page.locator("ol.plain li").count(), 5)
        page.get_by_role("button", name="Run now").click()
        expect(page.get_by_role("heading", name="What happened")).to_be_visible()
        page.goto(self.p("/schedules"))
        page.get_by_role("button", name="Pause").first.click()
        expect(page.locator("main").get_by_text("Paused", exact=True)).to_be_visible()
        page.goto("/system/queues")
        page.get_by_label("Why reconciliation is paused").fill("browser test")
        page.locator("tr", has_text="Reconciliation").get_by_role("button", name="Pause").click()
        expect(page.get_by_text("browser test")).to_be_visible()
        page.locator("tr", has_text="Reconciliation").get_by_role("button", name="Resume").click()
        expect(page.get_by_text("browser test")).to_have_count(0)
        self.assertEqual(self.troubles, [])


class Keyboard(Pages):
    def test_help_palette_and_lists(self):
        for name in ("keys one", "keys two"):
            world.site.finished(world.site.submit(name))
        page = self.logged_in()
        page.goto(self.p("/reconciliations"))
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("j")
        self.assertEqual(page.evaluate("document.activeElement.closest('[data-item]').rowIndex"), 2)
        page.keyboard.press("k")
        self.assertEqual(page.evaluate("document.activeElement.closest('[data-item]').rowIndex"), 1)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Balance proof", exact=True)).to_be_visible()
        page.keyboard.press("Control+k")
        expect(page.get_by_role("dialog", name="Go to")).to_be_visible()
        page.keyboard.type("exceptions")
        page.keyboard.press("Enter")
        page.wait_for_url("**/exceptions")
        self.assertEqual(self.troubles, [])


class Ending:
    """Watches a job by the API, for when its end could be seen first.

    Not `finished_at`: that is when the transaction began that writes the results and the end together."""

    def __init__(self, job):
        self.job, self.not_before_ms, self.asking_ms = job, None, None
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while True:
            asked_at_ms = time.time() * 1000
            ended = world.site.get(f"/api/reconciliation/jobs/{self.job}")["finished_at"]
            # The end came at some moment between the last two questions: the first of them is what counts.
            self.asking_ms = time.time() * 1000 - asked_at_ms
            if ended:
                return
            self.not_before_ms = asked_at_ms

    def seen_ms(self):
        self.thread.join(60)
        return self.not_before_ms


# When the last event of a stream came, and when the page showed it; how often this test looks must not count.
NOTE_TIMES = """
document.addEventListener('counterfoil:shown', () => { window.shownAt = performance.timeOrigin + performance.now(); });
window.EventSource = class extends EventSource {
  constructor(address) {
    super(address);
    this.addEventListener('end', () => { window.toldAt = performance.timeOrigin + performance.now(); });
    this.addEventListener('again', () => { window.again = true; });
  }
};
"""


def figures(times):
    return f"median {statistics.median(times):.0f} ms, p95 {sorted(times)[int(len(times) * 0.95)]:.0f} ms"


class Live(Pages):
    def test_a_change_is_soon_on_the_screen(self):
        page = self.logged_in()
        page.add_init_script(NOTE_TIMES)
        times, told, put, asking = [], [], [], []
        self.addCleanup(world.site.post, "/api/queues/reconciliation/resume")
        for i in range(CHANGES):
            # It must not end before somebody looks, or the time is that of loading a page.
            world.site.post("/api/queues/reconciliation/pause", {"reason": "browser test"})
            job = world.site.submit(f"live {i}")
            with page.expect_response("**/events"):
                page.goto(self.p(f"/reconciliations/{job}"))
            ending = Ending(job)
            world.site.post("/api/queues/reconciliation/resume")
            page.get_by_role("heading", name="Balance proof", exact=True).wait_for()
            ended_at = ending.seen_ms()
            shown_at, told_at = page.evaluate("[window.shownAt, window.toldAt]")
            times.append(shown_at - ended_at)
            told.append(told_at - ended_at)
            put.append(shown_at - told_at)
            asking.append(ending.asking_ms)
        print(f"state change to screen: {figures(times)}, at most, n {len(times)}")
        print(f"  of that: told with the page after {figures(told)}; put on the screen in {figures(put)}; "
              f"a question of this test takes {figures(asking)} and may come that much before the change")
        self.assertLess(sorted(times)[int(len(times) * 0.95)], TO_SCREEN_P95_MS_MAX)
        self.assertEqual(self.troubles, [])

    def test_counters_live(self):
        page = self.logged_in()
        page.goto(self.p("/jobs"))
        completed = page.locator("#counts a", has_text="Completed").locator(".num")
        before = completed.inner_text()
        world.site.finished(world.site.submit("counted"))
        expect(completed).not_to_have_text(before)
        self.assertEqual(self.troubles, [])
