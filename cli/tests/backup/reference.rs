//! The reference drill: a database of a size, the cluster and every disk destroyed, and nothing left but a bucket and the
//! key. Small among the tests; `bench/backup/drill.sh` runs it at 2 GB with a release build and prints the figures.

use crate::place::{Place, said};
use crate::s3::{BUCKET, KEY_ID, S3Server, SECRET};
use crate::transfers::{SUM, Transfers, in_the_middle_of_a_period, live, recovered, session, sum, tables};
use shared::testing::{PrivatePostgres, test_dir};
use std::path::Path;
use std::time::Instant;

/// Of the database, about.
const SIZE_VARIABLE: &str = "COUNTERFOIL_DRILL_MB";
const SIZE_MB: u64 = 24;
const ROWS_PER_MB: u64 = 5000;
/// The promise: 15 minutes to restore, 5 minutes of writes lost.
const RTO_MAX_S: f64 = 900.0;
const RPO_MAX_S: f64 = 300.0;

struct Table(Vec<(String, String)>);

impl Table {
    fn note(&mut self, what: &str, figure: String) {
        println!("{what}: {figure}");
        self.0.push((what.to_owned(), figure));
    }

    fn print(&self) {
        println!("\n| reference drill | |\n|---|---|");
        for (what, figure) in &self.0 {
            println!("| {what} | {figure} |");
        }
    }
}

/// Everything but the database's address: stores, and where what is.
fn configuration(place: &Place, server: &S3Server, with_disk: bool) -> String {
    let path = |name: &str| place.dir.join(name).display().to_string();
    let disk = format!("[[backup.stores]]\nkind = \"disk\"\nname = \"near\"\ndir = \"{}\"\n", path("near"));
    let (disk, copies) = if with_disk { (disk, 2) } else { (String::new(), 1) };
    format!(
        "[backup]\ncluster = \"reference\"\ncopies_min = {copies}\nkeys_file = \"{}\"\nspool_dir = \"{}\"\n{disk}\
         [[backup.stores]]\nkind = \"s3\"\nname = \"bucket\"\nendpoint = \"http://{}\"\nbucket = \"{BUCKET}\"\n\
         path_style = true\nkey_id = \"{KEY_ID}\"\nsecret_file = \"{}\"\n",
        path("keys"),
        path("spool"),
        server.address,
        path("s3-secret")
    )
}

fn database(url: &str, name: &str) -> String {
    let url = url.replace("/postgres", &format!("/{name}")).replace(&format!("//{name}@"), "//postgres@");
    format!("[database]\nurl = \"{url}\"\n")
}

fn bytes_below(dir: &Path) -> u64 {
    let found = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|found| found.path());
    found
        .map(|path| if path.is_dir() { bytes_below(&path) } else { path.metadata().map_or(0, |m| m.len()) })
        .sum()
}

