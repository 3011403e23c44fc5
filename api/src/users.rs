//! `/api/users`: accounts, for administrators of the platform.

use crate::accounts;
use crate::caller::Caller;
use crate::jobs::escaped;
use crate::page::{self, Page};
use crate::problem::{Problem, ProblemDocument, ProblemKind};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;
use shared::ids::UserId;
use shared::store::accounts::{Account, AccountChange};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserList {
    /// Only accounts with this in their address or name, whatever its letter case.
    #[param(min_length = 1, max_length = 200)]
    text: Option<String>,
    /// Only accounts older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<UserId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for UserList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let text = parameters.optional("text", page::text);
        let after = parameters.optional("after", Parameters::id);
        Some(Self { text, after, limit: page::limit(parameters) })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountAnswer {
    id: Uuid,
    email: String,
    name: String,
    is_platform_admin: bool,
    has_second_factor: bool,
    created_at: DateTime<Utc>,
    /// The last log-in or refresh that is still in the books.
    last_seen_at: Option<DateTime<Utc>>,
    /// Since then nobody logs in with it, and its API keys open nothing.
    disabled_at: Option<DateTime<Utc>>,
    /// The next log-in has to bring a new password.
    must_change_password: bool,
}

impl From<Account> for AccountAnswer {
    fn from(account: Account) -> Self {
        Self {
            id: account.id.0,
            email: account.email,
            name: account.name,
            is_platform_admin: account.is_platform_admin,
            has_second_factor: account.has_second_factor,
            created_at: account.created_at,
            last_seen_at: account.last_seen_at,
            disabled_at: account.disabled_at,
            must_change_password: account.must_change_password,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AccountPage {
    /// Newest first.
    items: Vec<AccountAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PasswordResetOffer {
    /// For the person, to choose a new password with at `/api/auth/password-reset`. It is not shown again.
    token: String,
    expires_at: DateTime<Utc>,
}

/// Accounts.
#[utoipa::path(
    get, path = "/api/users", tag = "administration", security(("access_token" = [])), params(UserList),
    responses((status = 200, description = "A page of accounts", body = AccountPage))
)]
pub(crate) async fn list_users(
    State(api): State<Api>,
    Query(UserList { text, after, limit }): Query<UserList>,
) -> Result<Json<AccountPage>, Problem> {
    let page = Page::cut(api.store.accounts(text.as_deref(), after, limit + 1).await?, limit);
    let kept = [("text", text.as_deref().map(escaped)), ("limit", Some(limit.to_string()))];
    let next = page.next("/api/users", &kept, |last| last.id);
    Ok(Json(AccountPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// One account.
#[utoipa::path(
    get, path = "/api/users/{id}", tag = "administration", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "The account", body = AccountAnswer))
)]
pub(crate) async fn show_user(
    State(api): State<Api>,
    PathId(id): PathId<UserId>,
) -> Result<Json<AccountAnswer>, Problem> {
    let account = api.store.account(id).await?;
    account.map(|account| Json(account.into())).ok_or_else(Problem::not_found)
}

/// Shut an account: its sessions end, and nobody logs in with it, by whichever way. Its API keys open nothing meanwhile.
#[utoipa::path(
    post, path = "/api/users/{id}/disable", tag = "administration", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "It is shut"),
        (status = 409, description = "It is the last that can administer the platform", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn disable_user(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<UserId>,
) -> Result<StatusCode, Problem> {
    let changed = api.store.disable_account(id, api.clock.now()).await?;
    done(changed, &caller, id, "an account is shut")
}

/// Open an account again: its password and its keys are what they were.
#[utoipa::path(
    post, path = "/api/users/{id}/enable", tag = "administration", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 204, description = "It is open"))
)]
pub(crate) async fn enable_user(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<UserId>,
) -> Result<StatusCode, Problem> {
    done(api.store.enable_account(id).await?, &caller, id, "an account is open again")
}

/// Have the next log-in by password bring a new one. Sessions go on.
#[utoipa::path(
    post, path = "/api/users/{id}/require-password-change", tag = "administration",
    security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses((status = 204, description = "It will be asked for"))
)]
pub(crate) async fn require_password_change(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<UserId>,
) -> Result<StatusCode, Problem> {
    done(api.store.require_password_change(id).await?, &caller, id, "a password has to be changed")
}

/// Make a token, good once and for a day, with which the person chooses a new password. One made before is good no more.
#[utoipa::path(
    post, path = "/api/users/{id}/password-reset", tag = "administration", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 201, description = "Made", body = PasswordResetOffer))
)]
pub(crate) async fn offer_password_reset(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<UserId>,
) -> Result<(StatusCode, Json<PasswordResetOffer>), Problem> {
    let made = accounts::offer_password_reset(&api.store, id, Some(caller.user_id), api.clock.now()).await?;
    let (token, expires_at) = made.ok_or_else(Problem::not_found)?;
    tracing::warn!(user_id = %id, by = %caller.user_id, "a password may be reset");
    let token = token.expose_secret().to_owned();
    Ok((StatusCode::CREATED, Json(PasswordResetOffer { token, expires_at })))
}

fn done(
    changed: AccountChange,
    caller: &Caller,
    id: UserId,
    what: &'static str,
) -> Result<StatusCode, Problem> {
    match changed {
        AccountChange::Done => {
            tracing::warn!(user_id = %id, by = %caller.user_id, "{what}");
            Ok(StatusCode::NO_CONTENT)
        }
        AccountChange::Unknown => Err(Problem::not_found()),
        AccountChange::LastAdministrator => Err(Problem::new(
            ProblemKind::Conflict,
            "It is the last account that can administer the platform; make another administrator first",
        )),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::UserList>();
    }
}
