"""How every page looks: to those who see little, on small screens, and in pictures."""

import io
import os
import sys
import unittest
from pathlib import Path

from PIL import Image

from site_of_tests import ROOT
from world import Pages, world

AXE = Path(os.environ["COUNTERFOIL_AXE"]).read_text()
IMAGES = ROOT / "docs/images"
WIDTHS = (320, 768, 1280)
IMAGE_BYTES_MAX = 150_000
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Accessibility(Pages):
    def addresses(self):
        job = world.site.finished(world.site.submit("accessible"))["id"]
        right, left = world.site.sources()[:2]
        files = [file["id"] for file in world.site.get(f"/api/files?project_id={world.site.project}")["items"]]
        schedule = next(iter(world.site.get(f"/api/projects/{world.site.project}/schedules")["items"]), None)
        result = f"/reconciliations/{job}"
        project = ["", "/reconcile", f"/reconcile/columns?left={files[1]}&right={files[0]}",
                   f"/reconcile/rules?left={left}&right={right}", "/reconciliations", result, f"{result}/matches",
                   f"{result}/exceptions", f"{result}/rejected-lines", "/jobs", f"/jobs/{job}",
                   "/jobs/bulk?action=redrive&state=dead", "/failed", "/schedules", "/schedules/new", "/nothing",
                   "/approvals", "/members", "/keys", "/settings", "/audit"]
        reviewed = f"/reconciliations/{world.site.to_review('accessible review')}/review"
        project += [f"{reviewed}{path}" for path in (
            "/matches", "/exceptions", "/exceptions?state=any&order=amount&at=3", "/find", "/by-hand", "/decisions",
            "/bulk?of=matches")]
        if schedule:
            project += [f"/schedules/{schedule['id']}", f"/schedules/{schedule['id']}/edit"]
        return [self.p(path) for path in project] + ["/projects", "/system/jobs", "/system/queues", "/system/failed",
                                                    "/system/schedules", "/system/workers", *self.of_backups(),
                                                    *self.of_notifications(), "/system/audit", "/account", "/register",
                                                    "/invitation?token=x", "/login"]

    def of_backups(self):
        backup = world.site.backup()
        planned = world.site.post("/api/restores", {"mode": "merge", "backup_id": backup, "dry_run": True})["id"]
        world.site.job_finished(planned)
        return ["/system/backups", "/system/backups/list", "/system/backups/new", "/system/backups/retention?days=1",
                f"/system/backups/{backup}", f"/system/restores/new?backup={backup}", "/system/restores",
                f"/system/restores/{planned}"]

    def of_notifications(self):
        hook = {"url": "https://example.org/hooks", "events": ["job.dead"]}
        webhook = world.site.post(f"/api/projects/{world.site.project}/webhooks", hook)["webhook"]["id"]
        world.site.post(f"/api/webhooks/{webhook}/test")
        return ["/notifications", "/notifications?unread=1", "/notifications/settings", self.p("/webhooks"),
                self.p(f"/webhooks/{webhook}"), "/system/webhooks"]

    def test_no_violations_on_any_page(self):
        found, looked = [], 0
        addresses = self.addresses()
        for theme in ("light", "dark"):
            page = self.logged_in(color_scheme=theme)
            for address in addresses:
                page.goto(address)
                page.evaluate("document.querySelectorAll('main details').forEach((d, i) => { d.open = d.open || (i < 5 && !('menu' in d.dataset)); })")
                page.evaluate(AXE)
                for width in WIDTHS:
                    page.set_viewport_size({"width": width, "height": 900})
                    result = page.evaluate("tags => axe.run({runOnly: tags})", TAGS)
                    looked += 1
                    for violation in result["violations"]:
                        node = violation["nodes"][0]
                        found.append(f"{theme} {width} {address}: {violation['id']}: {node['html'][:160]} "
                                     f"{node['failureSummary'][:200]}")
                    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                        found.append(f"{theme} {width} {address}: wider than the screen")
        print(f"axe looked at {looked} pages")
        self.assertEqual(found, [], "\n".join(dict.fromkeys(found)))


@unittest.skipUnless("--screenshots" in sys.argv, "pass --screenshots")
class Screenshots(Pages):
    def test_main_pages(self):
        IMAGES.mkdir(parents=True, exist_ok=True)
        jobs = [line["id"] for line in world.site.get(f"/api/reconciliation/jobs?project_id={world.site.project}")["items"]]
        demo = jobs[-1]
        right, left = world.site.sources()[-2:]
        files = [file["id"] for file in world.site.get(f"/api/files?project_id={world.site.project}")["items"]]
        pages = {
            "overview": "", "columns": f"/reconcile/columns?left={files[-1]}&right={files[-2]}",
            "rules": f"/reconcile/rules?left={left}&right={right}", "result": f"/reconciliations/{demo}",
            "matches": f"/reconciliations/{demo}/matches", "exceptions": f"/reconciliations/{demo}/exceptions",
            "review": f"/reconciliations/{world.site.to_review('Bank against ledger, to review')}/review/matches",
            "jobs": "/jobs", "job": f"/jobs/{demo}", "schedules": "/schedules",
        }
        backup = world.site.backup()
        for _ in range(3):
            world.site.backup()
        for kind in ("base", "configuration"):
            world.site.backup(kind)
        planned = world.site.post("/api/restores", {"mode": "drill", "backup_id": backup})["id"]
        world.site.job_finished(planned)
        pages = {name: self.p(path) for name, path in pages.items()}
        pages |= {"backups": "/system/backups", "restore": f"/system/restores/{planned}", "notifications": "/notifications"}
        for theme in ("light", "dark"):
            page = self.logged_in(color_scheme=theme)
            page.goto(self.p())
            for name, path in pages.items():
                page.goto(path)
                if name in ("matches", "exceptions"):
                    page.locator(".matches summary").first.click()
                shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                target = IMAGES / f"{name}-{theme}.png"
                shot.quantize(colors=128, dither=Image.Dither.NONE).save(target, optimize=True)
                self.assertLess(target.stat().st_size, IMAGE_BYTES_MAX, target)
