//! How full a file system is.

use std::io;
use std::path::Path;

/// 0 to 1. What root has reserved for itself is not there for us.
pub(super) fn share_used(path: &Path) -> io::Result<f64> {
    let of = statvfs(path)?;
    let (free, used) = (of.f_bavail as f64, (of.f_blocks - of.f_bfree) as f64);
    Ok(if free + used > 0.0 { used / (free + used) } else { 1.0 })
}

/// That we may still write.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    statvfs(path).map(|of| of.f_bavail * of.f_frsize)
}

fn statvfs(path: &Path) -> io::Result<libc::statvfs> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: `statvfs` is plain numbers, for which zeros are a value; the path ends with a zero byte and outlives
    // the call.
    unsafe {
        let mut of: libc::statvfs = std::mem::zeroed();
        if libc::statvfs(path.as_ptr(), &mut of) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(of)
    }
}
