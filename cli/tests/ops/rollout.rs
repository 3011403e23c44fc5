//! Whether a rollout goes on.

use super::files::{ops, read};
use super::tools::{output, run};
use shared::testing::Program;
use std::process::Command;

#[test]
fn the_figures_decide_as_they_should() {
    let promtool = || Command::new(Program::Promtool.path());
    run(promtool().args(["check", "rules"]).arg(ops("rollout/rules.yml")));
    run(promtool().args(["test", "rules"]).arg(ops("rollout/tests.yml")));
}

/// The same bounds in the rules, in the script and on the page.
#[test]
fn the_bounds_are_the_same_everywhere() {
    let (rules, script, page) = (
        read(&ops("rollout/rules.yml")),
        read(&ops("rollout/go-no-go.sh")),
        read(&ops("runbooks/Rollout.md")),
    );
    for (bound, said) in
        [(">= bool 0.998", "≥ 99.8 %"), ("< bool 0.5", "< 500 ms"), ("< bool 0.001", "< 0.1 %")]
    {
        assert!(rules.contains(bound) && script.contains(bound) && page.contains(said), "{bound}");
    }
}

#[test]
fn without_prometheus_nothing_is_known() {
    let mut script = Command::new("sh");
    // A port nobody listens at.
    script
        .arg(ops("rollout/go-no-go.sh"))
        .arg("http://127.0.0.1:9")
        .env("COUNTERFOIL_TEST_PROMTOOL", Program::Promtool.path());
    let told = output(&mut script);
    assert_eq!(told.status.code(), Some(2), "{told:?}");
}
