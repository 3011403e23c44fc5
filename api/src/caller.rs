//! Whoever a request speaks for: a person with an access token, or a machine with an API key.

use crate::auth::{Digest, Refused, Verified, is_api_key};
use crate::problem::Problem;
use crate::standings::Right;
use crate::state::Api;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use shared::ids::{ApiKeyId, ProjectId, SessionId, UserId};
use shared::store::access::{Owner, Standing};
use shared::store::jobs::Asker;
use shared::store::users::Person;

/// The user a request speaks for, known to exist when the request came. What the caller may do is the guard's to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub user_id: UserId,
    /// Of the token or key.
    pub expires_at: DateTime<Utc>,
    pub kind: CallerKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerKind {
    Person {
        session_id: SessionId,
        is_platform_admin: bool,
    },
    /// Acts for its user in one project.
    Machine {
        key_id: ApiKeyId,
        project_id: ProjectId,
    },
}

/// What a request shows, not yet looked up.
pub(crate) enum Credential {
    Token(Verified),
    Key(Digest),
}

impl Caller {
    /// As a job's history names them.
    pub fn asker(&self) -> Asker {
        Asker::User(self.user_id)
    }

    /// Never a machine.
    pub fn is_platform_admin(&self) -> bool {
        matches!(self.kind, CallerKind::Person { is_platform_admin: true, .. })
    }

    /// The session, of a person.
    pub fn session_id(&self) -> Option<SessionId> {
        match self.kind {
            CallerKind::Person { session_id, .. } => Some(session_id),
            CallerKind::Machine { .. } => None,
        }
    }

    /// The one project that a machine may enter.
    pub fn only_project(&self) -> Option<ProjectId> {
        match self.kind {
            CallerKind::Person { .. } => None,
            CallerKind::Machine { project_id, .. } => Some(project_id),
        }
    }

    /// What the token or key is counted by.
    pub fn credential_id(&self) -> uuid::Uuid {
        match self.kind {
            CallerKind::Person { session_id, .. } => session_id.0,
            CallerKind::Machine { key_id, .. } => key_id.0,
        }
    }
}

impl Credential {
    /// Exactly one `Authorization: Bearer`; the signature of a token is checked.
    pub async fn read(api: &Api, headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok().and_then(bearer),
            _ => None,
        };
        let value = value.ok_or_else(|| {
            Problem::unauthenticated("Send `Authorization: Bearer` with an access token or an API key")
        })?;
        if is_api_key(value) {
            return Ok(Self::Key(crate::auth::digest_of(value)));
        }
        let verified = match api.tokens.verify(value) {
            // Signed by a key that another process has got already, perhaps.
            Err(Refused::UnknownKey) if api.tokens.look_for_new_keys().await => api.tokens.verify(value),
            verified => verified,
        };
        match verified {
            Ok(verified) => Ok(Self::Token(verified)),
            Err(Refused::Expired) => Err(Problem::unauthenticated("The access token has expired")),
            Err(Refused::Invalid | Refused::UnknownKey) => {
                Err(Problem::unauthenticated("The access token is not valid"))
            }
        }
    }

    /// Who it is, and how they stand to a thing. What is kept counts where it is enough: nobody is refused by what may
    /// have changed a moment ago.
    pub async fn look_up(
        &self,
        api: &Api,
        owner: Owner,
        is_enough: impl Fn(&Caller, &Standing) -> bool,
    ) -> Result<(Caller, Standing), Problem> {
        let asked = match api.standings.find(&self.right(), owner) {
            // Kept longer than the key may live, and found with another token of the same session.
            Ok((caller, standing)) if self.is_in_time(api, &caller) && is_enough(&caller, &standing) => {
                return Ok((self.now(caller), standing));
            }
            Ok(_) => return self.ask(api, owner).await,
            Err(asked) => asked,
        };
        let found = self.ask(api, owner).await?;
        api.standings.keep(self.right(), owner, asked, found);
        Ok(found)
    }

    fn right(&self) -> Right {
        match self {
            Self::Token(verified) => Right::Session(verified.session_id, verified.user_id),
            Self::Key(digest) => Right::Key(*digest),
        }
    }

    fn is_in_time(&self, api: &Api, caller: &Caller) -> bool {
        matches!(self, Self::Token(_)) || caller.expires_at > api.clock.now()
    }

    /// With the end of this very token.
    fn now(&self, caller: Caller) -> Caller {
        match self {
            Self::Token(verified) => Caller { expires_at: verified.expires_at, ..caller },
            Self::Key(_) => caller,
        }
    }

    async fn ask(&self, api: &Api, owner: Owner) -> Result<(Caller, Standing), Problem> {
        match self {
            Self::Token(verified) => {
                let found = api.store.standing(verified.user_id, verified.session_id, owner).await?;
                let standing = found.ok_or_else(|| {
                    Problem::unauthenticated("The session of this token has ended, or its account is gone")
                })?;
                let kind = CallerKind::Person {
                    session_id: verified.session_id,
                    is_platform_admin: standing.is_platform_admin,
                };
                let caller = Caller { user_id: verified.user_id, expires_at: verified.expires_at, kind };
                Ok((caller, standing))
            }
            Self::Key(digest) => {
                let found = api.store.standing_of_key(digest, api.clock.now(), owner).await?;
                let key = found.ok_or_else(|| Problem::unauthenticated("The API key is not valid"))?;
                let standing =
                    Standing { is_platform_admin: false, project_id: key.project_id, role: key.role };
                let kind = CallerKind::Machine { key_id: key.key_id, project_id: key.key_project_id };
                Ok((Caller { user_id: key.user_id, expires_at: key.expires_at, kind }, standing))
            }
        }
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start_matches(' '))
}

/// Put there by the guard; a route that it does not guard has no caller.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().copied();
        caller.ok_or_else(|| Problem::unauthenticated("This address takes no token"))
    }
}

/// The account of a caller who administers the platform.
pub(crate) struct Administrator(pub Person);

impl FromRequestParts<Api> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        match api.person(caller.user_id).await? {
            Some(person) if caller.is_platform_admin() => Ok(Self(person)),
            _ => Err(Problem::not_found()),
        }
    }
}
