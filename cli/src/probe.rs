//! `counterfoil probe`: asks one address, for health checks where there is no shell and no curl.

use anyhow::{Context, Result, bail};
use std::time::Duration;

#[derive(clap::Args)]
pub struct ProbeArgs {
    /// `http://127.0.0.1:8080/readyz`
    url: String,
    /// Seconds to wait for the answer.
    #[arg(long, value_name = "S", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
}

/// Succeeds when the answer's status is 2xx.
pub fn run(args: &ProbeArgs) -> Result<()> {
    let timeout = Some(Duration::from_secs(args.timeout));
    let agent =
        ureq::Agent::config_builder().timeout_global(timeout).http_status_as_error(false).build().new_agent();
    let answer = agent.get(&args.url).call().with_context(|| format!("asking {}", args.url))?;
    if !answer.status().is_success() {
        bail!("{} answers {}", args.url, answer.status());
    }
    Ok(())
}
