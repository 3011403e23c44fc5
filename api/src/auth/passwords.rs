//! Passwords: hashed with argon2id, slowly and never in too many threads at once.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How much work one hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl PasswordCost {
    /// 64 MiB, three passes: about 150 ms of one core, beyond the second recommendation of RFC 9106.
    pub const STRONG: Self = Self { memory_kib: 64 << 10, passes: 3, lanes: 1 };

    /// Protects nothing: only for tests that log in often.
    pub const TRIVIAL: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };
}

/// Hashes and verifies. Clones share the limit.
#[derive(Clone)]
pub struct PasswordHasher(Arc<Inner>);

struct Inner {
    argon2: Argon2<'static>,
    /// Bounds memory (64 MiB each) and leaves cores to others; whoever finds it taken waits.
    slots: Arc<Semaphore>,
    /// What a password is compared with when there is no such account, so that both take equally long.
    decoy: String,
}

/// The hash in the database is damaged, or there is no memory to compute with.
#[derive(Debug, thiserror::Error)]
#[error("hashing a password: {0}")]
pub struct PasswordError(String);

/// Whether a password was right.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    /// With a hash of today's cost where the stored one has another.
    Right {
        renewed: Option<String>,
    },
}

impl Verdict {
    pub fn is_right(&self) -> bool {
        matches!(self, Self::Right { .. })
    }
}

const AT_ONCE_MAX: usize = 2;

impl PasswordHasher {
    /// Computes one hash: takes as long as one login.
    pub fn new(cost: PasswordCost) -> Result<Self, PasswordError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .map_err(|error| PasswordError(error.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash(&argon2, &SecretString::from("nobody has this password"))?;
        Ok(Self(Arc::new(Inner { argon2, slots: Arc::new(Semaphore::new(AT_ONCE_MAX)), decoy })))
    }

    /// A PHC string with a salt of its own.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        self.compute(move |inner| hash(&inner.argon2, &password)).await
    }

    /// Whether the password belongs to the hash. Without a hash the answer is no, after the same work. One that fits
    /// but was made at another cost comes back hashed anew.
    pub(crate) async fn verify(
        &self,
        password: SecretString,
        stored: Option<String>,
    ) -> Result<Verdict, PasswordError> {
        self.compute(move |inner| {
            let known = stored.is_some();
            let stored = stored.as_deref().unwrap_or(&inner.decoy);
            let stored = PasswordHash::new(stored).map_err(|error| PasswordError(error.to_string()))?;
            let bytes = password.expose_secret().as_bytes();
            if inner.argon2.verify_password(bytes, &stored).is_err() || !known {
                return Ok(Verdict::Wrong);
            }
            let is_of_today = stored.algorithm.as_str() == "argon2id"
                && Params::try_from(&stored).is_ok_and(|params| {
                    let today = inner.argon2.params();
                    (params.m_cost(), params.t_cost(), params.p_cost())
                        == (today.m_cost(), today.t_cost(), today.p_cost())
                });
            let renewed = if is_of_today { None } else { Some(hash(&inner.argon2, &password)?) };
            Ok(Verdict::Right { renewed })
        })
        .await
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let slot = self.0.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            // Until the work is done, also when nobody waits for it any more.
            let _slot = slot;
            work(&inner)
        })
        .await;
        done.unwrap_or_else(|error| Err(PasswordError(error.to_string())))
    }
}

fn hash(argon2: &Argon2<'_>, password: &SecretString) -> Result<String, PasswordError> {
    argon2
        .hash_password(password.expose_secret().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let hasher = PasswordHasher::new(PasswordCost::TRIVIAL).unwrap();
        let hash = hasher.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert_ne!(hasher.hash("correct horse".into()).await.unwrap(), hash, "each has its salt");
        assert!(hasher.verify("correct horse".into(), Some(hash.clone())).await.unwrap().is_right());
        assert!(!hasher.verify("correct hors".into(), Some(hash)).await.unwrap().is_right());
        assert!(!hasher.verify("nobody has this password".into(), None).await.unwrap().is_right());
        assert!(hasher.verify("x".into(), Some("damaged".into())).await.is_err());
    }

    #[tokio::test]
    async fn hashes_of_other_costs_are_understood_and_renewed() {
        let old = PasswordHasher::new(PasswordCost::TRIVIAL).unwrap();
        let hash = old.hash("correct horse".into()).await.unwrap();
        let new = PasswordHasher::new(PasswordCost { memory_kib: 16, passes: 2, lanes: 1 }).unwrap();
        let Verdict::Right { renewed: Some(renewed) } =
            new.verify("correct horse".into(), Some(hash.clone())).await.unwrap()
        else {
            panic!("right, and renewed")
        };
        assert!(renewed.starts_with("$argon2id$v=19$m=16,t=2,p=1$"), "{renewed}");
        assert!(
            new.verify("correct horse".into(), Some(renewed)).await.unwrap()
                == Verdict::Right { renewed: None }
        );
        assert!(!new.verify("wrong horse".into(), Some(hash)).await.unwrap().is_right());
    }

    #[tokio::test]
    async fn the_strong_cost_is_what_it_says() {
        let hasher = PasswordHasher::new(PasswordCost::STRONG).unwrap();
        assert!(hasher.0.decoy.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{}", hasher.0.decoy);
    }
}
