//! PostgreSQL, RabbitMQ, Redis.

use super::finding::Finding;
use super::within;
use crate::administration::Database;
use crate::roles;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use shared::config::Config;
use shared::store::Store;
use shared::store::examination::{Examination, SchemaVersion};

/// Versions before have no MERGE, and get no corrections any more.
const VERSION_MIN: i32 = 150_000;
/// Sessions for people and other programs besides one process of ours.
const SESSIONS_SPARE: i64 = 10;
/// Tokens are judged by one clock and leases by the other.
const SKEW_WARNING: TimeDelta = TimeDelta::seconds(2);
const SKEW_FAILED: TimeDelta = TimeDelta::seconds(30);

pub struct DatabaseFindings {
    pub findings: Vec<Finding>,
    /// Of the server, if it answered.
    pub server_major: Option<u32>,
}

pub async fn database(config: &Config, place: Database) -> DatabaseFindings {
    let none = |finding| DatabaseFindings { findings: vec![finding], server_major: None };
    let is_given = config.database.url.is_some();
    let store = match place.open(config).await {
        Ok(store) => store,
        Err(_) if !is_given => {
            let why = "database.url is not set, and no `counterfoil up` runs here";
            return none(Finding::skipped("database", why));
        }
        Err(error) => return none(unreachable(format!("{error:#}"))),
    };
    let examined = within(look_at(&store)).await;
    store.close().await;
    match examined {
        Ok(Ok((examination, version, skew))) => {
            let findings = judged(&examination, version, skew, config.database.connections_max);
            let server_major = u32::try_from(examination.version / 10_000).ok();
            DatabaseFindings { findings, server_major }
        }
        Ok(Err(error)) => none(unreachable(shared::chain(&error))),
        Err(says) => none(unreachable(says)),
    }
}

fn unreachable(says: String) -> Finding {
    Finding::failed(
        "database",
        says,
        "Nothing works without it: the API answers 503, workers and schedulers wait.",
        "Is the server up, is the name right, does pg_hba.conf let this machine in? `psql \"$URL\" -c 'SELECT 1'` \
         tells the same without us.",
    )
}

async fn look_at(
    store: &Store,
) -> Result<(Examination, SchemaVersion, TimeDelta), shared::store::StoreError> {
    // The first one opens the connection, which takes longer.
    store.ping().await?;
    let before = Utc::now();
    let examination = store.examine().await?;
    let skew = skew(before, examination.clock, Utc::now());
    let version = store.schema_version().await?;
    Ok((examination, version, skew))
}

/// How far the server's clock is ahead of ours: its instant lies between the two of ours.
fn skew(before: DateTime<Utc>, server: DateTime<Utc>, after: DateTime<Utc>) -> TimeDelta {
    if server < before {
        server - before
    } else if server > after {
        server - after
    } else {
        TimeDelta::zero()
    }
}

fn judged(seen: &Examination, version: SchemaVersion, skew: TimeDelta, connections_max: u32) -> Vec<Finding> {
    vec![
        server(seen),
        migrations(version),
        role(seen),
        durability(seen),
        sessions(seen, connections_max),
        clock(skew),
    ]
}

fn server(seen: &Examination) -> Finding {
    let (major, minor) = (seen.version / 10_000, seen.version % 10_000);
    let found = format!("PostgreSQL {major}.{minor}, {}", seen.encoding);
    if seen.is_replica {
        let means = "It is a replica and refuses every write.";
        return Finding::failed("database", found, means, "Point database.url at the primary.");
    }
    if seen.version < VERSION_MIN {
        let means = "Migrations need 15 or later.";
        return Finding::failed(
            "database",
            found,
            means,
            "Upgrade the server (pg_upgrade), or use another one.",
        );
    }
    if seen.encoding != "UTF8" {
        let means = "Texts of files with other characters are refused.";
        return Finding::failed("database", found, means, "Make the database anew with ENCODING 'UTF8'.");
    }
    Finding::ok("database", found)
}

fn migrations(version: SchemaVersion) -> Finding {
    let check = "database.migrations";
    let fix = "Run `counterfoil migrate`; what runs goes on meanwhile.";
    match version {
        SchemaVersion::Same => Finding::ok(check, "at this version"),
        SchemaVersion::Older(missing) => {
            let means = "Roles of this version wait or refuse to start.";
            Finding::failed(check, format!("{missing} missing"), means, fix)
        }
        SchemaVersion::Empty => {
            Finding::failed(check, "the database is empty", "Roles refuse to start.", fix)
        }
        SchemaVersion::Newer => Finding::warning(
            check,
            "of a later version",
            "This version runs on the schema of the next one, as in a rollout, not on later ones.",
            "Finish the rollout, or the rollback: ops/runbooks/Rollout.md.",
        ),
    }
}

