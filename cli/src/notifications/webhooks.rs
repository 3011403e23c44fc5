//! Webhooks, as their operator sees them: whether they answer, and what they were sent. Adding one and changing its secret
//! are for its owner, over HTTP.

use super::{LINES_MAX, person};
use crate::administration::{Database, print_table};
use anyhow::{Context, Result};
use shared::config::Config;
use shared::ids::{ProjectId, WebhookId};

#[derive(clap::Subcommand)]
pub enum WebhooksCommand {
    /// List those of a project, or those of the system.
    List {
        /// The project's id.
        #[arg(long, value_name = "ID")]
        project: Option<ProjectId>,
        #[command(flatten)]
        database: Database,
    },
    /// List what one was sent, newest first, with the last answer.
    Deliveries {
        id: WebhookId,
        #[command(flatten)]
        database: Database,
    },
    /// Switch one on again.
    Enable {
        id: WebhookId,
        #[command(flatten)]
        database: Database,
    },
    /// Send one a test, whatever events it wants.
    Test {
        id: WebhookId,
        /// In whose name, by the address of the account.
        #[arg(long, value_name = "EMAIL")]
        by: String,
        #[command(flatten)]
        database: Database,
    },
    /// Remove one; what waits for it is not sent.
    Remove {
        id: WebhookId,
        #[command(flatten)]
        database: Database,
    },
}

pub(super) async fn run(config: Config, command: WebhooksCommand) -> Result<()> {
    use WebhooksCommand::*;
    let unknown = |id: WebhookId| format!("there is no webhook {id}");
    match command {
        List { project, database } => {
            let found = database.open(&config).await?.webhooks(project).await?;
            let rows = found.into_iter().map(|webhook| {
                let state = match (webhook.disabled_at, webhook.failing_since) {
                    (Some(at), _) => format!("off since {}", at.to_rfc3339()),
                    (None, Some(at)) => format!("failing since {}", at.to_rfc3339()),
                    (None, None) => "on".to_owned(),
                };
                let events =
                    if webhook.events.is_empty() { "all".to_owned() } else { webhook.events.join(",") };
                vec![webhook.id.to_string(), state, events, webhook.url]
            });
            print_table(&["ID", "STATE", "EVENTS", "ADDRESS"], &rows.collect::<Vec<_>>());
        }
        Deliveries { id, database } => {
            let store = database.open(&config).await?;
            store.webhook(id).await?.with_context(|| unknown(id))?;
            let found = store.webhook_deliveries(id, None, LINES_MAX).await?;
            let rows = found.into_iter().map(|delivery| {
                let answer = delivery.tries.last().map(|last| match (last.status, &last.error) {
                    (Some(status), _) => status.to_string(),
                    (None, Some(error)) => error.clone(),
                    (None, None) => String::new(),
                });
                vec![
                    delivery.id.to_string(),
                    delivery.created_at.to_rfc3339(),
                    delivery.event,
                    format!("{:?}", delivery.state).to_lowercase(),
                    delivery.tries.len().to_string(),
                    answer.unwrap_or_default(),
                ]
            });
            print_table(&["ID", "AT", "EVENT", "STATE", "TRIES", "ANSWER"], &rows.collect::<Vec<_>>());
        }
        Enable { id, database } => {
            let enabled = database.open(&config).await?.enable_webhook(id).await?;
            enabled.then_some(()).with_context(|| unknown(id))?;
            println!("{id} is on");
        }
        Test { id, by, database } => {
            let store = database.open(&config).await?;
            store.webhook(id).await?.with_context(|| unknown(id))?;
            let by = person(&store, &by).await?;
            store.test_webhook(id, by, &config.routing()).await?;
            println!("a test is on its way to {id}");
        }
        Remove { id, database } => {
            let removed = database.open(&config).await?.remove_webhook(id).await?;
            removed.then_some(()).with_context(|| unknown(id))?;
            println!("{id} is gone");
        }
    }
    Ok(())
}
