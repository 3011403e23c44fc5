//! The mappings of a run as files, for a person to correct.

use super::failure::Failure;
use super::inputs::Input;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

/// `left.mapping.toml` and `right.mapping.toml` in the folder, which is made where it is not there. Files of these
/// names are replaced only by `force`.
pub fn write(folder: &Path, inputs: [&Input; 2], force: bool) -> Result<(), Failure> {
    let failed =
        |path: &Path, error: std::io::Error| Failure::input([format!("{}: {error}", path.display())]);
    let files: Vec<_> =
        inputs.iter().map(|input| folder.join(format!("{}.mapping.toml", input.side.as_str()))).collect();
    let there = files.iter().filter(|path| path.exists() && !force);
    let there: Vec<String> =
        there.map(|path| format!("{}: is there already; --force replaces it", path.display())).collect();
    if !there.is_empty() {
        return Err(Failure::input(there));
    }
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for (input, path) in inputs.iter().zip(&files) {
        let text = input.mapping_text()?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(path, error))?;
        eprintln!("{}: the mapping that this run uses", path.display());
    }
    Ok(())
}
