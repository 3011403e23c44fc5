//! Ports for servers that a test starts.

use std::net::{Ipv4Addr, TcpListener};

/// Ports below the range from which the kernel takes those of outgoing connections. From that range, a client
/// that tries to reconnect while the server is down may be given the server's port, and so connect to itself.
///
/// Nothing holds them: somebody else may take one before the server does.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let mut held = Vec::new();
    for _ in 0..10_000 {
        if held.len() == N {
            break;
        }
        let port = rand::random_range(10_000..20_000);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
    }
    let ports: Vec<u16> = held.iter().map(|(port, _)| *port).collect();
    ports.try_into().unwrap_or_else(|ports| panic!("no free ports on 127.0.0.1, only {ports:?}"))
}
