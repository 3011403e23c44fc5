//! `ops/kubernetes`, as Kustomize renders it.

use super::files::{ops, read, strings, yaml};
use super::settings::suffice_for;
use super::tools::{installed, linter, run};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

/// What a folder renders to; `None` where there is no Kustomize.
fn rendered(folder: &str) -> Option<(String, Vec<Value>)> {
    let kubectl = installed("kubectl")?;
    let text = run(Command::new(kubectl).arg("kustomize").arg(ops("kubernetes").join(folder)));
    let objects = yaml(&text);
    Some((text, objects))
}

fn named<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// Everything that has pods, with their template.
fn pods(objects: &[Value]) -> Vec<(&Value, &Value)> {
    let with = objects
        .iter()
        .filter(|object| ["Deployment", "Job"].contains(&object["kind"].as_str().unwrap_or("")));
    with.map(|object| (object, &object["spec"]["template"]["spec"])).collect()
}

fn environment(objects: &[Value], container: &Value) -> Vec<(String, String)> {
    let mut environment = BTreeMap::new();
    for from in container["envFrom"].as_array().into_iter().flatten() {
        let name = from["configMapRef"]["name"].as_str().expect("a config map");
        for (key, value) in named(objects, "ConfigMap", name)["data"].as_object().expect("data") {
            environment.insert(key.clone(), value.as_str().expect("a text").to_owned());
        }
    }
    for variable in container["env"].as_array().into_iter().flatten() {
        let (name, value) = (variable["name"].as_str(), variable["value"].as_str());
        environment
            .insert(name.expect("a name").to_owned(), value.expect("no secret in a variable").to_owned());
    }
    environment.into_iter().collect()
}

#[test]
fn every_pod_is_bound_watched_and_has_its_settings() {
    let mut seen = vec![];
    for folder in ["base", "autoscaling", "canary"] {
        let Some((_, objects)) = rendered(folder) else { return };
        for (object, pod) in pods(&objects) {
            let name = object["metadata"]["name"].as_str().expect("a name");
            let container = &pod["containers"][0];
            let role = strings(&container["args"])[0];
            seen.push(format!("{folder}/{role}"));
            suffice_for(role, &environment(&objects, container));
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
            assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
            let secure = json!({
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}
            });
            assert_eq!(container["securityContext"], secure, "{name}");
            let resources = &container["resources"];
            for bound in [
                &resources["requests"]["cpu"],
                &resources["requests"]["memory"],
                &resources["limits"]["memory"],
            ] {
                assert!(bound.is_string(), "{name}: {resources}");
            }
            let image = container["image"].as_str().expect("an image");
            assert!(image.contains(':') && !image.ends_with(":latest"), "{name}: {image}");
            // Every mount has its volume, and what is written somewhere is written to one.
            let volumes: Vec<&str> = pod["volumes"]
                .as_array()
                .expect("volumes")
                .iter()
                .filter_map(|v| v["name"].as_str())
                .collect();
            for mount in container["volumeMounts"].as_array().expect("mounts") {
                assert!(volumes.contains(&mount["name"].as_str().expect("a name")), "{name}: {mount}");
            }
            if object["kind"] == "Deployment" {
                probes_fit(name, role, container);
                let labels = &object["spec"]["template"]["metadata"]["labels"];
                for (label, value) in
                    object["spec"]["selector"]["matchLabels"].as_object().expect("a selector")
                {
                    assert_eq!(&labels[label], value, "{name}: {label}");
                }
                assert_eq!(
                    object["spec"]["replicas"].is_null(),
                    folder == "autoscaling" && role == "worker",
                    "{name}"
                );
            }
        }
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "autoscaling/api",
            "autoscaling/migrate",
            "autoscaling/scheduler",
            "autoscaling/worker",
            "base/api",
            "base/migrate",
            "base/scheduler",
            "base/worker",
            "canary/worker",
        ]
    );
}

fn probes_fit(name: &str, role: &str, container: &Value) {
    for (probe, path) in
        [("startupProbe", "/startupz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")]
    {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "http"}), "{name}");
    }
    let port = match role {
        "api" => 8080,
        "worker" => 8081,
        _ => 8082,
    };
    assert_eq!(container["ports"], json!([{"name": "http", "containerPort": port}]), "{name}");
}

#[test]
fn a_worker_has_the_time_to_drain() {
    let Some((_, objects)) = rendered("base") else { return };
    let (_, pod) =
        pods(&objects).into_iter().find(|(o, _)| o["metadata"]["name"] == "counterfoil-worker").expect("it");
    let settings = environment(&objects, &pod["containers"][0]);
    let drain = settings.iter().find(|(name, _)| name == "COUNTERFOIL_WORKER__DRAIN_S").expect("its drain");
    let drain: u64 = drain.1.parse().expect("seconds");
    assert_eq!(pod["terminationGracePeriodSeconds"].as_u64(), Some(drain + 15));
}

