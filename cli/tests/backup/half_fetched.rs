//! Restores that end while they fetch: by SIGKILL, or because the stores stop answering. The same command goes on with
//! what has come, and trusts none of it.

use crate::killed::{ROWS, id_of, killed_when, live, rows, staged, with_rows};
use crate::place::{Place, refused, said};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Hardly to be compressed further than to half: some 40 MB, in packs of 16 MiB.
const NOISE: &str = "CREATE TABLE noise AS
    SELECT n AS id, (SELECT string_agg(md5(n::text || ' ' || m::text), '') FROM generate_series(1, 512) AS m) AS text
    FROM generate_series(1, 5000) AS n";

async fn with_several_packs(name: &str) -> Place {
    let place = with_rows(name).await;
    live(&place, NOISE).await;
    let config = fs::read_to_string(place.dir.join("config.toml")).expect("the configuration");
    place.write("config.toml", &config.replace("[backup]\n", "[backup]\npack_mib = 16\n"));
    place
}

/// The packs of the only backup of a class, in their order.
fn packs(place: &Place, store: &str, class: &str) -> Vec<PathBuf> {
    let class = place.dir.join(store).join("v1/test").join(class);
    let backup = fs::read_dir(&class).expect("backups").flatten().next().expect("a backup").path();
    let found = fs::read_dir(backup).expect("objects").flatten().map(|found| found.path());
    let mut found: Vec<PathBuf> = found.filter(|path| !path.ends_with("manifest")).collect();
    found.sort();
    assert!(found.len() >= 3, "{found:?}");
    found
}

fn whole(dir: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(dir).into_iter().flatten().flatten().map(|found| found.path());
    found.filter(|path| path.extension().is_none()).collect()
}

/// Lets a restore fetch two packs and wait for the third, kills it there, damages the first of what it has fetched and
/// removes the second from every store. Returns how many it has fetched that are whole.
async fn kill_while_fetching(
    place: &Place,
    class: &str,
    command: &[&str],
    kept_in: impl Fn() -> Option<PathBuf>,
) -> usize {
    let of_class = packs(place, "near", class);
    // Whoever opens it waits until somebody writes.
    let (third, aside) = (&of_class[2], place.dir.join("aside"));
    fs::rename(third, &aside).expect("moving");
    let path = std::ffi::CString::new(third.as_os_str().as_encoded_bytes()).expect("a path");
    // SAFETY: the path ends with a zero byte and outlives the call.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o644) }, 0, "making a pipe");
    fs::set_permissions(third, Permissions::from_mode(0o644)).expect("opening the pipe for all");
    let fetched = async || kept_in().is_some_and(|dir| whole(&dir).len() >= 2);
    assert!(killed_when(place.spawn(command), fetched).await, "it does not wait for the third pack");
    fs::remove_file(third).and_then(|()| fs::rename(&aside, third)).expect("moving back");

    let first = fs::read(&of_class[0]).expect("the first pack");
    let kept = whole(&kept_in().expect("what was fetched"));
    let of_first = kept.iter().find(|path| fs::read(path).is_ok_and(|bytes| bytes == first));
    let mut damaged = first;
    let at = damaged.len() / 2;
    damaged[at] ^= 1;
    fs::write(of_first.expect("the first pack was fetched"), damaged).expect("damaging");
    for store in ["near", "far"] {
        fs::remove_file(&packs(place, store, class)[1]).expect("removing");
    }
    kept.len() - 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_killed_while_it_fetched_goes_on_with_what_is_whole() {
    let mut place = with_several_packs("backup-half-fetched").await;
    place.archive().await;
    let full = id_of(&said(&place.counterfoil(&["backup", "create"])));
    said(&place.counterfoil(&["backup", "create", "--kind", "base"]));
    place.switch_wal().await;
    live(&place, "DELETE FROM ballast").await;

    let number = packs(&place, "near", "full").len();
    let command = ["restore", "full", full.as_str(), "--confirm", "live", "--without-safety-backup"];
    let kept = kill_while_fetching(&place, "full", &command, || Some(staged(&place)?.join("packs"))).await;
    assert_eq!(place.live("SELECT count(*) FROM ballast").await, 0, "nothing was touched");
    let done = said(&place.counterfoil(&command));
    let goes_on = format!("go on with {kept} of {number} fetched objects");
    assert!(done.contains("restored and proven") && done.contains(&goes_on), "{done}");
    assert_eq!(place.live("SELECT count(*) FROM ballast").await, ROWS);
    assert_eq!(staged(&place), None, "what was fetched is left");

    let number = packs(&place, "near", "base").len();
    let into = place.dir.join("recovered");
    let command = ["restore", "pitr", "--into", into.to_str().expect("a path"), "--consistent"];
    let kept = kill_while_fetching(&place, "base", &command, || Some(into.join("counterfoil-packs"))).await;
    let done = said(&place.counterfoil(&command));
    let goes_on = format!("go on with {kept} of {number} fetched objects");
    assert!(done.contains("shut down in order") && done.contains(&goes_on), "{done}");
    assert!(!into.join("counterfoil-packs").exists(), "what was fetched is left in the cluster");
    assert_eq!(rows(&into).await, ROWS);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_before_the_stores_stopped_answering_is_kept() {
    let place = with_several_packs("backup-stores-stop").await;
    let full = id_of(&said(&place.counterfoil(&["backup", "create"])));
    let number = packs(&place, "near", "full").len();
    let third = ["near", "far"].map(|store| packs(&place, store, "full")[2].clone());
    for pack in &third {
        fs::set_permissions(pack, Permissions::from_mode(0o000)).expect("closing");
    }
    let command = ["restore", "full", full.as_str(), "--as", "beside"];
    let why = refused(&place.counterfoil(&command));
    assert!(why.contains("What was fetched is kept"), "{why}");
    let kept = whole(&staged(&place).expect("what was fetched").join("packs")).len();
    assert!((2..number).contains(&kept), "{kept} of {number}");
    for pack in &third {
        fs::set_permissions(pack, Permissions::from_mode(0o600)).expect("opening");
    }
    let done = said(&place.counterfoil(&command));
    assert!(done.contains(&format!("go on with {kept} of {number} fetched objects")), "{done}");
    assert_eq!(staged(&place), None, "what was fetched is left");
}
