"""A result goes on with new files; what was found out of a file is corrected; texts are looked for."""

from playwright.sync_api import expect

from world import Pages

BANK = "Id,Booked,Amount,Text\nB1,2026-01-05,10.00,INV-1001 Müller\nB2,2026-01-06,-5.50,Fee\n"
LEDGER = "Id,Booked,Amount,Ref\nL1,2026-01-05,10.00,INV-1001\nL2,2026-01-07,7.25,INV-1002\n"
NEXT_BANK = "Id,Booked,Amount,Text\nB3,2026-02-05,7.25,INV-1002\nB4,2026-02-06,-1.00,Other\n"
NEXT_LEDGER = "Id,Booked,Amount,Ref\nL3,2026-02-08,99.00,INV-1003\n"


def csv(name, text):
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}


class Continuing(Pages):
    def upload(self, page, left, right):
        page.locator("input[type=file][name=left]").set_input_files(left)
        page.locator("input[type=file][name=right]").set_input_files(right)
        page.get_by_role("button", name="Upload and look at the columns").click()
        expect(page.get_by_role("heading", name="What the columns mean")).to_be_visible()

    def go_on(self, page):
        page.get_by_role("button", name="Use these columns").click()
        expect(page.get_by_role("heading", name="How to compare")).to_be_visible()
        page.get_by_role("button", name="Reconcile", exact=True).click()
        expect(page.get_by_role("heading", name="Balance proof", exact=True)).to_be_visible(timeout=60_000)

    def three_runs(self, page):
        page.goto(self.p("/reconcile"))
        self.upload(page, csv("bank.csv", BANK), csv("ledger.csv", LEDGER))
        for side in ("left", "right"):
            page.locator(f"input[name='{side}.currency']").fill("EUR")
        self.go_on(page)
        for run in (2, 3):
            page.get_by_role("link", name="Continue this one with new files").click()
            expect(page.get_by_text(f"This is run {run} of a chain.")).to_be_visible()
            left, right = (NEXT_BANK, NEXT_LEDGER) if run == 2 else (NEXT_BANK.replace("\nB", "\nC"), LEDGER)
            self.upload(page, csv(f"bank-{run}.csv", left), csv(f"ledger-{run}.csv", right))
            expect(page.get_by_text("The mapping is that of the run before.").first).to_be_visible()
            self.go_on(page)
        chain = page.locator("table.chain tbody tr")
        expect(chain).to_have_count(3)
        expect(chain.nth(2)).to_contain_text("Run 3, this one")
        chain.nth(0).get_by_role("link").click()
        expect(page.locator("table.chain tbody tr").nth(0)).to_contain_text("Run 1, this one")
        expect(page.get_by_role("link", name="Continue this one with new files")).to_have_count(0)

    def test_a_chain_of_three_with_javascript(self):
        page = self.logged_in()
        self.three_runs(page)
        # A text narrows results, exceptions and what is matched by hand.
        page.locator(".tabs a").nth(1).click()
        page.get_by_label("Text in id").fill("MÜLLER")
        page.get_by_label("Text in id").press("Enter")
        expect(page.locator(".matches > li")).to_have_count(1)
        page.locator(".tabs a").nth(2).click()
        page.get_by_label("Text in id").fill("l2")
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".matches > li")).to_have_count(1)
        self.assertEqual(self.troubles, [])

    def test_a_chain_of_three_without_javascript(self):
        self.three_runs(self.logged_in(java_script_enabled=False))

    def test_choosing_another_delimiter_reads_the_file_anew(self):
        page = self.logged_in()
        page.goto(self.p("/reconcile"))
        odd = "Printed by us, page 1\nId|Date|Amount|Currency|Text\n1|2026-01-05|10.00|EUR|a, b\n2|2026-01-06|11.00|EUR|c, d\n"
        self.upload(page, csv("odd.csv", odd), csv("ledger.csv", LEDGER))
        page.locator("input[name='right.currency']").fill("EUR")
        left = page.locator("section", has=page.locator("#left-title"))
        with page.expect_navigation():
            left.get_by_label("Between cells").select_option("|")
        expect(left.get_by_label("Between cells")).to_have_value("|")
        left.get_by_label("Names of the columns in line").fill("2")
        with page.expect_navigation():
            left.get_by_label("Names of the columns in line").blur()
        expect(left.get_by_text("2 records", exact=True)).to_be_visible()
        expect(left.get_by_label("Currency means")).to_have_value("currency")
        self.assertEqual(self.troubles, [])
