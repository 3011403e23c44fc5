//! The first elements of a JSON file as rows.

use super::sample::{ROWS_MAX, Sample};
use crate::ReadError;
use crate::json_array::{Cut, JsonArray};
use crate::json_object::{Member, read_members};

const ELEMENT_BYTES_MAX: usize = 1 << 20;
/// Keys that only later elements have are listed up to here.
const KEYS_MAX: usize = 1_000;

/// The first element must be an object; later ones that are none, or are cut, end the sample.
pub(super) fn of(text: &[u8]) -> Result<Sample, ReadError> {
    let mut sample = Sample::default();
    match text.trim_ascii_start() {
        [b'[', elements @ ..] => {
            let mut array = JsonArray::new(elements, 0, ELEMENT_BYTES_MAX);
            while sample.rows.len() < ROWS_MAX {
                let cut = array.next(|_| Ok(()));
                if sample.rows.is_empty() && matches!(cut, Ok(Cut::End)) {
                    return Err(ReadError::Empty);
                }
                match cut {
                    Ok(Cut::Element | Cut::TooLong) if add(&mut sample, array.element()).is_some() => {}
                    Err(error) if sample.rows.is_empty() => return Err(error),
                    _ => break,
                }
            }
        }
        lines => {
            let mut lines = lines.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty());
            while sample.rows.len() < ROWS_MAX
                && lines.next().is_some_and(|line| add(&mut sample, line).is_some())
            {}
        }
    }
    if sample.rows.is_empty() {
        let says = "the first element of the file is not a JSON object".to_owned();
        return Err(ReadError::NotThisFormat { says });
    }
    Ok(sample)
}

fn add(sample: &mut Sample, element: &[u8]) -> Option<()> {
    let text = std::str::from_utf8(element).ok()?.trim();
    let is_first = sample.rows.is_empty();
    read_members(text, &[], &mut |key| {
        let known = sample.names.iter().any(|name| name == key);
        // An optional key of a later element is worth knowing, too, but columns are those of the first one.
        if is_first && !known && sample.names.len() < KEYS_MAX {
            sample.names.push(key.to_owned());
        }
    })
    .ok()?;
    let members = read_members(text, &sample.names, &mut |_| {}).ok()?;
    let cell = |member: Member<'_>| match member {
        Member::Text(text) => text.into_owned(),
        Member::Nothing | Member::Bad(_) => String::new(),
    };
    sample.rows.push(members.into_iter().map(cell).collect());
    Some(())
}
