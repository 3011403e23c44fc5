"""Backups: taken, looked at, verified, and something brought back."""

from playwright.sync_api import expect

from world import Pages, world


class Backups(Pages):
    def taken(self):
        """A full backup that is there."""
        return world.site.backup()

    def test_a_backup_is_taken_looked_at_and_protected(self):
        page = self.logged_in()
        page.goto("/system/backups")
        page.get_by_role("link", name="Back up", exact=True).click()
        self.assertFalse(page.get_by_text("Which projects").is_visible())
        page.get_by_text("Projects", exact=True).click()
        expect(page.get_by_text("Which projects")).to_be_visible()
        page.get_by_text("Whole database").click()
        page.get_by_label("When").fill("2001-01-01T08:00")
        page.get_by_label("Why").fill("browser test")
        page.get_by_role("button", name="Back up").click()
        expect(page.get_by_role("heading", name="What happened")).to_be_visible()
        world.site.job_finished(page.url.rsplit("/", 1)[1])
        page.goto("/system/backups")
        row = page.locator("section", has=page.get_by_role("heading", name="Newest backups")).locator(
            "tr", has_text="browser test").first
        expect(row).to_contain_text("There")
        row.get_by_role("link").first.click()
        expect(page.get_by_role("heading", name="Tables")).to_be_visible()
        page.get_by_role("button", name="Protect it").click()
        expect(page.locator(".head")).to_contain_text("Protected")
        page.get_by_role("button", name="Let the rules decide again").click()
        expect(page.get_by_role("button", name="Protect it")).to_be_visible()
        page.get_by_role("button", name="Verify now").click()
        world.site.job_finished(page.url.rsplit("/", 1)[1])
        page.go_back()
        page.reload()
        expect(page.locator(".facts")).to_contain_text("it can be restored")
        self.assertEqual(self.troubles, [])

    def test_what_retention_would_keep(self):
        self.taken()
        page = self.logged_in()
        page.goto("/system/backups/retention")
        expect(page.get_by_role("heading", name="Would be kept")).to_be_visible()
        page.get_by_label("Everything of so many days").fill("none")
        page.get_by_role("button", name="Show the plan").click()
        expect(page.get_by_role("alert")).to_contain_text("days")
        page.get_by_label("Everything of so many days").fill("1")
        page.get_by_role("button", name="Show the plan").click()
        expect(page.locator("main")).to_contain_text("last good one of its kind")

    def lost(self):
        """A backup, and the id of a reconciliation that was deleted after it."""
        job = world.site.finished(world.site.submit("to be lost"))["id"]
        backup = self.taken()
        world.site.ask("DELETE", f"/api/reconciliation/jobs/{job}")
        return backup, job

    def restore(self, page):
        backup, job = self.lost()
        page.goto(f"/system/restores/new?backup={backup}")
        page.get_by_label("All that the backup holds").check()
        page.get_by_role("button", name="Plan it").click()
        expect(page.get_by_role("heading", name="How the backup and the live rows differ")).to_be_visible(timeout=120_000)
        expect(page.locator("main")).to_contain_text("reconciliations")
        name = page.locator("label code").inner_text()
        page.get_by_label("Type the name of the database").fill("something else")
        page.get_by_role("button", name="Restore", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("is not the name of the database")
        page.get_by_label("Type the name of the database").fill(name)
        page.get_by_role("button", name="Restore", exact=True).click()
        expect(page.locator(".head")).to_contain_text("Succeeded", timeout=120_000)
        self.assertEqual(world.site.get(f"/api/reconciliation/jobs/{job}")["name"], "to be lost")

    def test_lost_rows_come_back(self):
        page = self.logged_in()
        self.restore(page)
        # The name that was wrong on purpose is the one answer that browsers report.
        self.assertEqual([trouble for trouble in self.troubles if "422" not in trouble], [])

    def test_lost_rows_come_back_without_javascript(self):
        self.restore(self.logged_in(java_script_enabled=False))

    def test_a_drill_proves_a_backup(self):
        backup = self.taken()
        page = self.logged_in()
        page.goto(f"/system/restores/new?backup={backup}&mode=drill")
        self.assertFalse(page.get_by_text("Rows that are live and differ").is_visible())
        page.get_by_role("button", name="Plan it").click()
        expect(page.get_by_role("heading", name="What would be done")).to_be_visible(timeout=120_000)
        page.get_by_role("button", name="Begin the drill").click()
        expect(page.get_by_role("heading", name="What was proved")).to_be_visible(timeout=120_000)
        expect(page.locator("main")).to_contain_text("rows and digests")
        page.goto("/system/backups")
        expect(page.locator("tr", has_text="Whole database").first).not_to_contain_text("never")
        self.assertEqual(self.troubles, [])
