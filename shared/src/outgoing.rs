//! Asking other systems over HTTP, and where that may lead. Users give the addresses of webhooks, a log-in provider those
//! of its own parts, and this process stands inside a network: without a guard it would ask that network's machines, and
//! the cloud's metadata, on behalf of strangers.
//!
//! The name is resolved once; every address it has is checked; the connection goes to one of the addresses that were
//! checked. There is no second look-up that could answer otherwise, and redirects are not followed.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// A client that follows no redirect, knows no proxy, and gives up after `patience`. Statuses are answers, not errors.
/// Guarded: it only goes where that lets it. Its calls block.
pub fn agent(guard: Option<Guard>, patience: Duration) -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Config::builder()
        .timeout_global(Some(patience))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // A proxy would look names up anew, behind the guard's back.
        .proxy(None)
        // A connection that is kept was checked for another name's sake.
        .max_idle_connections(0)
        .user_agent(concat!("counterfoil/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build();
    let connector = DefaultConnector::default();
    match guard {
        Some(guard) => Agent::with_parts(config, connector, guard),
        None => Agent::with_parts(config, connector, DefaultResolver::default()),
    }
}

/// Refuses what is neither public nor allowed.
#[derive(Debug)]
pub struct Guard {
    allowed: Vec<IpNet>,
    resolver: DefaultResolver,
}

/// Says no address: whoever reads the log of a webhook could map the network with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    #[error("the address is not a public one")]
    NotPublic,
    #[error("public addresses need https")]
    NeedsHttps,
}

impl Guard {
    /// Lets through to public addresses by https, and to `allowed` in any way.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed, resolver: DefaultResolver::default() }
    }

    /// What can be said of an address without asking anybody: where it leads, if it names no name. `host` as a URL has
    /// it, `scheme` too.
    pub fn check_literal(&self, scheme: &str, host: &str) -> Result<(), GuardError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let is_this_host = bare == "localhost" || bare.ends_with(".localhost");
        let ip = if is_this_host { Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { bare.parse().ok() };
        ip.map_or(Ok(()), |ip| self.judge(scheme, ip))
    }

    fn judge(&self, scheme: &str, ip: IpAddr) -> Result<(), GuardError> {
        let canonical = ip.to_canonical();
        if self.allowed.iter().any(|net| net.contains(&canonical)) {
            return Ok(());
        }
        match scheme {
            _ if !is_public(ip) => Err(GuardError::NotPublic),
            "https" => Ok(()),
            _ => Err(GuardError::NeedsHttps),
        }
    }
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.resolver.resolve(uri, config, timeout)?;
        // One address that is not public is enough: the next connection might take that one.
        for address in found.iter() {
            let judged = self.judge(uri.scheme_str().unwrap_or_default(), address.ip());
            judged.map_err(|error| ureq::Error::Other(Box::new(error)))?;
        }
        Ok(found)
    }
}

/// Whether an address belongs to the public Internet: the IANA registries of special addresses, turned round.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127, ..)              // this network, private, loopback
            | (100, 64..=127, _)        // shared by providers; a cloud's metadata
            | (169, 254, _)             // link-local: the clouds' metadata
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0)
            | (192, 0, 2)               // documentation
            | (198, 51, 100)
            | (203, 0, 113)
            | (192, 88, 99)             // 6to4 relays
            | (198, 18..=19, _)         // benchmarks
            | (224..=255, ..) // multicast, reserved, broadcast
    );
    // Azure's wire server has a public address.
    !is_special && ip != Ipv4Addr::new(168, 63, 129, 16)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // Translated to IPv4: the address inside counts.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Protocol assignments, Teredo and ORCHID among them.
        [0x2001, 0x0000..=0x01ff, ..] => false,
        // Documentation.
        [0x2001, 0x0db8, ..] | [0x3fff, 0x0000..=0x0fff, ..] => false,
        // Global unicast; whatever else there is, is local, multicast, or not handed out.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_written_out_is_judged_without_asking() {
        let guard = Guard::new(vec!["10.1.0.0/16".parse().unwrap()]);
        for (scheme, host, judged) in [
            ("https", "hooks.example.org", Ok(())),
            ("http", "hooks.example.org", Ok(())),
            ("https", "1.1.1.1", Ok(())),
            ("http", "1.1.1.1", Err(GuardError::NeedsHttps)),
            ("http", "10.1.2.3", Ok(())),
            ("https", "10.2.0.1", Err(GuardError::NotPublic)),
            ("https", "[::1]", Err(GuardError::NotPublic)),
            ("https", "[::ffff:169.254.169.254]", Err(GuardError::NotPublic)),
            ("https", "localhost", Err(GuardError::NotPublic)),
            ("https", "db.localhost.", Err(GuardError::NotPublic)),
        ] {
            assert_eq!(guard.check_literal(scheme, host), judged, "{scheme} {host}");
        }
    }

    #[test]
    fn only_public_addresses_are() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.216.34",
            "172.15.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "169.253.0.1",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "64:ff9b::8.8.8.8",
            "::ffff:8.8.8.8",
            "2002:0808:0808::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:c0a8:0101::1",
            "4000::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }
}
