//! When somebody is told, and where by SMS.

use super::person;
use crate::administration::Database;
use anyhow::{Context, Result, bail};
use chrono::NaiveTime;
use shared::config::Config;
use shared::schedule::zone;
use shared::store::notifications::PersonalSettings;

#[derive(clap::Args)]
pub struct HoursArgs {
    /// Of the account.
    email: String,
    /// Nothing but what is critical is sent in them: 22:00-07:00.
    #[arg(long, value_name = "FROM-TO", conflicts_with = "no_quiet")]
    quiet: Option<String>,
    /// No quiet hours any more.
    #[arg(long)]
    no_quiet: bool,
    /// By its IANA name: Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// When daily digests are sent: 08:00.
    #[arg(long, value_name = "TIME")]
    digest_at: Option<String>,
    /// For SMS, with the country: +49301234567.
    #[arg(long, value_name = "NUMBER", conflicts_with = "no_phone")]
    phone: Option<String>,
    /// No SMS any more.
    #[arg(long)]
    no_phone: bool,
    #[command(flatten)]
    database: Database,
}

pub(super) async fn run(config: Config, args: HoursArgs) -> Result<()> {
    // Mistakes first: nothing is half changed.
    let changed = Changed::read(&args)?;
    let store = args.database.open(&config).await?;
    let user_id = person(&store, &args.email).await?;
    let before = store.notification_settings(user_id).await?;
    let after = changed.over(before.clone());
    if after != before {
        store.set_notification_settings(user_id, &after).await?;
    }
    let quiet = after.quiet.map_or_else(
        || "none".to_owned(),
        |(from, to)| format!("{} to {}", from.format("%H:%M"), to.format("%H:%M")),
    );
    println!("quiet hours    {quiet}");
    println!("time zone      {}", after.time_zone);
    println!("daily digests  {}", after.digest_at.format("%H:%M"));
    println!("SMS            {}", after.phone.as_deref().unwrap_or("no number"));
    Ok(())
}

/// `None`: stays as it is.
#[derive(Debug, Default, PartialEq)]
struct Changed {
    quiet: Option<Option<(NaiveTime, NaiveTime)>>,
    time_zone: Option<String>,
    digest_at: Option<NaiveTime>,
    phone: Option<Option<String>>,
}

impl Changed {
    fn read(args: &HoursArgs) -> Result<Self> {
        let quiet = match &args.quiet {
            Some(text) => Some(Some(read_hours(text)?)),
            None => args.no_quiet.then_some(None),
        };
        let phone = match &args.phone {
            Some(number) => Some(Some(read_phone(number)?)),
            None => args.no_phone.then_some(None),
        };
        let time_zone = args.time_zone.as_deref().map(|name| zone(name).map(|zone| zone.name().to_owned()));
        let digest_at = args.digest_at.as_deref().map(read_time);
        Ok(Self { quiet, time_zone: time_zone.transpose()?, digest_at: digest_at.transpose()?, phone })
    }

    fn over(self, settings: PersonalSettings) -> PersonalSettings {
        PersonalSettings {
            quiet: self.quiet.unwrap_or(settings.quiet),
            time_zone: self.time_zone.unwrap_or(settings.time_zone),
            digest_at: self.digest_at.unwrap_or(settings.digest_at),
            phone: self.phone.unwrap_or(settings.phone),
            modes: settings.modes,
        }
    }
}

fn read_hours(text: &str) -> Result<(NaiveTime, NaiveTime)> {
    let (from, to) = text.split_once('-').context("quiet hours are FROM-TO: 22:00-07:00")?;
    Ok((read_time(from)?, read_time(to)?))
}

fn read_time(text: &str) -> Result<NaiveTime> {
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| text.len() == 5);
    time.with_context(|| format!("{text:?} is no time of day, HH:MM"))
}

fn read_phone(number: &str) -> Result<String> {
    let digits = number.strip_prefix('+').unwrap_or("");
    let is_number = (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        bail!("{number:?} is no number with its country: +49301234567");
    }
    Ok(number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_time_or_number_is_refused() {
        let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).expect("a time");
        assert_eq!(read_hours("22:00-07:30").expect("hours"), (at(22, 0), at(7, 30)));
        for bad in ["", "22:00", "22:00-", "22-7", "24:00-07:00", "22:00-7:00", "22:00-07:00-08:00"] {
            assert!(read_hours(bad).is_err(), "{bad}");
        }
        assert!(read_phone("+49301234567").is_ok());
        for bad in ["", "+", "49301234567", "+0301234567", "+49 30 1234", "+1234567890123456", "+12345"] {
            assert!(read_phone(bad).is_err(), "{bad}");
        }
    }
}
