use super::*;
use crate::catalogue::Catalogued;
use crate::manifest_samples::{at, base};
use crate::wal::{WalFile, coverage_of};

const SEGMENT: u64 = 16 << 20;

fn catalogue(manifests: Vec<Manifest>) -> Catalogue {
    let backups = manifests.into_iter().map(|manifest| Catalogued {
        folder: manifest.folder().unwrap(),
        manifest: Ok(Box::new(manifest)),
        held_by: vec![],
        manifest_bytes: 0,
    });
    Catalogue { backups: backups.collect(), unanswered: vec![] }
}

/// Two base backups, at 1 to 2 and at 5 to 6 o'clock; WAL of all but segment 30.
fn planned(until: &Until) -> std::result::Result<Uuid, String> {
    let catalogue = catalogue(vec![base(1, 1, 1, 10), base(2, 5, 1, 20)]);
    let numbers = (10..40).filter(|number| *number != 30);
    let coverage = coverage_of(numbers.map(|number| WalFile::numbered(1, number, SEGMENT)), SEGMENT);
    plan(&catalogue, &coverage, until, None).map(|plan| plan.manifest.id)
}

#[test]
fn the_newest_base_backup_that_ended_before_is_taken() {
    let (first, second) = (Ok(Uuid::from_u128(1)), Ok(Uuid::from_u128(2)));
    assert_eq!(planned(&Until::Latest), second);
    assert_eq!(planned(&Until::Time(at(6))), second);
    assert_eq!(planned(&Until::Time(at(5))), first, "the second was not complete then");
    assert_eq!(planned(&Until::Lsn(Lsn(15 * SEGMENT))), first);
    assert_eq!(planned(&Until::Lsn(Lsn(25 * SEGMENT))), second);
}

#[test]
fn what_cannot_be_reached_is_refused_before_anything_is_fetched() {
    assert!(planned(&Until::Time(at(1))).unwrap_err().contains("newer"));
    let beyond = planned(&Until::Lsn(Lsn(35 * SEGMENT))).unwrap_err();
    assert!(beyond.contains("without a hole"), "{beyond}");
    let nothing = coverage_of([], SEGMENT);
    assert!(plan(&catalogue(vec![]), &nothing, &Until::Latest, None).is_err());
    let unknown = plan(&catalogue(vec![base(1, 1, 1, 10)]), &nothing, &Until::Latest, Some(Uuid::nil()));
    assert!(unknown.is_err());
}

#[test]
fn holes_after_it_are_said() {
    let catalogue = catalogue(vec![base(2, 5, 1, 20)]);
    let numbers = [20, 21, 22, 24];
    let coverage = coverage_of(numbers.map(|number| WalFile::numbered(1, number, SEGMENT)), SEGMENT);
    let plan = plan(&catalogue, &coverage, &Until::Latest, None).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("is missing")), "{:?}", plan.notes);
}
