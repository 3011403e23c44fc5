//! Waiting, with an end.

use std::time::Duration;

/// Far above anything that happens on an idle machine; tests run on busy ones.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The result of `future`, or a failure that says what did not happen.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// Asks until the answer is `wanted`. For the figures of a broker, which follow the events behind them.
pub async fn eventually<T: PartialEq + std::fmt::Debug>(
    what: &str,
    wanted: T,
    mut ask: impl AsyncFnMut() -> T,
) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if answer == wanted {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: still {answer:?}, not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
