//! What the person at the terminal sees, and how they stop it.

use super::failure::{Doing, Failure};
use indicatif::{ProgressBar, ProgressStyle};
use matching::{Phase, Progress};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Of a thousand steps of the bar, so many are for reading.
const READING_STEPS: u64 = 300;
const STEPS: u64 = 1_000;

/// A bar on standard error; nothing when that is no terminal.
pub struct Meter {
    bar: ProgressBar,
    bytes_read: AtomicU64,
    bytes_total: u64,
}

impl Meter {
    pub fn new(quiet: bool, bytes_total: u64) -> Self {
        let visible = !quiet && std::io::stderr().is_terminal();
        let bar = if visible { ProgressBar::new(STEPS) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{elapsed:>4} [{bar:40}] {percent:>3}% {msg}");
        bar.set_style(style.expect("a valid template").progress_chars("=> "));
        bar.set_message("reading");
        Meter { bar, bytes_read: AtomicU64::new(0), bytes_total: bytes_total.max(1) }
    }

    /// So many bytes more, of either file.
    pub fn read(&self, bytes: u64) {
        let read = self.bytes_read.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bar.set_position(read.min(self.bytes_total) * READING_STEPS / self.bytes_total);
    }

    pub fn matching(&self, progress: &Progress) {
        let steps = progress.fraction.clamp(0.0, 1.0) * (STEPS - READING_STEPS) as f64;
        self.bar.set_position(READING_STEPS + steps as u64);
        self.bar.set_message(match &progress.phase {
            Phase::Prepare => "preparing".to_owned(),
            Phase::Pass { name, .. } => format!("matching: {name}"),
            Phase::Explain => "explaining what is left".to_owned(),
        });
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Ctrl-C or SIGTERM, seen by everything that takes long.
#[derive(Clone)]
pub struct Interrupt {
    happened: Arc<AtomicBool>,
}

impl Interrupt {
    /// From here on the signals no longer end the process by themselves.
    pub fn listen() -> Result<Self, Failure> {
        let interrupt = Interrupt { happened: Arc::default() };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .doing("listening for Ctrl-C")?;
        // Registered before we return: a Ctrl-C right after must not be lost.
        let registered = {
            let _inside = runtime.enter();
            signal(SignalKind::interrupt()).and_then(|ctrl_c| Ok((ctrl_c, signal(SignalKind::terminate())?)))
        };
        let (mut ctrl_c, mut terminate) = registered.doing("listening for Ctrl-C")?;
        let happened = interrupt.happened.clone();
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! { _ = ctrl_c.recv() => {} _ = terminate.recv() => {} }
            });
            happened.store(true, Ordering::Relaxed);
        });
        Ok(interrupt)
    }

    pub fn happened(&self) -> bool {
        self.happened.load(Ordering::Relaxed)
    }

    pub fn check(&self) -> Result<(), Failure> {
        if self.happened() { Err(Failure::Interrupted) } else { Ok(()) }
    }
}