fn role(seen: &Examination) -> Finding {
    let check = "database.role";
    let found = format!("{}{}", seen.role, if seen.is_superuser { ", a superuser" } else { "" });
    if !seen.may_create || seen.foreign_tables > 0 {
        return Finding::failed(
            check,
            format!("{found}; {} tables belong to another role", seen.foreign_tables),
            "Migrations and the partitions of the next month cannot be made.",
            "Make the role the owner: ALTER DATABASE … OWNER TO …, REASSIGN OWNED BY … TO ….",
        );
    }
    if seen.is_superuser {
        return Finding::warning(
            check,
            found,
            "Whoever gets this password gets the whole server.",
            "Use an account of its own, as in ops/postgresql/README.md.",
        );
    }
    Finding::ok(check, found)
}

fn durability(seen: &Examination) -> Finding {
    let check = "database.durability";
    let mut off = vec![];
    off.extend((!seen.fsync).then_some("fsync"));
    off.extend((!seen.full_page_writes).then_some("full_page_writes"));
    off.extend((seen.synchronous_commit == "off").then_some("synchronous_commit"));
    if !off.is_empty() {
        return Finding::failed(
            check,
            format!("{} off", off.join(", ")),
            "A job that was accepted may be gone after a crash of the server, or the database damaged.",
            format!("Set to on in postgresql.conf: {}. For a test server, never mind.", off.join(", ")),
        );
    }
    if !seen.autovacuum {
        let means = "Dead rows pile up in front of the queue's indexes.";
        return Finding::failed(check, "autovacuum off", means, "Set autovacuum = on.");
    }
    if !seen.has_checksums {
        return Finding::warning(
            check,
            "no data checksums",
            "A page that the disk damaged is not noticed until somebody reads nonsense.",
            "pg_checksums --enable, while the server is stopped.",
        );
    }
    Finding::ok(check, "commits are on the disk, pages have checksums")
}

fn sessions(seen: &Examination, connections_max: u32) -> Finding {
    let check = "database.sessions";
    let (server, ours) = (i64::from(seen.max_connections), i64::from(connections_max));
    let found = format!("max_connections {server}, database.connections_max {ours} for each process");
    if ours + SESSIONS_SPARE > server {
        return Finding::warning(
            check,
            found,
            "One busy process can use up the server's sessions, and others wait or fail.",
            "Lower database.connections_max, or raise max_connections: processes × connections_max + 20.",
        );
    }
    Finding::ok(check, found)
}

fn clock(skew: TimeDelta) -> Finding {
    let check = "database.clock";
    let seconds = skew.num_milliseconds() as f64 / 1e3;
    let found = match seconds {
        0.0 => "as this machine's".to_owned(),
        ahead if ahead > 0.0 => format!("{ahead:.1} s ahead of this machine's"),
        behind => format!("{:.1} s behind this machine's", -behind),
    };
    let means = "Leases and schedules go by the database's clock, access tokens by each API's: tokens end too soon, or \
                 are refused as from the future.";
    let fix = "Have both keep time (chrony, systemd-timesyncd): `timedatectl` shows whether they do.";
    match skew.abs() {
        skew if skew > SKEW_FAILED => Finding::failed(check, found, means, fix),
        skew if skew > SKEW_WARNING => Finding::warning(check, found, means, fix),
        _ => Finding::ok(check, found),
    }
}

pub async fn broker(config: &Config) -> Option<Finding> {
    let check = "broker";
    if config.broker.url.is_none() {
        return Some(Finding::skipped(
            check,
            "broker.url is not set; `counterfoil up` carries doorbells itself",
        ));
    }
    let means = "Jobs are accepted and wait in PostgreSQL; nobody is told of them.";
    let fix = "Is RabbitMQ up, do account and virtual host exist, may the account use queues named <broker.prefix>.*? \
               ops/rabbitmq has definitions that do.";
    let queue = match roles::queue(config) {
        Ok(queue) => queue,
        Err(error) => return Some(Finding::failed(check, format!("{error:#}"), means, fix)),
    };
    Some(match within(queue.health()).await {
        Ok(health) if health.blocked => Finding::failed(
            check,
            "takes no messages",
            "An alarm is on: memory or disk of the broker is used up. Jobs wait in PostgreSQL.",
            "`rabbitmq-diagnostics alarms` on the broker says which; make room there.",
        ),
        Ok(health) if health.reachable => Finding::ok(check, "answers"),
        Ok(health) => Finding::failed(check, health.problem.unwrap_or_default(), means, fix),
        Err(says) => Finding::failed(check, says, means, fix),
    })
}

