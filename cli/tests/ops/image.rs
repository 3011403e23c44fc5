//! `ops/image/Dockerfile`.

use super::files::{ops, read, root};
use super::settings::suffice_for;
use super::tools::{executable, installed, linter, run};
use shared::testing::test_dir;
use std::ffi::CString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Instructions with their arguments, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = read(&ops("image/Dockerfile")).replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let (instruction, rest) = line.split_once(' ').expect("an argument");
            (instruction.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

/// The stages, by name.
fn stages() -> Vec<(String, Vec<(String, String)>)> {
    let mut stages: Vec<(String, Vec<(String, String)>)> = vec![];
    for (instruction, rest) in instructions() {
        if instruction == "FROM" {
            let (_, name) = rest.split_once(" AS ").expect("every stage has a name");
            stages.push((name.to_owned(), vec![(instruction, rest)]));
        } else if let Some((_, stage)) = stages.last_mut() {
            stage.push((instruction, rest));
        } else {
            assert_eq!(instruction, "ARG", "before the first stage");
        }
    }
    stages
}

#[test]
fn what_runs_is_nobody_and_has_nothing_to_lose() {
    let stages = stages();
    let names: Vec<&str> = stages.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["build", "with-postgresql", "counterfoil"],
        "the last one is what is built by default"
    );
    for (name, stage) in &stages {
        let (_, from) = &stage[0];
        assert!(!from.contains(":latest") && from.contains(':'), "{name} is from {from}");
        if name == "build" {
            continue;
        }
        let of =
            |what: &str| stage.iter().filter(|(is, _)| is == what).map(|(_, rest)| rest).collect::<Vec<_>>();
        assert_eq!(
            of("USER"),
            ["65532:65532"],
            "{name}: a number, so that Kubernetes knows that it is not root"
        );
        assert_eq!(of("ENTRYPOINT"), [r#"["/usr/local/bin/counterfoil"]"#], "{name}: no shell in between");
        assert!(of("RUN").is_empty() && of("ADD").is_empty(), "{name} runs nothing");
        for copied in of("COPY") {
            assert!(copied.contains("--from=build"), "{name} copies {copied}");
        }
        let environment: Vec<(String, String)> = of("ENV")
            .iter()
            .flat_map(|line| line.split(' '))
            .map(|pair| pair.split_once('=').expect("a value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        suffice_for("up", &environment);
    }
}

#[test]
fn the_build_sees_no_secret_and_the_right_compiler() {
    let ignored = read(&ops("image/Dockerfile.dockerignore"));
    for path in ["/target", "/.git", "/ops/compose/secrets"] {
        assert!(ignored.lines().any(|line| line == path), "{path} goes into the build");
    }
    let version = read(&root().join("rust-toolchain.toml"));
    let version = version.split('"').nth(1).expect("a channel").to_owned();
    let dockerfile = read(&ops("image/Dockerfile"));
    assert!(dockerfile.contains(&format!("ARG RUST={version}\n")), "rust-toolchain.toml says {version}");
}

#[test]
fn hadolint_finds_nothing() {
    let Some(hadolint) = linter("hadolint") else { return };
    run(Command::new(hadolint).arg("--config").arg(ops("image/hadolint.yaml")).arg(ops("image/Dockerfile")));
}

/// Of `gcr.io/distroless/cc-debian12`, by name.
const LIBRARIES_OF_THE_IMAGE: [&str; 9] = [
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libstdc++.so.6",
];

/// A root as the last stage has it: the executable, the C library, a folder of ours and `/tmp`.
fn bare_root() -> Option<PathBuf> {
    // SAFETY: has no preconditions and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: only root may enter another root");
        return None;
    }
    let root = test_dir("bare-root");
    let place = |from: &Path, to: &str| {
        let to = root.join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        // A link where they are on the same disk: the executable is large.
        fs::hard_link(from, &to).or_else(|_| fs::copy(from, &to).map(drop)).expect("placed");
    };
    place(executable(), "/usr/local/bin/counterfoil");
    let needs = run(Command::new(installed("ldd")?).arg(executable()));
    for line in needs.lines().filter(|line| line.contains(".so") && !line.contains("linux-vdso")) {
        let path = line.split_whitespace().find(|word| word.starts_with('/')).expect("a path");
        let name = Path::new(path).file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(LIBRARIES_OF_THE_IMAGE.contains(&name), "{name} is not in the image");
        place(&fs::canonicalize(path).expect("it is there"), path);
    }
    for dir in ["tmp", "var/lib/counterfoil"] {
        let dir = root.join(dir);
        fs::create_dir_all(&dir).expect("made");
        std::os::unix::fs::chown(&dir, Some(65532), Some(65532)).expect("given away");
    }
    Some(root)
}

/// Nothing is there that the image has not: no shell, no account, no file of the build.
#[test]
fn the_executable_works_with_nothing_but_what_the_image_has() {
    let Some(root) = bare_root() else { return };
    let environment: Vec<(String, String)> = stages()
        .pop()
        .expect("the last stage")
        .1
        .iter()
        .filter(|(instruction, _)| instruction == "ENV")
        .flat_map(|(_, pairs)| pairs.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .map(|pair| pair.split_once('=').map(|(name, value)| (name.into(), value.into())).expect("a value"))
        .collect();
    let inside = |args: &[&str]| {
        let mut command = Command::new("/usr/local/bin/counterfoil");
        command.args(args).env_clear().envs(environment.iter().cloned()).stdin(Stdio::null());
        let path = CString::new(root.as_os_str().as_encoded_bytes()).expect("a path");
        // SAFETY: only system calls, on memory that was allocated before.
        unsafe {
            command.pre_exec(move || {
                let done = libc::chroot(path.as_ptr()) == 0
                    && libc::chdir(c"/var/lib/counterfoil".as_ptr()) == 0
                    && libc::setgroups(0, std::ptr::null()) == 0
                    && libc::setgid(65532) == 0
                    && libc::setuid(65532) == 0;
                if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        let output = command.output().unwrap_or_else(|error| panic!("{args:?}: {error}"));
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&told).into_owned())
    };
    let works = |args: &[&str]| {
        let (code, told) = inside(args);
        assert_eq!(code, Some(0), "{args:?}: {told}");
    };
    works(&["--help"]);
    works(&["config", "check", "--for", "up"]);
    works(&["samples", "--out", "/tmp/samples"]);
    let (code, told) = inside(&["probe", "http://127.0.0.1:9/readyz"]);
    assert_eq!(code, Some(1), "{told}");
    let (code, told) = inside(&["migrate"]);
    assert!(code == Some(1) && told.contains("database.url"), "{told}");
    fs::remove_dir_all(&root).expect("gone");
}