#[test]
fn policies_and_budgets_choose_pods_that_are_there() {
    let Some((_, objects)) = rendered("base") else { return };
    let labels: Vec<&Value> =
        pods(&objects).iter().map(|(object, _)| &object["spec"]["template"]["metadata"]["labels"]).collect();
    let mut policies = 0;
    for object in &objects {
        let kind = object["kind"].as_str().expect("a kind");
        let selector = match kind {
            "NetworkPolicy" => &object["spec"]["podSelector"]["matchLabels"],
            "PodDisruptionBudget" => &object["spec"]["selector"]["matchLabels"],
            "Service" => &object["spec"]["selector"],
            _ => continue,
        };
        policies += 1;
        let chosen = labels.iter().any(|labels| {
            selector.as_object().expect("a selector").iter().all(|(label, value)| &labels[label] == value)
        });
        assert!(chosen, "{kind} {} chooses nobody", object["metadata"]["name"]);
    }
    assert!(policies >= 8, "{policies}");
    // Nobody first, in both directions.
    let nobody = named(&objects, "NetworkPolicy", "counterfoil-nobody");
    assert_eq!(nobody["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    assert!(nobody["spec"].get("ingress").is_none() && nobody["spec"].get("egress").is_none());
    for (role, replicas) in [("api", 3), ("scheduler", 2)] {
        let deployment = named(&objects, "Deployment", &format!("counterfoil-{role}"));
        let budget = named(&objects, "PodDisruptionBudget", &format!("counterfoil-{role}"));
        assert_eq!(deployment["spec"]["replicas"], replicas);
        assert!(
            budget["spec"]["minAvailable"].as_u64().expect("a number") < replicas,
            "{role}: no node could be emptied"
        );
    }
}

#[test]
fn keda_scales_the_worker_by_depth_and_age() {
    let Some((_, objects)) = rendered("autoscaling") else { return };
    let scaled = named(&objects, "ScaledObject", "counterfoil-worker");
    assert_eq!(scaled["apiVersion"], "keda.sh/v1alpha1");
    let target = scaled["spec"]["scaleTargetRef"]["name"].as_str().expect("a name");
    named(&objects, "Deployment", target);
    let triggers = scaled["spec"]["triggers"].as_array().expect("triggers");
    let queries: Vec<&str> = triggers.iter().filter_map(|of| of["metadata"]["query"].as_str()).collect();
    assert!(
        queries[0].contains("counterfoil_jobs{")
            && queries[1].contains("counterfoil_jobs_oldest_age_seconds{")
    );
    for trigger in triggers {
        assert!(
            trigger["metadata"]["threshold"].is_string() && trigger["metadata"]["serverAddress"].is_string()
        );
    }
    let (min, max) = (&scaled["spec"]["minReplicaCount"], &scaled["spec"]["maxReplicaCount"]);
    assert!(min.as_u64() < max.as_u64() && max.as_u64() < Some(100));
}

/// The canary is another Deployment: neither of the two may take the other's pods for its own.
#[test]
fn the_canary_stands_beside() {
    let (Some((_, base)), Some((_, canary))) = (rendered("base"), rendered("canary")) else { return };
    let stable = named(&base, "Deployment", "counterfoil-worker");
    let canary = named(&canary, "Deployment", "counterfoil-worker-canary");
    let track =
        |of: &Value| of["spec"]["selector"]["matchLabels"]["counterfoil/track"].as_str().map(str::to_owned);
    assert_eq!((track(stable).as_deref(), track(canary).as_deref()), (Some("stable"), Some("canary")));
    let image =
        |of: &Value| of["spec"]["template"]["spec"]["containers"][0]["image"].as_str().map(str::to_owned);
    assert_ne!(image(stable), image(canary));
    assert_eq!(canary["spec"]["replicas"], 1);
}

#[test]
fn the_version_is_the_same_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(read(&ops("kubernetes/base/kustomization.yaml")).contains(&format!("newTag: {version}\n")));
    assert!(
        read(&ops("kubernetes/base/migrate.yaml"))
            .contains(&format!("migrate-{}\n", version.replace('.', "-")))
    );
    assert!(read(&ops("compose/compose.yaml")).contains(&format!("image: counterfoil:{version}\n")));
}

#[test]
fn the_schemas_of_kubernetes_accept_it() {
    let Some(validate) = linter("kubernetes-validate") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let known = [
        "ConfigMap",
        "Deployment",
        "Job",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    ];
    for folder in ["base", "canary"] {
        let Some((text, objects)) = rendered(folder) else { return };
        for object in &objects {
            assert!(known.contains(&object["kind"].as_str().expect("a kind")), "{}", object["kind"]);
        }
        let file = dir.path().join(format!("{folder}.yaml"));
        std::fs::write(&file, text).expect("a file");
        for version in ["1.30", "1.37"] {
            run(Command::new(&validate).args(["--strict", "--quiet", "-k", version]).arg(&file));
        }
    }
}
