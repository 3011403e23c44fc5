//! Notifications from a shell on the server: what people want, addresses that bounced, alerts that are open.

mod hours;
mod webhooks;

use crate::administration::{Database, print_table};
use anyhow::{Context, Result, bail};
use shared::config::Config;
use shared::notification::{Event, EventKind, Mode, PersonalChannel};
use shared::store::Store;
use shared::store::notifications::ChosenMode;

/// Lines of a list; those who need more ask over HTTP.
const LINES_MAX: u32 = 500;

#[derive(clap::Subcommand)]
pub enum NotificationsCommand {
    /// Send somebody a test over all channels they have.
    Test {
        /// Of the account.
        email: String,
        #[command(flatten)]
        database: Database,
    },
    /// Show what somebody is told, over which channels.
    Choices {
        /// Of the account.
        email: String,
        #[command(flatten)]
        database: Database,
    },
    /// Choose for somebody, as they can themselves.
    Choose {
        /// Of the account.
        email: String,
        /// `reconciliation.finished` and the like.
        event: String,
        /// inbox, email or sms.
        channel: String,
        /// off, at_once, hourly or daily.
        mode: String,
        #[command(flatten)]
        database: Database,
    },
    /// Show or change somebody's quiet hours, time zone, time of daily digests and number for SMS.
    Hours(hours::HoursArgs),
    /// Look at webhooks, switch them on, test and remove them.
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),
    /// List addresses that bounced: they get no mail.
    Bounces {
        #[command(flatten)]
        database: Database,
    },
    /// Send mail to an address again.
    ClearBounce {
        address: String,
        #[command(flatten)]
        database: Database,
    },
    /// List the alerts of the system that are open.
    Alerts {
        #[command(flatten)]
        database: Database,
    },
}

pub async fn run(config: Config, command: NotificationsCommand) -> Result<()> {
    use NotificationsCommand::*;
    match command {
        Test { email, database } => {
            let store = database.open(&config).await?;
            let user_id = person(&store, &email).await?;
            let id = store.notify(None, &Event::Test { user_id }).await?;
            println!("{id} is on its way");
        }
        Choices { email, database } => choices(&database.open(&config).await?, &email).await?,
        Choose { email, event, channel, mode, database } => {
            let chosen = read_choice(&event, &channel, &mode)?;
            choose(&database.open(&config).await?, &email, chosen).await?;
        }
        Hours(args) => hours::run(config, args).await?,
        Webhooks(command) => webhooks::run(config, command).await?,
        Bounces { database } => {
            let found = database.open(&config).await?.bounces(None, LINES_MAX).await?;
            let rows: Vec<Vec<String>> = found
                .into_iter()
                .map(|bounce| vec![bounce.address, bounce.bounced_at.to_rfc3339(), bounce.says])
                .collect();
            print_table(&["ADDRESS", "SINCE", "SAYS"], &rows);
        }
        ClearBounce { address, database } => {
            if !database.open(&config).await?.clear_bounce(&address).await? {
                bail!("{address} has not bounced");
            }
            println!("{address} gets mail again");
        }
        Alerts { database } => {
            let found = database.open(&config).await?.alerts(None, true, None, LINES_MAX).await?;
            let rows: Vec<Vec<String>> = found
                .into_iter()
                .map(|alert| {
                    let acknowledged = if alert.acknowledged_at.is_some() { "yes" } else { "no" };
                    vec![
                        alert.event,
                        alert.severity.as_str().to_owned(),
                        alert.occurrences.to_string(),
                        acknowledged.to_owned(),
                        alert.opened_at.to_rfc3339(),
                        alert.says,
                    ]
                })
                .collect();
            print_table(&["EVENT", "SEVERITY", "TIMES", "ACKNOWLEDGED", "SINCE", "SAYS"], &rows);
        }
    }
    Ok(())
}

async fn person(store: &Store, email: &str) -> Result<shared::ids::UserId> {
    let found = store.credentials(email).await?;
    Ok(found.with_context(|| format!("there is no account of {email}"))?.id)
}

async fn choices(store: &Store, email: &str) -> Result<()> {
    let settings = store.notification_settings(person(store, email).await?).await?;
    let mut rows = vec![];
    for kind in EventKind::ALL.into_iter().filter(|kind| kind.is_chosen()) {
        let mut row = vec![kind.as_str().to_owned()];
        for channel in PersonalChannel::ALL {
            let is_this =
                |chosen: &&ChosenMode| chosen.event == kind.as_str() && chosen.channel == channel.as_str();
            let chosen = settings.modes.iter().find(is_this);
            let mode = chosen.map_or_else(|| kind.default_mode(channel), |chosen| chosen.mode);
            row.push(mode.as_str().to_owned());
        }
        rows.push(row);
    }
    print_table(&["EVENT", "INBOX", "EMAIL", "SMS"], &rows);
    Ok(())
}

fn read_choice(event: &str, channel: &str, mode: &str) -> Result<ChosenMode> {
    let kind = EventKind::parse(event).filter(|kind| kind.is_chosen());
    let kind = kind.with_context(|| {
        let known = EventKind::ALL.into_iter().filter(|kind| kind.is_chosen()).map(EventKind::as_str);
        format!("there is no event {event}; known are {}", known.collect::<Vec<_>>().join(", "))
    })?;
    let channel = PersonalChannel::parse(channel).context("a channel is inbox, email or sms")?;
    let modes = [Mode::Off, Mode::AtOnce, Mode::Hourly, Mode::Daily];
    let mode = modes.into_iter().find(|known| known.as_str() == mode);
    let mode = mode.context("a mode is off, at_once, hourly or daily")?;
    Ok(ChosenMode { event: kind.as_str().to_owned(), channel: channel.as_str().to_owned(), mode })
}

async fn choose(store: &Store, email: &str, chosen: ChosenMode) -> Result<()> {
    let user_id = person(store, email).await?;
    let mut settings = store.notification_settings(user_id).await?;
    settings.modes.retain(|known| (&known.event, &known.channel) != (&chosen.event, &chosen.channel));
    settings.modes.push(chosen);
    store.set_notification_settings(user_id, &settings).await?;
    Ok(())
}
