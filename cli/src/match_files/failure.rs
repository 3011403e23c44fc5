//! Why a run gave no result, and the exit code that says so.

use std::fmt::Display;
use std::process::ExitCode;

#[derive(Debug)]
pub enum Failure {
    /// For the person at the keyboard to repair; everything found at once, a line each.
    Input(Vec<String>),
    /// The machine or the program failed.
    Broken(String),
    Interrupted,
}

impl Failure {
    pub fn input(says: impl IntoIterator<Item = String>) -> Self {
        Failure::Input(says.into_iter().collect())
    }

    pub fn broken(says: impl Into<String>) -> Self {
        Failure::Broken(says.into())
    }

    pub fn report(self) -> ExitCode {
        match self {
            Failure::Input(lines) => {
                for line in lines {
                    eprintln!("error: {line}");
                }
                ExitCode::from(2)
            }
            Failure::Broken(line) => {
                eprintln!("error: {line}");
                ExitCode::from(3)
            }
            Failure::Interrupted => {
                eprintln!("interrupted: nothing was written");
                ExitCode::from(130)
            }
        }
    }
}

/// Both sides, or what is wrong with either of them.
pub fn both<T, U>(left: Result<T, Failure>, right: Result<U, Failure>) -> Result<(T, U), Failure> {
    match (left, right) {
        (Ok(left), Ok(right)) => Ok((left, right)),
        (Err(Failure::Input(mut left)), Err(Failure::Input(right))) => {
            left.extend(right);
            Err(Failure::Input(left))
        }
        (Err(failure), _) | (_, Err(failure)) => Err(failure),
    }
}

/// Adds what we were doing to an error of the machine.
pub trait Doing<T> {
    fn doing(self, what: impl Display) -> Result<T, Failure>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::Broken(format!("{what}: {error}")))
    }
}
