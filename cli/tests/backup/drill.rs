//! The disaster drill: transfers whose sum never changes run while backups are taken, then one disaster after the other;
//! each either comes back exactly or is refused with a clear error before anything is touched. Prints a table:
//! `ops/test.sh --test backup drill -- --nocapture`.

use crate::place::{Place, refused, said};
use crate::ruin::{Dice, ruin};
use crate::transfers::{
    SUM, Transfers, in_the_middle_of_a_period, live, recovered, sum, sum_of_live, tables,
};
use shared::testing::{PrivatePostgres, test_dir};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CORRUPTIONS: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn every_disaster_ends_in_an_exact_restore_or_a_refusal() {
    let mut drill = Drill::prepare().await;
    let transfers = Transfers::start(&drill.place).await;
    let full = drill.backup("full").await;
    let base = drill.backup("base").await;
    let between = drill.name_a_point(&transfers).await;
    drill.rpo(transfers, &base, &between).await;
    drill.stores(&full);
    drill.damage(&full).await;
    drill.keys(&full);
    drill.killed_backups(&full).await;
    drill.killed_restores(&full).await;
    drill.full_store();
    drill.clocks(&full).await;
    drill.merge().await;
    drill.missing_wal(&base);
    drill.corruptions(&full).await;
    drill.cluster_gone(&full).await;
    drill.print();
}

struct Drill {
    place: Place,
    rows: Vec<(String, String, f64)>,
}

impl Drill {
    async fn prepare() -> Self {
        let mut place = Place::new("backup-drill");
        place.execute("CREATE DATABASE live").await;
        let config = std::fs::read_to_string(place.dir.join("config.toml")).expect("the configuration");
        std::fs::write(place.dir.join("config.toml"), config.replace("/postgres\"", "/live\""))
            .expect("writing");
        place.archive().await;
        said(&place.counterfoil(&["migrate"]));
        live(
            &place.postgres,
            &format!(
                "{};
                 CREATE TABLE ballast AS SELECT n AS id, md5(n::text) || md5((n + 1)::text) AS text
                 FROM generate_series(1, 60000) AS n",
                tables()
            ),
        )
        .await;
        Self { place, rows: vec![] }
    }

    fn note(&mut self, disaster: &str, outcome: impl Into<String>, since: Instant) {
        let (outcome, seconds) = (outcome.into(), since.elapsed().as_secs_f64());
        println!("{disaster}: {outcome} ({seconds:.1} s)");
        self.rows.push((disaster.to_owned(), outcome, seconds));
    }

    fn print(&self) {
        println!("\n| disaster | outcome | seconds |\n|---|---|---|");
        for (disaster, outcome, seconds) in &self.rows {
            println!("| {disaster} | {outcome} | {seconds:.1} |");
        }
    }

    async fn backup(&mut self, kind: &str) -> String {
        let began = Instant::now();
        let created = said(&self.place.counterfoil(&["backup", "create", "--kind", kind]));
        let id = created.split_whitespace().next().expect("an id").to_owned();
        self.note(&format!("{kind} backup under writes"), "taken", began);
        id
    }

