"""Accounts, members, keys, schedules."""

import time

from playwright.sync_api import expect

from world import Pages, world



class Account(Pages):
    def test_second_factor_by_a_person(self):
        page = self.logged_in()
        page.goto("/account")
        page.locator("section", has_text="Second factor").get_by_label("Password").fill(world.site.password)
        page.get_by_role("button", name="Set up a second factor").click()
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        page.get_by_label("The code it shows").fill("000000")
        page.get_by_role("button", name="Turn it on").click()
        expect(page.get_by_role("alert")).to_contain_text("code")

    def test_invited_and_with_a_key(self):
        page = self.logged_in()
        page.goto(self.p("/members"))
        page.get_by_role("button", name="Invite").click()
        address = page.locator("#made").inner_text()
        guest = self.context().new_page()
        guest.goto(address)
        guest.get_by_role("link", name="Make an account").click()
        guest.get_by_label("E-mail address").fill(f"guest{time.time_ns()}@example.org")
        guest.get_by_label("Name").fill("Guest")
        guest.get_by_label("Password").fill("a password of the browser test")
        guest.get_by_role("button", name="Make the account").click()
        expect(guest.get_by_role("heading", level=1)).to_be_visible()
        guest.goto("/account")
        expect(guest.get_by_text("This one")).to_be_visible()
        guest.get_by_role("button", name="End the session").click()
        expect(guest.get_by_role("heading", name="Log in")).to_be_visible()
        page.goto(self.p("/keys"))
        page.get_by_label("Name").fill("browser test")
        page.get_by_role("button", name="Make a key").click()
        expect(page.locator("#made")).to_contain_text("cfk_")

    def test_a_schedule_is_made_changed_and_removed(self):
        page = self.logged_in()
        page.goto(self.p("/schedules/new"))
        page.get_by_label("Name", exact=True).fill(f"made {time.time_ns()}")
        page.get_by_label("Left data source").select_option(index=1)
        page.get_by_label("Right data source").select_option(index=2)
        page.get_by_label("When (cron)").fill("61 * * * *")
        page.get_by_role("button", name="Make it").click()
        expect(page.get_by_role("alert")).to_contain_text("cron")
        page.get_by_label("When (cron)").fill("15 3 * * *")
        page.get_by_role("button", name="Make it").click()
        expect(page.get_by_text("At 03:15 every day")).to_be_visible()
        page.get_by_role("link", name="Change").click()
        page.get_by_label("When (cron)").fill("45 3 * * *")
        page.get_by_label("Newest left file, by name").fill("next-month-*.csv")
        page.get_by_role("button", name="Change it").click()
        expect(page.get_by_text("At 03:45 every day")).to_be_visible()
        expect(page.get_by_text("the newest next-month-*.csv on the left")).to_be_visible()
        page.get_by_role("button", name="Run now").click()
        expect(page.get_by_text("no file fits next-month-*.csv on the left")).to_be_visible()
        page.go_back()
        page.get_by_role("link", name="Change").click()
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Remove the schedule").click()
        expect(page.get_by_role("heading", name="Schedules")).to_be_visible()


class Workers(Pages):
    def test_a_worker_is_drained_and_takes_jobs_again(self):
        page = self.logged_in()
        page.goto("/system/workers")
        page.get_by_role("button", name="Drain").click()
        expect(page.locator("tbody")).to_contain_text("Drained", timeout=60_000)
        job = world.site.submit("while drained")
        page.get_by_role("button", name="take jobs again").click()
        expect(page.locator("tbody")).to_contain_text("Live", timeout=60_000)
        world.site.finished(job)
        self.assertEqual(self.troubles, [])
