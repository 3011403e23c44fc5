//! Errors for the operator: all causes in one line.

/// An error and everything that caused it, outermost first. For logs; clients get the outermost sentence only.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
