//! The `counterfoil up` that is meant where the configuration names no database: what it uses is what is looked at.

use super::finding::Finding;
use crate::embedded::{self, Running};
use crate::roles::RoleName;
use shared::config::{Config, ShownKey};
use shared::outgoing::agent;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// One that runs, or ran, on a data directory.
pub struct Here {
    data_dir: PathBuf,
    is_running: bool,
    running: Option<Running>,
}

impl Here {
    /// `None`: the configuration is one of separate roles.
    pub fn look(config: &Config, role: Option<RoleName>, asked: Option<PathBuf>) -> Option<Self> {
        if role.is_some_and(|role| role != RoleName::Up) {
            return None;
        }
        let data_dir = super::data_dir(asked)?;
        let is_running = embedded::is_running(&data_dir);
        let is_meant = is_running || (config.database.url.is_none() && embedded::was_running(&data_dir));
        let running = if is_running { Running::read(&data_dir) } else { None };
        is_meant.then_some(Self { data_dir, is_running, running })
    }

    /// Puts what `up` uses where the configuration is silent.
    pub fn complete(&self, config: &mut Config) {
        embedded::name_places(config, &self.data_dir);
        let auth = &mut config.auth;
        let own_key = embedded::signing_key_file(&self.data_dir);
        if auth.signing_key.is_none() && auth.signing_key_file.is_none() && own_key.exists() {
            auth.signing_key_file = Some(own_key);
        }
        if auth.sealing_key.is_none() {
            auth.sealing_key = sealing_key(&self.data_dir).map(Into::into);
        }
    }

    pub async fn findings(&self, shown: &[ShownKey]) -> Vec<Finding> {
        let check = "up";
        let Some(running) = &self.running else {
            let dir = self.data_dir.display();
            return vec![if self.is_running {
                Finding::ok(check, format!("one runs on {dir}; its version does not say more"))
            } else {
                Finding::skipped(check, format!("none runs now; this is what one on {dir} uses"))
            }];
        };
        let mut findings = vec![self.answers(running).await];
        let differing = running.differing(shown);
        if !differing.is_empty() {
            findings.push(Finding::warning(
                "up.configuration",
                format!("it was started with other settings than this shell has: {}", differing.join(", ")),
                "The rest of this report is about this shell's settings, not about the process that runs.",
                "Give doctor the same --config and the same variables, or start `up` again.",
            ));
        }
        findings
    }

    async fn answers(&self, running: &Running) -> Finding {
        let Running { pid, url, .. } = running;
        let found = format!("process {pid} on {} at {url}", self.data_dir.display());
        let ready = format!("{url}/readyz");
        let asked = tokio::task::spawn_blocking(move || {
            agent(None, PATIENCE).get(&ready).call().map(|answer| answer.status().as_u16())
        });
        let (means, fix) = ("It takes no requests now.", "Its log says why; `up` writes it on its terminal.");
        match asked.await {
            Ok(Ok(200..=299)) => Finding::ok("up", found),
            Ok(Ok(status)) => {
                Finding::failed("up", format!("{found}, not ready (it answers {status})"), means, fix)
            }
            _ => Finding::failed("up", format!("{found}, does not answer"), means, fix),
        }
    }
}

/// As `up` reads it; `None`: there is none, or not for us.
fn sealing_key(data_dir: &Path) -> Option<String> {
    let bytes = std::fs::read(embedded::sealing_key_file(data_dir)).ok()?;
    match bytes.len() {
        32 => Some(data_encoding::HEXLOWER.encode(&bytes)),
        _ => String::from_utf8(bytes).ok(),
    }
}