/// The steps that a restore has printed, in one line.
fn steps(done: &str) -> String {
    let lines = done.lines().filter_map(|line| line.split_once(" s  "));
    let steps = lines.filter(|(seconds, _)| seconds.trim().parse::<f64>().is_ok());
    steps.map(|(seconds, step)| format!("{step}: {} s", seconds.trim())).collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_reference_database_comes_back_from_the_bucket_alone() {
    let megabytes = std::env::var(SIZE_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(SIZE_MB);
    let mut table = Table(vec![]);
    let mut place = Place::new("backup-reference");
    let server = S3Server::start(&place.dir.join("s3")).await;
    place.write("s3-secret", SECRET);
    place.write(
        "config.toml",
        &(database(&place.postgres.url(), "live") + &configuration(&place, &server, true)),
    );
    place.execute("CREATE DATABASE live").await;
    place.archive().await;
    said(&place.counterfoil(&["migrate"]));
    let rows = megabytes * ROWS_PER_MB;
    live(
        &place.postgres,
        &format!(
            "{}; CREATE TABLE ledger AS SELECT n AS id, n % 1000 AS account, (n::bigint * 7919) % 1000000 AS amount,
                    md5(n::text) AS reference, repeat('settlement of invoice ', 4) AS text
             FROM generate_series(1, {rows}) AS n;
             ALTER TABLE ledger ADD PRIMARY KEY (id)",
            tables()
        ),
    )
    .await;
    let bytes: i64 = place.value("SELECT pg_database_size('live')").await;
    table.note("database", format!("{bytes} bytes, {rows} rows of a ledger"));

    let transfers = Transfers::start(&place).await;
    for kind in ["base", "full"] {
        let began = Instant::now();
        said(&place.counterfoil(&["backup", "create", "--kind", kind]));
        table.note(&format!("{kind} backup, under writes, to a disk and a bucket"), seconds(began));
    }
    in_the_middle_of_a_period(&place).await;
    place.postgres.kill_9();
    let (last, died_at) = transfers.stop().await;
    for gone in ["cluster", "near", "spool"] {
        std::fs::remove_dir_all(place.dir.join(gone))
            .unwrap_or_else(|error| assert_eq!(gone, "spool", "{error}"));
    }
    table.note(
        "left",
        format!("the bucket ({} bytes) and the key", bytes_below(&place.dir.join("s3").join(BUCKET))),
    );

    // One command, on a machine that has nothing.
    place.write("new.toml", &(configuration(&place, &server, false)));
    let (config, into) = (place.dir.join("new.toml"), place.dir.join("restored"));
    let (config, path) = (config.to_str().expect("a path"), into.to_str().expect("a path"));
    let began = Instant::now();
    let done = said(&place.bare(&["--config", config, "restore", "pitr", "--into", path]));
    let rto = began.elapsed().as_secs_f64();
    assert!(done.contains("shut down in order"), "{done}");
    table.note(
        "RTO of the cluster: base backup, WAL, recovered and checked",
        format!("{rto:.1} s ({})", steps(&done)),
    );
    let (sum_now, recovered_last, at) = recovered(&into).await;
    assert_eq!(sum_now, SUM);
    let lost_s = (died_at - at.expect("transfers")).num_milliseconds() as f64 / 1000.0;
    assert!(recovered_last <= last && lost_s < RPO_MAX_S, "{recovered_last} of {last}, {lost_s} s");
    table.note(
        "RPO: kill -9 of the server, archive_timeout 5 s",
        format!("transaction {recovered_last} of {last} recovered, {lost_s:.1} s lost, the sum of all accounts exact"),
    );

    let other = PrivatePostgres::start(test_dir("backup-reference-new").join("cluster"));
    place.write("new.toml", &(database(&other.url(), "postgres") + &configuration(&place, &server, false)));
    let listed = said(&place.bare(&["--config", config, "backup", "list", "--kind", "full"]));
    let full = listed.lines().nth(1).and_then(|line| line.split_whitespace().next()).expect("a full backup");
    let began = Instant::now();
    let done = said(&place.bare(&["--config", config, "restore", "full", full]));
    let rto_full = began.elapsed().as_secs_f64();
    assert!(done.contains("live is restored and proven"), "{done}");
    table.note(
        "RTO of the database: full backup, every row compared",
        format!("{rto_full:.1} s ({})", steps(&done)),
    );
    assert_eq!(sum(&other, "live").await, SUM);
    let mut session = session(&other, "live").await;
    let found: i64 =
        sqlx::query_scalar("SELECT count(*) FROM ledger").fetch_one(&mut session).await.expect("rows");
    assert_eq!(found.unsigned_abs(), rows);
    assert!(rto < RTO_MAX_S && rto_full < RTO_MAX_S, "{rto} s, {rto_full} s");
    table.print();
}

fn seconds(began: Instant) -> String {
    format!("{:.1} s", began.elapsed().as_secs_f64())
}
