//! Clocks that jump. A few lines of C stand between a process and the C library and add to the wall clock whatever a
//! file says at the moment; the monotonic clock is left alone, as when somebody sets the time of a machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *shift_s;

__attribute__((constructor)) static void find_shift(void) {
    const char *path = getenv("CHAOS_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    void *at = file < 0 ? MAP_FAILED : mmap(0, sizeof *shift_s, PROT_READ, MAP_SHARED, file, 0);
    if (at != MAP_FAILED) shift_s = at;
    if (file >= 0) close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && shift_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *shift_s;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec real;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &real)) return -1;
    now->tv_sec = real.tv_sec;
    now->tv_usec = real.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec real;
    clock_gettime(CLOCK_REALTIME, &real);
    if (now) *now = real.tv_sec;
    return real.tv_sec;
}
"#;

/// The library between, compiled for this run.
pub struct Clocks {
    library: PathBuf,
    dir: PathBuf,
}

impl Clocks {
    /// `None`, and a line that says so, where no C compiler is or the library does not take hold.
    pub fn prepare(dir: &Path) -> Option<Self> {
        let dir = dir.join("clocks");
        fs::create_dir_all(&dir).expect("a folder for the clocks");
        let (source, library) = (dir.join("shift.c"), dir.join("shift.so"));
        fs::write(&source, SOURCE).expect("the source");
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).output();
        let clocks = Self { library, dir };
        match built {
            Ok(output) if output.status.success() && clocks.take_hold() => Some(clocks),
            other => {
                println!(
                    "skipped: clocks do not jump, the library for it was not built or has no effect: {other:?}"
                );
                None
            }
        }
    }

    /// What a process is to have in its environment.
    pub fn environment_of(&self, name: &str) -> [(&'static str, String); 2] {
        let file = self.dir.join(name);
        set(&file, 0);
        let text = |path: &Path| path.to_str().expect("a UTF-8 path").to_owned();
        [("LD_PRELOAD", text(&self.library)), (VARIABLE, text(&file))]
    }

    fn take_hold(&self) -> bool {
        let environment = self.environment_of("probe");
        set(Path::new(&environment[1].1), 1_000_000);
        let shown = Command::new("date").arg("+%s").envs(environment).output();
        let shown = shown.ok().and_then(|output| String::from_utf8(output.stdout).ok()?.trim().parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        shown.is_some_and(|shown: u64| shown.abs_diff(now + 1_000_000) < 100)
    }
}

const VARIABLE: &str = "CHAOS_CLOCK";

/// Moves the clock of the process that has this environment to so many seconds from the right time, while it runs.
pub fn jump(environment: &[(&'static str, String)], seconds: i64) {
    let file = environment.iter().find(|(name, _)| *name == VARIABLE).expect("a process with such a clock");
    set(Path::new(&file.1), seconds);
}

fn set(file: &Path, seconds: i64) {
    // In place: the processes have it mapped.
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(file).expect("the clock's file");
    std::os::unix::fs::FileExt::write_all_at(&file, &seconds.to_ne_bytes(), 0).expect("setting the clock");
}