    /// Restores into a database of this name and looks at the sum; gone again afterwards.
    fn restores(&self, full: &str, name: &str) -> String {
        let done = said(&self.place.counterfoil(&["restore", "full", full, "--as", name]));
        assert!(done.contains("restored and proven"), "{done}");
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            runtime.block_on(async {
                assert_eq!(sum(&self.place.postgres, name).await, SUM);
                self.place.execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
            });
        });
        "restored exactly".into()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.dir.join(name)
    }

    /// A moment between two transactions that are known: `(name of the point, last transfer before it)`.
    async fn name_a_point(&mut self, transfers: &Transfers) -> (String, i64) {
        transfers.wait_for_more().await;
        transfers.pause(true);
        transfers.wait_until_still().await;
        let last = transfers.acknowledged();
        self.place.execute("SELECT pg_create_restore_point('between')").await;
        transfers.pause(false);
        transfers.wait_for_more().await;
        ("between".into(), last)
    }

    /// The server dies with everything it had not archived; what comes back, and how long that takes.
    async fn rpo(&mut self, transfers: Transfers, base: &str, (point, last_before): &(String, i64)) {
        in_the_middle_of_a_period(&self.place).await;
        self.place.postgres.kill_9();
        let (last, died_at) = transfers.stop().await;

        let began = Instant::now();
        let into = self.path("latest");
        let done = said(&self.place.counterfoil(&[
            "restore",
            "pitr",
            "--into",
            into.to_str().expect("a path"),
            "--from",
            base,
        ]));
        assert!(done.contains("shut down in order"), "{done}");
        let (sum, found, recovered_at) = recovered(&into).await;
        assert_eq!(sum, SUM);
        assert!(found <= last && found > *last_before, "{found} of {last}");
        let lost_s = (died_at - recovered_at.expect("transfers")).num_milliseconds() as f64 / 1000.0;
        assert!(lost_s < 300.0, "{lost_s} s are lost");
        let outcome = format!(
            "recovered transfer {found} of {last}: {lost_s:.1} s lost with archive_timeout 5 s (RPO), sum exact"
        );
        self.note("kill -9 of the server → PITR to the end of the archive", outcome, began);

        let began = Instant::now();
        let into = self.path("between");
        said(&self.place.counterfoil(&[
            "restore",
            "pitr",
            "--into",
            into.to_str().expect("a path"),
            "--name",
            point,
        ]));
        let (sum, found, _) = recovered(&into).await;
        assert_eq!((sum, found), (SUM, *last_before));
        let outcome = format!("exactly transfer {last_before} is the last, sum exact");
        self.note("PITR between two known transactions", outcome, began);
        self.place.postgres.start_again();
        assert_eq!(sum_of_live(&self.place.postgres).await, SUM);
    }

    /// One store is lost, or away while a backup is written.
    fn stores(&mut self, full: &str) {
        let began = Instant::now();
        std::fs::rename(self.path("near"), self.path("near-away")).expect("moving");
        let outcome = self.restores(full, "drilled");
        self.note("the first store is lost", format!("{outcome} from the second"), began);
        // It was made anew, empty, by whoever looked for it.
        std::fs::remove_dir_all(self.path("near")).expect("removing");
        std::fs::write(self.path("near"), "a file where the folder was").expect("writing");
        let began = Instant::now();
        let outcome = self.restores(full, "drilled");
        self.note("the first store is dead during a restore", format!("{outcome} from the second"), began);

        let began = Instant::now();
        let output = self.place.counterfoil(&["backup", "create", "--note", "one store is dead"]);
        let why = refused(&output);
        let created = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(created.contains("not yet in near") && why.contains("copies_min"), "{created}{why}");
        let id = created.split_whitespace().next().expect("an id").to_owned();
        std::fs::remove_file(self.path("near")).expect("removing");
        std::fs::rename(self.path("near-away"), self.path("near")).expect("moving back");
        let healed = said(&self.place.counterfoil(&["backup", "verify", "--heal", &id]));
        assert!(healed.contains("whole in every store"), "{healed}");
        let outcome = "kept in the other, said so (exit 1), brought when the store was back";
        self.note("a store is dead during a backup", outcome, began);
    }

    /// One byte, or the end of an object.
    async fn damage(&mut self, full: &str) {
        for (what, change) in [
            ("a flipped byte", (|bytes| flip(bytes)) as fn(&mut Vec<u8>)),
            ("a truncated object", |bytes| bytes.truncate(bytes.len() * 2 / 3)),
        ] {
            let began = Instant::now();
            let objects = objects_of(&self.path("near"), full);
            let largest = objects.iter().max_by_key(|path| len(path)).expect("objects").clone();
            let good = std::fs::read(&largest).expect("reading");
            rewrite(&largest, change);
            let outcome = self.restores(full, "drilled");
            self.note(&format!("{what} in one store"), format!("{outcome} from the other"), began);

            let began = Instant::now();
            let twin = self.path("far").join(largest.strip_prefix(self.path("near")).expect("below"));
            rewrite(&twin, change);
            let before = sum_of_live(&self.place.postgres).await;
            let why = refused(&self.place.counterfoil(&[
                "restore",
                "full",
                full,
                "--confirm",
                "live",
                "--without-safety-backup",
            ]));
            assert!(why.contains("damaged") || why.contains("digest"), "{why}");
            assert_eq!(sum_of_live(&self.place.postgres).await, before);
            self.note(&format!("{what} in every store"), "refused before anything was touched", began);
            std::fs::write(&twin, &good).expect("writing");
            let healed = said(&self.place.counterfoil(&["backup", "verify", "--heal", full]));
            assert!(healed.contains("whole in every store"), "{healed}");
            assert_eq!(std::fs::read(&largest).expect("reading"), good);
        }
    }

    fn keys(&mut self, full: &str) {
        let began = Instant::now();
        let other = self.path("other-keys");
        std::fs::write(&other, "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221102\n")
            .expect("writing");
        std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .expect("opening");
        let file = other.to_str().expect("a path").to_owned();
        let why = refused(&self.place.counterfoil(&[
            "restore",
            "full",
            full,
            "--as",
            "drilled",
            "--keys-file",
            &file,
        ]));
        assert!(why.contains("key"), "{why}");
        self.note("the wrong key", "refused, naming the key that is missing", began);
    }

    /// SIGKILL as soon as a stage is seen; what is left does not count, and the next backup is whole.
    async fn killed_backups(&mut self, full: &str) {
        let before = listed(&self.place);
        for stage in ["dumping", "sealing", "committing"] {
            let began = Instant::now();
            let mut child = self.place.spawn(&["backup", "create", "--note", "to be killed"]);
            let mut seen = false;
            while child.try_wait().expect("waiting").is_none() {
                seen = match stage {
                    "dumping" => find(&self.place.dir, "toc.dat").is_some(),
                    // The first bytes in a store.
                    "sealing" => younger(&self.path("near"), began) > 0,
                    // A pack under its final name: what is left is the manifest.
                    _ => objects_younger(&self.path("near"), began) > 0,
                };
                if seen || began.elapsed() > PATIENCE {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            let _ = child.kill();
            let status = child.wait().expect("waiting");
            let now = listed(&self.place);
            // The manifest may have been on its way when the signal came: then it is a whole backup.
            assert!(now == before || now.len() == before.len() + 1, "{now:?}");
            let outcome = match (seen, now.len() > before.len()) {
                (true, false) => "nothing that counts is left",
                (true, true) => "it was committed already, and is whole",
                (false, _) => "it was faster than the signal",
            };
            assert!(seen || status.success(), "{status}");
            said(&self.place.counterfoil(&["backup", "verify", full]));
            self.note(&format!("kill -9 of a backup while {stage} (half-done uploads)"), outcome, began);
            if now.len() > before.len() {
                return self.after_killed_backups(full);
            }
        }
        self.after_killed_backups(full);
    }

    fn after_killed_backups(&mut self, full: &str) {
        let began = Instant::now();
        said(&self.place.counterfoil(&["backup", "create", "--note", "after the kills"]));
        said(&self.place.counterfoil(&["backup", "verify"]));
        let outcome = self.restores(full, "drilled");
        self.note("the next backup after kills", format!("taken and whole; {outcome}"), began);
    }

    async fn killed_restores(&mut self, full: &str) {
        let scratch = "SELECT count(*) FROM pg_database WHERE datname LIKE '%scratch%'";
        for stage in ["fetching", "loading", "proving"] {
            let began = Instant::now();
            let before = sum_of_live(&self.place.postgres).await;
            let mut child =
                self.place.spawn(&["restore", "full", full, "--confirm", "live", "--without-safety-backup"]);
            let mut seen = false;
            while child.try_wait().expect("waiting").is_none() && began.elapsed() < PATIENCE {
                seen = match stage {
                    "fetching" => find(&self.place.dir, "toc.dat").is_some(),
                    "loading" => self.place.value::<i64>(scratch).await > 0,
                    _ => {
                        self.place.value::<i64>("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%hash_record%' AND pid <> pg_backend_pid()").await > 0
                    }
                };
                if seen {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let _ = child.kill();
            let _ = child.wait();
            // Either it was replaced by then or it was not: never half.
            assert_eq!(sum_of_live(&self.place.postgres).await, before);
            let outcome =
                if seen { "the live database is untouched" } else { "it was faster than the signal" };
            self.note(&format!("kill -9 of a restore while {stage}"), outcome, began);
        }
        let began = Instant::now();
        let outcome = self.restores(full, "drilled");
        let drilled = said(&self.place.counterfoil(&["backup", "drill", full]));
        assert!(drilled.contains("is proven"), "{drilled}");
        assert_eq!(self.place.value::<i64>(scratch).await, 0, "scratch databases are left");
        self.note("the same restore again after kills", format!("{outcome}; what was left is swept"), began);
    }

    /// Disk full.
    fn full_store(&mut self) {
        let began = Instant::now();
        let (path, near) = (self.path("config.toml"), self.path("near"));
        let config = std::fs::read_to_string(&path).expect("reading");
        let dir = format!("dir = \"{}\"\n", near.display());
        std::fs::write(&path, config.replace(&dir, &format!("{dir}bytes_max = 1000\n"))).expect("writing");
        let output = self.place.counterfoil(&["backup", "create", "--note", "the disk is full"]);
        let why = refused(&output);
        let created = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(created.contains("not yet in near") && why.contains("copies_min"), "{created}{why}");
        std::fs::write(&path, config).expect("writing");
        said(&self.place.counterfoil(&["backup", "verify", "--heal"]));
        let outcome = "kept in the other, said so (exit 1), brought when there was room";
        self.note("a store's disk is full", outcome, began);
    }

    /// What the rules would remove when a clock is wrong by years.
    async fn clocks(&mut self, full: &str) {
        let began = Instant::now();
        let engine = self.place.engine();
        let policy = backup::retention::Policy { days: 1, daily: 1, weekly: 0, monthly: 0, yearly: 0 };
        for years in [-20, 20] {
            let now = chrono::Utc::now() + chrono::TimeDelta::days(365 * years);
            let none = |_| backup::prune::Marks::default();
            let planned = backup::prune::plan(&engine, none, &policy, now).await.expect("a plan");
            let kept: Vec<String> = planned.plan.kept.iter().map(|(id, _)| id.to_string()).collect();
            let newest = planned
                .catalogue
                .backups
                .iter()
                .filter(|b| b.folder.class.as_str() == "full")
                .map(|b| b.folder.id.to_string())
                .next();
            assert!(kept.contains(&newest.expect("a full backup")), "{years} years: {kept:?}");
            assert!(years > 0 || kept.iter().any(|id| id == full), "backups from the future are kept");
        }
        self.note("a clock 20 years ahead or behind", "the last good backup of each kind is kept", began);
    }

    /// A tenant is deleted by mistake; another one was made since.
    async fn merge(&mut self) {
        let began = Instant::now();
        let (lost, newer) = (uuid::Uuid::from_u128(0xa), uuid::Uuid::from_u128(0xb));
        let make = |id: uuid::Uuid, name: &str| {
            format!(
                "INSERT INTO projects (id, name, created_by) SELECT '{id}', '{name}', id FROM users LIMIT 1"
            )
        };
        live(
            &self.place.postgres,
            "INSERT INTO users (id, email, name, password_hash) VALUES (gen_random_uuid(), 'ann@example.org', 'Ann', 'x')",
        )
        .await;
        live(&self.place.postgres, &make(lost, "lost")).await;
        let created = said(&self.place.counterfoil(&[
            "backup",
            "create",
            "--kind",
            "tenant",
            "--tenant",
            &lost.to_string(),
        ]));
        let id = created.split_whitespace().next().expect("an id").to_owned();
        live(&self.place.postgres, &make(newer, "newer")).await;
        live(&self.place.postgres, &format!("DELETE FROM projects WHERE id = '{lost}'")).await;
        let would = said(&self.place.counterfoil(&["restore", "merge", &id, "--dry-run"]));
        assert!(would.contains("WOULD CHANGE"), "{would}");
        said(&self.place.counterfoil(&["restore", "merge", &id]));
        assert_eq!(self.place.live("SELECT count(*) FROM projects WHERE name IN ('lost', 'newer')").await, 2);
        assert_eq!(sum_of_live(&self.place.postgres).await, SUM);
        self.note("a tenant is deleted → MERGE", "it is back, and what is newer stayed", began);
    }

    /// A segment is gone from every store.
    fn missing_wal(&mut self, base: &str) {
        let began = Instant::now();
        let mut segments = walk(&self.path("near").join("v1/test/wal"));
        segments.retain(|path| path.file_name().is_some_and(|name| name.len() == 24));
        segments.sort();
        let gone = segments[segments.len() - 2].clone();
        let name = gone.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let twin = self.path("far").join(gone.strip_prefix(self.path("near")).expect("below"));
        let (a, b) = (std::fs::read(&gone).expect("reading"), std::fs::read(&twin).expect("reading"));
        std::fs::remove_file(&gone).and_then(|()| std::fs::remove_file(&twin)).expect("removing");
        let status = self.place.counterfoil(&["wal", "status"]);
        let shown = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(!status.status.success() && shown.contains("MISSING"), "{shown}");
        let number = u64::from_str_radix(&name[16..], 16).expect("a number");
        let beyond = format!("0/{:X}", (number + 1) * (16 << 20) + 0x100);
        let into = self.path("beyond-the-hole");
        let why = refused(&self.place.counterfoil(&[
            "restore",
            "pitr",
            "--into",
            into.to_str().expect("a path"),
            "--lsn",
            &beyond,
            "--from",
            base,
        ]));
        assert!(why.contains("without a hole") && !into.exists(), "{why}");
        std::fs::write(&gone, a).and_then(|()| std::fs::write(&twin, b)).expect("putting back");
        self.note("a missing WAL segment", "wal status names it, PITR beyond it is refused at once", began);
    }

    /// Every kind of damage anywhere: each must be noticed.
    async fn corruptions(&mut self, full: &str) {
        let began = Instant::now();
        let engine = self.place.engine();
        let folder = backup::catalogue::find(&engine, full).await.expect("the backup");
        let (manifest, _) =
            backup::manifest::read_manifest(&engine.stores, &folder, &engine.keys).await.expect("a manifest");
        let mut dice = Dice::new(20_261_122);
        let run = backup::engine::Run::default();
        let objects = objects_of(&self.path("far"), full);
        for number in 0..CORRUPTIONS {
            let object = &objects[dice.below(objects.len())];
            let good = std::fs::read(object).expect("reading");
            let how = ruin(object, &good, &mut dice);
            let verified = backup::verify::verify(&engine, &manifest, false, &run).await.expect("verifying");
            let far = &verified.stores["far"];
            assert_eq!(
                far.missing.len() + far.damaged.len(),
                1,
                "{number}: {how} of {} was overlooked",
                object.display()
            );
            assert!(verified.is_good(), "the other store has it");
            rewrite(object, |bytes| good.clone_into(bytes));
        }
        let verified = backup::verify::verify(&engine, &manifest, false, &run).await.expect("verifying");
        assert!(verified.is_whole_everywhere());
        self.note(&format!("{CORRUPTIONS} random corruptions"), "all detected", began);
    }

    /// Nothing is left but one store and the key: a new machine.
    async fn cluster_gone(&mut self, full: &str) {
        self.place.postgres.kill_9();
        std::fs::remove_dir_all(self.path("cluster")).expect("removing the cluster");
        let other = PrivatePostgres::start(test_dir("backup-drill-new").join("cluster"));
        let began = Instant::now();
        let config = self.path("bare.toml");
        std::fs::write(&config, format!("[database]\nurl = \"{}\"\n", other.url())).expect("writing");
        let path = |name: &str| self.path(name).display().to_string();
        let done = said(&self.place.bare(&[
            "--config",
            &path("bare.toml"),
            "restore",
            "full",
            full,
            "--store-dir",
            &path("far"),
            "--keys-file",
            &path("keys"),
            "--cluster",
            "test",
        ]));
        assert!(done.contains("live is restored and proven"), "{done}");
        assert_eq!(sum(&other, "live").await, SUM);
        self.note(
            "the cluster is destroyed → FULL on a new one, one command",
            "restored exactly (RTO)",
            began,
        );
    }
}

/// Ids of the backups that the stores have.
fn listed(place: &Place) -> Vec<String> {
    let shown = said(&place.counterfoil(&["backup", "list"]));
    shown.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(walk(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

/// Whole objects of a backup in a store's folder.
fn objects_of(store: &Path, id: &str) -> Vec<PathBuf> {
    let mut found = walk(store);
    found.retain(|path| path.to_string_lossy().contains(id));
    found.sort();
    found
}

fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    std::fs::read_dir(dir)
        .ok()?
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.file_name().is_some_and(|name| name.to_string_lossy().starts_with("counterfoil-s")))
        .flat_map(|p| walk(&p))
        .find(|p| p.ends_with(name))
}

fn is_younger(path: &Path, than: Instant) -> bool {
    let age = std::fs::metadata(path).and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age < than.elapsed()) && !path.to_string_lossy().contains("/wal/")
}

fn younger(dir: &Path, than: Instant) -> usize {
    walk(dir).iter().filter(|path| is_younger(path, than)).count()
}

fn objects_younger(dir: &Path, than: Instant) -> usize {
    let is_whole =
        |path: &PathBuf| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
    let is_object = |path: &&PathBuf| is_whole(path) && is_younger(path, than);
    walk(dir).iter().filter(is_object).count()
}

fn len(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn flip(bytes: &mut [u8]) {
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
}

fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap_or_default();
    change(&mut bytes);
    std::fs::write(path, bytes).expect("writing");
}
