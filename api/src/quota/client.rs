//! Where a request comes from.

use super::Quotas;
use crate::state::Api;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The other end of the connection; put there by whoever accepts it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// Who asks, as far as the network knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub ip: IpAddr,
}

/// Addresses looked at in `X-Forwarded-For`, from the last one on.
const HOPS_MAX: usize = 20;

tokio::task_local! {
    static VISITOR: Client;
}

/// Remembers who asks for whatever is asked on in the same task: pages ask the API, and have no connection with it.
pub(crate) async fn remember(State(api): State<Api>, request: Request, next: Next) -> Response {
    let client = Client::of(&request, &api.quotas);
    VISITOR.scope(client, next.run(request)).await
}

impl Client {
    pub fn of(request: &Request, quotas: &Quotas) -> Self {
        let peer = request.extensions().get::<Peer>();
        if peer.is_none()
            && let Ok(client) = VISITOR.try_with(Clone::clone)
        {
            return client;
        }
        let peer =
            peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| address.ip().to_canonical());
        let is_trusted = |ip: IpAddr| quotas.trusted_proxies.iter().any(|net| net.contains(&ip));
        Self { ip: behind_proxies(peer, request.headers(), is_trusted) }
    }

    /// What is counted together: an IPv4 address, or the /64 that an IPv6 subscriber has at least.
    pub fn network(&self) -> IpAddr {
        match self.ip {
            IpAddr::V4(_) => self.ip,
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        }
    }
}

/// Each proxy appends whom it saw. Counted from the end, the first one that is no proxy of ours is the client; what
/// stands before it anybody may have written.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut ip = peer;
    if !is_trusted(ip) {
        return ip;
    }
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX) {
        let Some(hop) = read_hop(hop.trim()) else { break };
        ip = hop;
        if !is_trusted(ip) {
            break;
        }
    }
    ip
}

/// An address, with or without a port.
fn read_hop(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let ip = bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    ip.map(|ip: IpAddr| ip.to_canonical())
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Client>().cloned();
        Ok(known.unwrap_or(Self { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
        }
        let proxies: Vec<ipnet::IpNet> = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()].into();
        let is_trusted = |ip: IpAddr| proxies.iter().any(|net| net.contains(&ip));
        behind_proxies(peer.parse().unwrap(), &headers, is_trusted).to_string()
    }

    #[test]
    fn only_proxies_of_ours_are_believed() {
        assert_eq!(seen("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        // What the client wrote itself stands before what our proxy saw.
        assert_eq!(seen("10.0.0.1", &["1.2.3.4, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4, 198.51.100.7, 10.0.0.9"]), "198.51.100.7");
        assert_eq!(seen("fd00::1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(seen("10.0.0.1", &["198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::7]:80"]), "2001:db8::7");
        assert_eq!(seen("10.0.0.1", &["::ffff:198.51.100.7"]), "198.51.100.7");
        // Nonsense ends the chain at the last address that was believed.
        assert_eq!(seen("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4, evil, 10.0.0.2"]), "10.0.0.2");
    }

    proptest! {
        /// Header values have no control characters.
        #[test]
        fn whatever_is_forwarded_there_is_one_client(line in prop_oneof!["[ -~]{0,60}", "[0-9a-f.:, \\[\\]]{0,60}"]) {
            prop_assert_eq!(seen("192.0.2.1", &[&line]), "192.0.2.1");
            let seen = seen("10.0.0.1", &[&line]);
            let is_named = |hop: &str| read_hop(hop.trim()).is_some_and(|ip| ip.to_string() == seen);
            prop_assert!(seen == "10.0.0.1" || line.split(',').any(is_named), "{} of {}", seen, line);
        }
    }

    #[test]
    fn a_subscriber_is_a_network() {
        let network = |ip: &str| Client { ip: ip.parse().unwrap() }.network().to_string();
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
