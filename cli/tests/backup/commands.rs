//! Create, list, verify, drill, restore, prune.

use crate::place::{Place, refused, said};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_loses_the_database_and_has_it_back_by_one_command() {
    let place = Place::new("backup-commands");
    place.execute("CREATE DATABASE live").await;
    let config = std::fs::read_to_string(place.dir.join("config.toml")).expect("the configuration");
    std::fs::write(place.dir.join("config.toml"), config.replace("/postgres\"", "/live\"")).expect("writing");
    said(&place.counterfoil(&["migrate"]));
    let created = said(&place.counterfoil(&["backup", "create", "--note", "by hand"]));
    let id = created.split_whitespace().next().expect("an id").to_owned();
    assert!(created.contains("in near, far"), "{created}");
    said(&place.counterfoil(&["backup", "create", "--kind", "configuration"]));
    let listed = said(&place.counterfoil(&["backup", "list"]));
    assert!(
        listed.contains(&id) && listed.contains("by hand") && listed.contains("configuration"),
        "{listed}"
    );
    let never = |listed: &str| listed.split_whitespace().filter(|word| *word == "never").count();
    assert_eq!(never(&listed), 2, "{listed}");
    let verified = said(&place.counterfoil(&["backup", "verify"]));
    assert!(verified.contains("2 backups are whole in every store"), "{verified}");
    let listed = said(&place.counterfoil(&["backup", "list"]));
    assert!(listed.contains("VERIFIED") && never(&listed) == 0, "{listed}");
    let drilled = said(&place.counterfoil(&["backup", "drill"]));
    assert!(drilled.contains("is proven"), "{drilled}");
    assert_eq!(
        place.live("SELECT count(*) FROM restores WHERE mode = 'drill' AND state = 'succeeded'").await,
        1
    );
    assert_eq!(place.live("SELECT count(*) FROM backup_copies WHERE state = 'held'").await, 4);

    // Replacing what is there wants its name; a dry run touches nothing.
    let plan = said(&place.counterfoil(&["restore", "full", &id, "--dry-run"]));
    assert!(plan.contains("rename live to live_before_"), "{plan}");
    let why = refused(&place.counterfoil(&["restore", "full", &id]));
    assert!(why.contains("confirm"), "{why}");
    let done = said(&place.counterfoil(&["restore", "full", &id[..13], "--confirm", "live"]));
    assert!(done.contains("restored and proven"), "{done}");

    // The database is gone, and so is the configuration: a store and a key file are left.
    place.execute("DROP DATABASE live WITH (FORCE)").await;
    let path = |name: &str| place.dir.join(name).display().to_string();
    std::fs::write(place.dir.join("bare.toml"), format!("[database]\nurl = \"{}\"\n", place.postgres.url()))
        .expect("writing");
    let (config, store, keys) = (path("bare.toml"), path("far"), path("keys"));
    let done = said(&place.bare(&[
        "--config",
        &config,
        "restore",
        "full",
        &id,
        "--store-dir",
        &store,
        "--keys-file",
        &keys,
        "--cluster",
        "test",
    ]));
    assert!(done.contains("live is restored and proven"), "{done}");
    assert!(place.value::<bool>("SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'live')").await);

    let pruned = said(&place.counterfoil(&["backup", "prune", "--dry-run"]));
    assert!(pruned.contains("last_good") && !pruned.contains("remove"), "{pruned}");

    // A new key in front: everything is wrapped with it, and then the older one is not needed.
    let (older, newer) = (
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddee01",
        "f0112233445566778899aabbccddeeff00112233445566778899aabbccddee02",
    );
    let ring = |keys: &[&str]| std::fs::write(path("keys"), keys.join("\n")).expect("writing");
    ring(&[newer]);
    let why = refused(&place.counterfoil(&["backup", "rekey"]));
    assert!(why.contains("not among the configured ones") && why.contains("keep them behind"), "{why}");
    ring(&[newer, older]);
    let done = said(&place.counterfoil(&["backup", "rekey"]));
    assert!(done.contains("older ones may leave the ring"), "{done}");
    ring(&[newer]);
    let verified = said(&place.counterfoil(&["backup", "verify"]));
    assert!(verified.contains("whole in every store"), "{verified}");
    let done = said(&place.counterfoil(&["restore", "full", &id, "--as", "rotated"]));
    assert!(done.contains("rotated is restored and proven"), "{done}");
}
