//! Signing the ends of the chains, with the key that signs access tokens: the API is where that key is.

use crate::auth::SigningKey;
use crate::state::Api;
use shared::store::Store;
use shared::store::audit::CheckpointSigner;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two signatures of a chain that grows.
const PERIOD: Duration = Duration::from_secs(3600);
/// After a failure.
const AGAIN: Duration = Duration::from_secs(60);
/// Chains signed between two looks at the stop signal.
const CHAINS: u32 = 500;

/// Signs whatever has grown, at once and then every hour, until `stop`. Any number of API processes may do so: the
/// first signature of an end stays.
pub(crate) async fn sign_hourly(store: Store, api: Api, stop: CancellationToken) {
    loop {
        // Of today: keys change without a restart.
        let key = api.tokens.signing_key();
        let wait = match store.sign_audit_heads(&*key, CHAINS).await {
            Ok(signed) => {
                metrics::counter!("counterfoil_audit_checkpoints_total", "outcome" => "signed")
                    .increment(signed);
                if signed == u64::from(CHAINS) { Duration::ZERO } else { PERIOD }
            }
            Err(error) => {
                metrics::counter!("counterfoil_audit_checkpoints_total", "outcome" => "failed").increment(1);
                tracing::error!(error = shared::chain(&error), "the audit log could not be signed");
                AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

impl CheckpointSigner for SigningKey {
    fn key_id(&self) -> String {
        self.id()
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.sign_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_one_key_and_one_text() {
        let key = || SigningKey::from_bytes(&SigningKey::generate()).unwrap();
        let (ours, other) = (key(), key());
        let signature = ours.sign(b"the end");
        assert_eq!(ours.has_signed(&CheckpointSigner::key_id(&ours), b"the end", &signature), Some(true));
        assert_eq!(ours.has_signed(&CheckpointSigner::key_id(&ours), b"an end", &signature), Some(false));
        assert_eq!(ours.has_signed(&CheckpointSigner::key_id(&other), b"the end", &signature), None);
        assert_eq!(other.has_signed(&CheckpointSigner::key_id(&other), b"the end", &signature), Some(false));
    }
}
