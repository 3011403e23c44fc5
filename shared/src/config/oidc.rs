//! Logging in by an OpenID provider.

use super::{hidden, parse_network};
use crate::ids::ProjectId;
use crate::store::projects::ProjectRole;
use ipnet::IpNet;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// People log in by a provider that speaks OpenID Connect, besides passwords; see operating.md.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Oidc {
    /// Address of the provider, exactly as its discovery document has it. Unset: nobody logs in by a provider. Needs
    /// `notifications.public_url`: the provider sends people back to `<public_url>/login/provider/back`.
    pub issuer: Option<String>,
    /// What the provider calls us.
    pub client_id: Option<String>,
    /// Unset: the provider knows us as a public client, by PKCE alone.
    #[serde(serialize_with = "hidden")]
    #[schemars(with = "Option<super::reference::SecretText>")]
    pub client_secret: Option<SecretString>,
    /// What people know the provider by: *Log in with …*.
    pub name: String,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// Whoever comes without an account gets one, whatever `auth.registration` says.
    pub create_accounts: bool,
    /// Whoever comes with the verified address of an account gets that account. Its password, second factor and sessions
    /// end with that: nobody had shown that the address was theirs.
    pub link_by_email: bool,
    /// The provider vouches for all addresses, though it does not say so (`email_verified`).
    pub trust_emails: bool,
    /// Domains of addresses that may come in; empty: all.
    pub domains: Vec<String>,
    /// Claim with the groups of a person: a list of texts, or one.
    pub groups_claim: String,
    /// Groups of which somebody must have one to come in; empty: none is needed.
    pub groups: Vec<String>,
    /// Groups whose people administer the platform, decided anew at each log-in. Empty: groups do not decide that.
    pub admin_groups: Vec<String>,
    /// `group:project id:role`. In a project that is named here, the role of whoever comes by the provider is the highest
    /// of their groups', decided anew at each log-in; without any of the groups they are no members.
    pub project_roles: Vec<String>,
    /// Networks (`10.0.0.0/8`) in which the provider may be although they are not public; there also by `http://`.
    pub networks: Vec<String>,
}

/// One line of `oidc.project_roles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRole {
    pub group: String,
    pub project_id: ProjectId,
    pub role: ProjectRole,
}

impl Default for Oidc {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: None,
            client_secret: None,
            name: "single sign-on".into(),
            scopes: vec!["email".into(), "profile".into()],
            create_accounts: true,
            link_by_email: false,
            trust_emails: false,
            domains: vec![],
            groups_claim: "groups".into(),
            groups: vec![],
            admin_groups: vec![],
            project_roles: vec![],
            networks: vec![],
        }
    }
}

impl Oidc {
    /// Networks in which the provider may be although they are not public.
    pub fn networks(&self) -> Vec<IpNet> {
        self.networks.iter().filter_map(|text| parse_network(text)).collect()
    }

    /// What groups give in projects; lines that cannot be read are refused when the configuration is.
    pub fn group_roles(&self) -> Vec<GroupRole> {
        self.project_roles.iter().filter_map(|line| parse_role(line)).collect()
    }

    pub(super) fn check(&self, public_url: Option<&str>, wrong: &mut Vec<String>) {
        if let Some(issuer) = &self.issuer {
            if !issuer.starts_with("https://") && !issuer.starts_with("http://")
                || issuer.contains(['?', '#'])
            {
                wrong.push("oidc.issuer is no http:// or https:// address without query".into());
            }
            if issuer.len() > 500 {
                wrong.push("oidc.issuer has more than 500 characters".into());
            }
            if self.client_id.as_ref().is_none_or(|id| id.is_empty()) {
                wrong.push("oidc.issuer needs oidc.client_id".into());
            }
            if public_url.is_none() {
                wrong.push("oidc.issuer needs notifications.public_url: people come back there".into());
            }
        }
        for line in self.project_roles.iter().filter(|line| parse_role(line).is_none()) {
            wrong.push(format!("oidc.project_roles: {line:?} is not `group:project id:role`"));
        }
        for network in self.networks.iter().filter(|text| parse_network(text).is_none()) {
            wrong.push(format!("oidc.networks: {network:?} is neither an address nor a network"));
        }
    }
}

/// Groups may have colons in their names.
fn parse_role(line: &str) -> Option<GroupRole> {
    let mut parts = line.rsplitn(3, ':');
    let (role, project_id, group) = (parts.next()?, parts.next()?, parts.next()?);
    let role = serde_json::from_value(role.trim().into()).ok()?;
    let project_id = project_id.trim().parse().ok()?;
    (!group.is_empty()).then(|| GroupRole { group: group.to_owned(), project_id, role })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_gives_a_role_in_a_project() {
        let id = "018f2c3e-0000-7000-8000-000000000001";
        let read = parse_role(&format!("urn:x:finance:{id}:operator")).unwrap();
        assert_eq!((read.group.as_str(), read.role), ("urn:x:finance", ProjectRole::Operator));
        for bad in
            ["", "finance", "finance:operator", &format!("finance:{id}:owner"), &format!(":{id}:viewer")]
        {
            assert_eq!(parse_role(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_provider_needs_is_named() {
        let mut wrong = vec![];
        let settings = Oidc {
            issuer: Some("ldap://x".into()),
            project_roles: vec!["x".into()],
            networks: vec!["y".into()],
            ..Oidc::default()
        };
        settings.check(None, &mut wrong);
        assert_eq!(wrong.len(), 5, "{wrong:#?}");
    }
}
