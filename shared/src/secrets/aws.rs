//! AWS Secrets Manager: one signed request per secret. A whole SDK would be twenty times the code of this crate.
//!
//! Credentials come from `AWS_ACCESS_KEY_ID` and its fellows, or from the container's own credentials (ECS and EKS Pod
//! Identity). Blocking: to be called where that is allowed.

use super::sigv4::{Signer, amz_date};
use crate::config;
use chrono::Utc;
use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::time::Duration;

const SERVICE: &str = "secretsmanager";
const PATIENCE: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;
const ANSWER_BYTES_MAX: u64 = 256 << 10;

#[derive(Debug)]
pub(super) struct Aws {
    region: String,
    /// `https://secretsmanager.<region>.amazonaws.com` or where the operator says.
    endpoint: String,
    agent: ureq::Agent,
}

struct Credentials {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
}

impl Aws {
    pub fn new(settings: &config::Secrets) -> Result<Self, String> {
        let from_environment =
            || std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION")).ok();
        let region =
            settings.aws_region.clone().or_else(from_environment).ok_or("needs secrets.aws_region")?;
        let endpoint = match &settings.aws_endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://{SERVICE}.{region}.amazonaws.com"),
        };
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .new_agent();
        Ok(Self { region, endpoint, agent })
    }

    /// The secret's text or bytes, or one member of a JSON secret. Tries three times.
    pub fn secret(&self, id: &str, member: Option<&str>) -> Result<Vec<u8>, String> {
        let mut tried = 0;
        let answer = loop {
            tried += 1;
            match self.call("GetSecretValue", &json!({"SecretId": id})) {
                Ok(answer) => break answer,
                Err((says, true)) if tried < TRIES => {
                    tracing::debug!(says, "asking AWS Secrets Manager again");
                    std::thread::sleep(Duration::from_millis(200) * 2u32.pow(tried));
                }
                Err((says, _)) => return Err(says),
            }
        };
        let bytes = match (answer["SecretString"].as_str(), answer["SecretBinary"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(base64)) => BASE64.decode(base64.as_bytes()).map_err(|_| "is not base 64")?,
            (None, None) => return Err("has no value".into()),
        };
        let Some(member) = member else { return Ok(bytes) };
        let object: Value = serde_json::from_slice(&bytes).map_err(|_| "is not JSON")?;
        let value = object[member].as_str().ok_or_else(|| format!("has no text named {member}"))?;
        Ok(value.as_bytes().to_vec())
    }

    /// The second part of an error says whether it may go away by itself.
    fn call(&self, operation: &str, body: &Value) -> Result<Value, (String, bool)> {
        let credentials = self.credentials().map_err(|says| (says, false))?;
        let (body, target) = (body.to_string(), format!("{SERVICE}.{operation}"));
        let at = Utc::now();
        let date = amz_date(at);
        let host = self.endpoint.split("://").last().unwrap_or("").split('/').next().unwrap_or("");
        let token = credentials.session_token.as_ref().map(ExposeSecret::expose_secret);
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1"),
            ("host", host),
            ("x-amz-date", date.as_str()),
        ];
        headers.extend(token.map(|token| ("x-amz-security-token", token)));
        headers.push(("x-amz-target", target.as_str()));
        let signer = Signer {
            access_key_id: &credentials.access_key_id,
            secret_access_key: credentials.secret_access_key.expose_secret(),
            region: &self.region,
            service: SERVICE,
        };
        let authorization = signer.authorize(&headers, body.as_bytes(), at);
        let mut request =
            self.agent.post(format!("{}/", self.endpoint)).header("authorization", authorization);
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        let mut response =
            request.send(body.as_bytes()).map_err(|error| (format!("cannot be asked for: {error}"), true))?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| (format!("broke off: {error}"), true))?;
        let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status == 200 {
            return Ok(answer);
        }
        // `ResourceNotFoundException` and the like, perhaps behind a name space; the text may quote what was asked.
        let kind = answer["__type"].as_str().unwrap_or("").rsplit('#').next().unwrap_or("").to_owned();
        let is_transient = status >= 500 || status == 429 || kind.contains("Throttling");
        Err((format!("is refused: {status} {kind}").trim_end().to_owned(), is_transient))
    }

    fn credentials(&self) -> Result<Credentials, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let (Some(access_key_id), Some(secret)) =
            (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
        {
            let session_token = variable("AWS_SESSION_TOKEN").map(SecretString::from);
            return Ok(Credentials { access_key_id, secret_access_key: secret.into(), session_token });
        }
        let address = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI").or_else(|| {
            variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
                .map(|path| format!("http://169.254.170.2{path}"))
        });
        let address = address.ok_or(
            "needs credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or those of the container",
        )?;
        let mut request = self.agent.get(address);
        let token = match variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Some(file) => std::fs::read_to_string(file).ok(),
            None => variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        };
        if let Some(token) = token {
            request = request.header("authorization", token.trim());
        }
        let away = |error: ureq::Error| {
            format!("needs the container's credentials, which cannot be asked for: {error}")
        };
        let mut response = request.call().map_err(away)?;
        let text =
            response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(away)?;
        let answer: Value =
            serde_json::from_str(&text).map_err(|_| "got no credentials from the container")?;
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        match (text("AccessKeyId"), text("SecretAccessKey")) {
            (Some(access_key_id), Some(secret)) => Ok(Credentials {
                access_key_id,
                secret_access_key: secret.into(),
                session_token: text("Token").map(SecretString::from),
            }),
            _ => Err("got no credentials from the container".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a real server of that interface: `moto_server -H 127.0.0.1 -p PORT`, which PyPI has as `moto[server]`.
    #[test]
    fn secrets_are_read_whole_and_by_member_and_after_a_rotation() {
        let endpoint = std::env::var("COUNTERFOIL_TEST_AWS_ENDPOINT").ok();
        if endpoint.is_none() || std::env::var("AWS_ACCESS_KEY_ID").is_err() {
            eprintln!("skipped: COUNTERFOIL_TEST_AWS_ENDPOINT and AWS_ACCESS_KEY_ID are not set");
            return;
        }
        let settings = config::Secrets { aws_region: Some("eu-central-1".into()), aws_endpoint: endpoint };
        let aws = Aws::new(&settings).expect("settings");
        let name = format!("test/{}", uuid::Uuid::new_v4());
        let create = json!({"Name": name, "ClientRequestToken": uuid::Uuid::new_v4(),
                            "SecretString": "{\"url\": \"postgres://u:one@h/d\", \"port\": 5}"});
        aws.call("CreateSecret", &create).expect("created");
        assert!(aws.secret(&name, None).expect("whole").starts_with(b"{"));
        assert_eq!(aws.secret(&name, Some("url")).expect("a member"), b"postgres://u:one@h/d");
        assert!(aws.secret(&name, Some("port")).expect_err("no text").contains("port"));
        let put =
            json!({"SecretId": name, "ClientRequestToken": uuid::Uuid::new_v4(), "SecretString": "rotated"});
        aws.call("PutSecretValue", &put).expect("rotated");
        assert_eq!(aws.secret(&name, None).expect("the new one"), b"rotated");
        let missing = aws.secret("test/no-such-secret", None).expect_err("none");
        assert!(missing.contains("ResourceNotFoundException"), "{missing}");
    }

    #[test]
    fn a_region_is_needed_and_an_endpoint_that_is_away_is_said_so() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", nobody.local_addr().expect("an address"));
        drop(nobody);
        let settings =
            config::Secrets { aws_region: Some("eu-central-1".into()), aws_endpoint: Some(endpoint) };
        let says = Aws::new(&settings).expect("settings").secret("x", None).expect_err("nobody listens");
        // Where there are no credentials those are missed first.
        assert!(says.contains("cannot be asked for") || says.contains("credentials"), "{says}");
    }
}
