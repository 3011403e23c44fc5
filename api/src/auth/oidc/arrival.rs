//! From what a provider says of somebody to what may be done about it: pure, but for the hash.

use super::provider::Provider;
use serde_json::{Map, Value};
use shared::config::{GroupRole, Oidc};
use shared::ids::ProjectId;
use shared::store::projects::ProjectRole;
use std::collections::BTreeMap;

/// More are cut off: groups that decide something come early or not at all.
const GROUPS_MAX: usize = 10_000;

/// Somebody, as the provider knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub subject: String,
    /// Verified.
    pub email: Option<String>,
    pub name: String,
    pub is_platform_admin: Option<bool>,
    pub roles: Vec<(ProjectId, Option<ProjectRole>)>,
}

/// Why somebody whom the provider knows may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotLetIn {
    Domain,
    Groups,
}

impl Provider {
    pub(super) fn person(&self, claims: &Map<String, Value>) -> Result<Person, NotLetIn> {
        person(&self.settings, &self.group_roles, claims)
    }
}

fn person(
    settings: &Oidc,
    group_roles: &[GroupRole],
    claims: &Map<String, Value>,
) -> Result<Person, NotLetIn> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::trim);
    let says_verified = match claims.get("email_verified") {
        Some(Value::Bool(is_verified)) => *is_verified,
        // Some providers send texts.
        Some(Value::String(word)) => word == "true",
        _ => settings.trust_emails,
    };
    let email = text("email").filter(|email| says_verified && is_address(email)).map(str::to_owned);
    if !settings.domains.is_empty() {
        let domain = email.as_ref().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
        let is_ours = |domain: &str| settings.domains.iter().any(|ours| ours.eq_ignore_ascii_case(domain));
        if !domain.is_some_and(is_ours) {
            return Err(NotLetIn::Domain);
        }
    }
    let groups = groups(claims.get(&settings.groups_claim));
    let has_any = |wanted: &[String]| wanted.iter().any(|group| groups.contains(&group.as_str()));
    if !settings.groups.is_empty() && !has_any(&settings.groups) {
        return Err(NotLetIn::Groups);
    }
    let mut roles: BTreeMap<uuid::Uuid, Option<ProjectRole>> = BTreeMap::new();
    for given in group_roles {
        let role = roles.entry(given.project_id.0).or_default();
        if groups.contains(&given.group.as_str()) {
            *role = (*role).max(Some(given.role));
        }
    }
    let name = text("name").or(text("preferred_username")).filter(|name| !name.is_empty());
    let name = name.or(email.as_deref()).unwrap_or("Somebody");
    Ok(Person {
        subject: text("sub").unwrap_or_default().to_owned(),
        name: name.chars().filter(|c| !c.is_control()).take(200).collect(),
        email,
        is_platform_admin: (!settings.admin_groups.is_empty()).then(|| has_any(&settings.admin_groups)),
        roles: roles.into_iter().map(|(id, role)| (ProjectId(id), role)).collect(),
    })
}

fn groups(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().take(GROUPS_MAX).filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

/// As at registration.
fn is_address(email: &str) -> bool {
    let mut mistakes = vec![];
    let mut place = crate::read::Place::root(&mut mistakes);
    crate::read::email(Value::String(email.to_owned()), &mut place).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(settings: &Oidc, claims: Value) -> Result<Person, NotLetIn> {
        let Value::Object(claims) = claims else { panic!("no object") };
        person(settings, &settings.group_roles(), &claims)
    }

    #[test]
    fn an_address_counts_only_if_verified() {
        let settings = Oidc::default();
        for (claims, email) in [
            (json!({"sub": "1", "email": "a@b.c", "email_verified": true}), Some("a@b.c")),
            (json!({"sub": "1", "email": "a@b.c", "email_verified": "true"}), Some("a@b.c")),
            (json!({"sub": "1", "email": "a@b.c", "email_verified": false}), None),
            (json!({"sub": "1", "email": "a@b.c"}), None),
            (json!({"sub": "1", "email": "nonsense", "email_verified": true}), None),
            (json!({"sub": "1"}), None),
        ] {
            assert_eq!(of(&settings, claims.clone()).unwrap().email.as_deref(), email, "{claims}");
        }
        let trusting = Oidc { trust_emails: true, ..Oidc::default() };
        assert_eq!(
            of(&trusting, json!({"sub": "1", "email": "a@b.c"})).unwrap().email.as_deref(),
            Some("a@b.c")
        );
        // Its own word against it still counts.
        let denied = json!({"sub": "1", "email": "a@b.c", "email_verified": false});
        assert_eq!(of(&trusting, denied).unwrap().email, None);
    }

    #[test]
    fn domains_and_groups_decide_who_comes_in() {
        let settings = Oidc {
            domains: vec!["Example.org".into()],
            groups: vec!["finance".into(), "audit".into()],
            ..Oidc::default()
        };
        let jane = |email: &str, groups: Value| {
            of(&settings, json!({"sub": "1", "email": email, "email_verified": true, "groups": groups}))
        };
        assert!(jane("jane@example.ORG", json!(["x", "audit"])).is_ok());
        assert!(jane("jane@example.org", json!("finance")).is_ok());
        assert_eq!(jane("jane@evil.example.org", json!(["audit"])), Err(NotLetIn::Domain));
        assert_eq!(jane("jane@example.org.evil", json!(["audit"])), Err(NotLetIn::Domain));
        assert_eq!(jane("jane@example.org", json!(["other"])), Err(NotLetIn::Groups));
        assert_eq!(jane("jane@example.org", json!({"finance": true})), Err(NotLetIn::Groups));
        assert_eq!(jane("jane@example.org", Value::Null), Err(NotLetIn::Groups));
    }

    #[test]
    fn the_highest_role_of_all_groups_counts() {
        let (a, b) = ("018f2c3e-0000-7000-8000-00000000000a", "018f2c3e-0000-7000-8000-00000000000b");
        let settings = Oidc {
            admin_groups: vec!["root".into()],
            project_roles: vec![
                format!("clerks:{a}:operator"),
                format!("heads:{a}:approver"),
                format!("clerks:{b}:viewer"),
            ],
            ..Oidc::default()
        };
        let roles = |groups: Value| {
            let person = of(&settings, json!({"sub": "1", "groups": groups})).unwrap();
            (person.roles.iter().map(|(_, role)| *role).collect::<Vec<_>>(), person.is_platform_admin)
        };
        use ProjectRole::{Approver, Operator, Viewer};
        assert_eq!(roles(json!(["heads", "clerks"])), (vec![Some(Approver), Some(Viewer)], Some(false)));
        assert_eq!(roles(json!(["clerks"])), (vec![Some(Operator), Some(Viewer)], Some(false)));
        assert_eq!(roles(json!(["root"])), (vec![None, None], Some(true)));
        assert_eq!(of(&Oidc::default(), json!({"sub": "1"})).unwrap().is_platform_admin, None);
    }
}
