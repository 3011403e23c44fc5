//! Servers that are reached over TLS, with a certificate that only those trust who were told of its authority.

use crate::client::Client;
use crate::deployment::Deployment;
use crate::pair::{Pair, rules};
use crate::project::Project;
use crate::wait::PATIENCE;
use serde_json::Value;
use shared::testing::{PrivateRabbitMq, SmtpReceiver, SmtpSecurity, TestCertificate, test_dir};

fn authority() -> String {
    TestCertificate::localhost().authority.to_str().expect("UTF-8").to_owned()
}

/// There is no authority in it at all.
const DISTRUSTFUL: [(&str, &str); 1] = [("SSL_CERT_FILE", "/dev/null")];

#[test]
fn mail_leaves_over_starttls_and_over_tls_from_the_start_and_not_to_strangers() {
    for (security, scheme) in [(SmtpSecurity::StartTls, "smtp"), (SmtpSecurity::Implicit, "smtps")] {
        let receiver = SmtpReceiver::start_secure(security);
        let url = format!("{scheme}://books:p%40ss-of-the-mail@{}", receiver.address());
        let deployment = Deployment::create("mail-tls")
            .set("COUNTERFOIL_MAIL__URL", &url)
            .set("COUNTERFOIL_KINDS__EMAIL__RETRY_BASE_MS", "100")
            .set("SSL_CERT_FILE", &authority());
        let api = deployment.api();
        let _scheduler = deployment.scheduler();
        let mut distrustful = deployment.worker_with("worker-distrustful", "email", 1, &DISTRUSTFUL);
        Client::registered(&api.url).post("/api/notifications/test", &Value::Null).expect(202);
        let line = distrustful.wait_for_log("attempt failed");
        assert!(!line.contains("p@ss") && !line.contains("p%40ss"), "{line}");
        assert!(distrustful.stop(libc::SIGTERM).success());
        assert_eq!(receiver.mails(), [], "a server that nobody vouches for gets no mail");

        let _worker = deployment.worker_of("worker", "email", 1);
        let mail = receiver.wait_for(1, PATIENCE).remove(0);
        assert!(mail.is_secure, "{security:?}");
        assert_eq!(mail.login.as_deref(), Some("\0books\0p@ss-of-the-mail"));
        assert!(mail.header("subject").is_some());
    }
}

#[test]
fn jobs_run_with_a_broker_that_is_reached_over_tls() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let broker = runtime.block_on(PrivateRabbitMq::start_with_tls(test_dir("broker-tls")));
    let deployment =
        Deployment::with_broker("broker-tls", &broker.tls_url()).set("SSL_CERT_FILE", &authority());
    let mut distrustful = deployment.worker_with("worker-distrustful", "reconciliation", 1, &DISTRUSTFUL);
    let line = distrustful.wait_for_log("not consuming");
    assert!(line.to_lowercase().contains("certificate") || line.contains("UnknownIssuer"), "{line}");
    assert!(distrustful.stop(libc::SIGTERM).success());

    let api = deployment.api();
    let _scheduler = deployment.scheduler();
    let _worker = deployment.worker("worker", 1);
    let (project, pair) = (Project::of_somebody(&api.url), Pair::make(5, 200));
    let (left, right) = pair.bring_into(&project);
    let job = project.submit(&left, &right, &rules());
    pair.check(&job.wait_until_completed().summary());
    let connections = runtime.block_on(broker.ctl(&["list_connections", "ssl", "user"]));
    assert!(connections.contains("true") && !connections.contains("false"), "{connections}");
}
