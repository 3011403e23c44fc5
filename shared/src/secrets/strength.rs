//! Refusing secrets that keep nobody out.

use secrecy::{ExposeSecret, SecretString};

/// What programs and manuals put where a password belongs.
const DEFAULTS: [&str; 14] = [
    "guest",
    "postgres",
    "password",
    "changeme",
    "change-me",
    "changeit",
    "secret",
    "admin",
    "administrator",
    "root",
    "test",
    "default",
    "counterfoil",
    "example",
];
/// Fewer characters can be tried out.
const CHARS_MIN: usize = 12;
/// Of what a program sends; nobody has to remember it.
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 16..=512;

/// What is wrong with the password in a URL, if anything. A server on this machine may have none: its socket or its
/// `pg_hba.conf` decides who comes in.
pub fn check_url(key: &str, url: &SecretString) -> Result<(), String> {
    let url = url.expose_secret();
    let Some((_, rest)) = url.split_once("://") else { return Ok(()) };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if is_this_machine(host) {
        return Ok(());
    }
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    if password.is_empty() {
        // A certificate or an identity of the cloud may stand in for it; `guest` on AMQP means its default password.
        let is_guest = url.starts_with("amqp") && (user.is_empty() || user == "guest");
        return if is_guest { Err(format!("{key} has no password")) } else { Ok(()) };
    }
    let plain = password.to_lowercase();
    if DEFAULTS.contains(&plain.as_str()) || plain == user.to_lowercase() {
        Err(format!("{key} has a default password"))
    } else if password.chars().count() < CHARS_MIN {
        Err(format!("{key} has a password of fewer than {CHARS_MIN} characters"))
    } else {
        Ok(())
    }
}

/// What is wrong with a token that programs send in a header, if anything.
pub fn check_token(key: &str, token: &SecretString) -> Result<(), String> {
    let token = token.expose_secret();
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{key} has characters that no header takes: use letters, digits and signs"));
    }
    if !TOKEN_CHARS.contains(&token.len()) {
        let (min, max) = (TOKEN_CHARS.start(), TOKEN_CHARS.end());
        return Err(format!("{key} has {} characters, and must have {min} to {max}", token.len()));
    }
    Ok(())
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.is_empty()
        || name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().starts_with("%2f")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_fit_into_a_header() {
        let check = |text: &str| check_token("http.metrics_token", &text.to_owned().into());
        assert_eq!(check(&"ab12".repeat(16)), Ok(()));
        for bad in
            ["short", "", "with a blank in the middle of it", "ümlaute-sind-nicht-erlaubt", &"x".repeat(513)]
        {
            assert!(check(bad).is_err_and(|says| says.starts_with("http.metrics_token has ")), "{bad}");
        }
    }

    #[test]
    fn weak_passwords_are_refused_by_name() {
        let bad = [
            "postgres://counterfoil:postgres@db/x",
            "postgres://counterfoil:counterfoil@db/x",
            "postgres://app:app@db/x",
            "postgres://app:short@db.example.org:5432/x",
            "postgres://app:ChangeMe@10.0.0.1/x",
            "postgres://app:elevenchars@10.0.0.1/x",
            "amqp://guest:guest@broker:5672/",
            "amqp://broker:5672/",
            "amqp://guest@broker/",
            "amqps://app:password@broker",
            "redis://:secret@cache:6379",
            "redis://:hunter2@[2001:db8::1]:6379",
        ];
        for url in bad {
            let wrong = check_url("database.url", &url.to_owned().into()).expect_err(url);
            assert!(wrong.starts_with("database.url has "), "{wrong}");
            assert!(!wrong.contains("hunter2") && !wrong.contains("short@"), "{wrong}");
        }
        let good = [
            "postgres://app:correct-horse-battery@db/x",
            "postgres://app@db/x?sslcert=client.pem",
            "postgres://postgres@127.0.0.1:55432/postgres",
            "postgres://postgres:postgres@localhost/x",
            "postgres://%2Fvar%2Frun%2Fpostgresql/x",
            "amqp://guest:guest@127.0.0.1:5672",
            "amqp://guest:guest@[::1]:5672",
            "redis://127.0.0.1:6379",
            "redis://cache:6379",
        ];
        for url in good {
            assert_eq!(check_url("database.url", &url.to_owned().into()), Ok(()), "{url}");
        }
    }
}