pub async fn redis(config: &Config) -> Option<Finding> {
    let check = "redis";
    let Some(url) = &config.redis.url else {
        return Some(Finding::skipped(
            check,
            "redis.url is not set; each API process counts limits for itself",
        ));
    };
    let asked = within(async {
        let client = ::redis::Client::open(url.expose_secret())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        ::redis::cmd("PING").query_async::<String>(&mut connection).await
    });
    let says = match asked.await {
        Ok(Ok(_)) => return Some(Finding::ok(check, "answers")),
        // Its text may hold the address, never the password.
        Ok(Err(error)) => error.to_string(),
        Err(says) => says,
    };
    Some(Finding::warning(
        check,
        says,
        "Everything goes on; rate limits are counted in PostgreSQL or by each process for itself, and are weaker.",
        "Is Redis up, is the password right? `redis-cli -u \"$URL\" ping` tells the same without us.",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    fn well() -> Examination {
        Examination {
            version: 170_002,
            clock: DateTime::UNIX_EPOCH,
            role: "counterfoil".into(),
            is_superuser: false,
            may_create: true,
            foreign_tables: 0,
            is_replica: false,
            encoding: "UTF8".into(),
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".into(),
            max_connections: 200,
            has_checksums: true,
            autovacuum: true,
        }
    }

    fn states(seen: &Examination, version: SchemaVersion, skew_s: i64) -> Vec<(String, State)> {
        let findings = judged(seen, version, TimeDelta::seconds(skew_s), 50);
        for finding in &findings {
            let is_well = finding.state == State::Ok;
            assert_eq!(finding.fix.is_none(), is_well, "{finding:?}");
            assert_eq!(finding.means.is_none(), is_well, "{finding:?}");
        }
        let not_well = findings.into_iter().filter(|finding| finding.state != State::Ok);
        not_well.map(|finding| (finding.check, finding.state)).collect()
    }

    #[test]
    fn a_server_that_is_well_gives_nothing_to_do() {
        assert!(states(&well(), SchemaVersion::Same, 0).is_empty());
    }

    #[test]
    fn each_trouble_is_told_apart() {
        let cases: [(&str, State, Examination, SchemaVersion, i64); 13] = [
            ("database", State::Failed, Examination { is_replica: true, ..well() }, SchemaVersion::Same, 0),
            ("database", State::Failed, Examination { version: 140_011, ..well() }, SchemaVersion::Same, 0),
            (
                "database",
                State::Failed,
                Examination { encoding: "LATIN1".into(), ..well() },
                SchemaVersion::Same,
                0,
            ),
            ("database.migrations", State::Failed, well(), SchemaVersion::Older(2), 0),
            ("database.migrations", State::Failed, well(), SchemaVersion::Empty, 0),
            ("database.migrations", State::Warning, well(), SchemaVersion::Newer, 0),
            (
                "database.role",
                State::Failed,
                Examination { may_create: false, ..well() },
                SchemaVersion::Same,
                0,
            ),
            (
                "database.role",
                State::Warning,
                Examination { is_superuser: true, ..well() },
                SchemaVersion::Same,
                0,
            ),
            (
                "database.durability",
                State::Failed,
                Examination { fsync: false, ..well() },
                SchemaVersion::Same,
                0,
            ),
            (
                "database.durability",
                State::Warning,
                Examination { has_checksums: false, ..well() },
                SchemaVersion::Same,
                0,
            ),
            (
                "database.sessions",
                State::Warning,
                Examination { max_connections: 50, ..well() },
                SchemaVersion::Same,
                0,
            ),
            ("database.clock", State::Warning, well(), SchemaVersion::Same, -3),
            ("database.clock", State::Failed, well(), SchemaVersion::Same, 31),
        ];
        for (check, state, seen, version, skew_s) in cases {
            assert_eq!(
                states(&seen, version, skew_s),
                [(check.to_owned(), state)],
                "{seen:?} {version:?} {skew_s}"
            );
        }
    }

    #[test]
    fn an_instant_between_ours_is_no_skew() {
        let at = |s| DateTime::UNIX_EPOCH + TimeDelta::seconds(s);
        assert_eq!(skew(at(0), at(1), at(2)), TimeDelta::zero());
        assert_eq!(skew(at(10), at(7), at(12)), TimeDelta::seconds(-3));
        assert_eq!(skew(at(10), at(17), at(12)), TimeDelta::seconds(5));
    }
}
