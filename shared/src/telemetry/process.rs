//! Figures of the process itself, from `/proc` and its control group, written as text: processor time has fractions,
//! which counted metrics have not.

use super::table;
use std::fmt::Write;
use std::fs;
use std::sync::OnceLock;

/// Their part of an answer; what this system does not tell is left out.
pub(super) fn render() -> String {
    let mut text = String::new();
    let stat = Stat::read();
    let mut figure = |name: &str, value: Option<f64>| {
        let Some(value) = value else { return };
        let metric = table::find(name).unwrap_or_else(|| panic!("{name} is in the table"));
        let _ = writeln!(text, "# HELP {name} {}", metric.meaning);
        let _ = writeln!(text, "# TYPE {name} {}\n{name} {value}\n", metric.kind.as_str());
    };
    figure("counterfoil_process_cpu_seconds_total", stat.as_ref().map(|stat| stat.cpu_s));
    figure("counterfoil_process_resident_memory_bytes", stat.as_ref().map(|stat| stat.resident_bytes));
    figure("counterfoil_process_threads", stat.as_ref().map(|stat| stat.threads));
    figure("counterfoil_process_start_time_seconds", stat.as_ref().and_then(Stat::started_at_s));
    figure("counterfoil_process_cpus", cpus());
    figure("counterfoil_process_memory_limit_bytes", memory_limit_bytes());
    figure("counterfoil_process_open_fds", fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count() as f64));
    figure("counterfoil_process_max_fds", max_fds());
    text
}

/// `/proc/self/stat`.
struct Stat {
    cpu_s: f64,
    threads: f64,
    /// Clock ticks after the machine's start.
    started_ticks: f64,
    resident_bytes: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field, the name, may hold blanks and brackets; the third is the first after the last bracket.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_s: (field(14)? + field(15)?) / ticks_per_s(),
            threads: field(20)?,
            started_ticks: field(22)?,
            resident_bytes: field(24)? * sysconf(libc::_SC_PAGESIZE)?,
        })
    }

    fn started_at_s(&self) -> Option<f64> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let booted_at: f64 =
            stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Some(booted_at + self.started_ticks / ticks_per_s())
    }
}

fn ticks_per_s() -> f64 {
    sysconf(libc::_SC_CLK_TCK).unwrap_or(100.0)
}

fn sysconf(name: libc::c_int) -> Option<f64> {
    // SAFETY: reads a constant of the system.
    let value = unsafe { libc::sysconf(name) };
    (value > 0).then_some(value as f64)
}

fn max_fds() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The quota of the control group (version 2) may be a fraction.
fn cpus() -> Option<f64> {
    let quota = of_control_group("cpu.max").and_then(|text| {
        let (quota, period) = text.trim().split_once(' ')?;
        Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
    });
    let all = std::thread::available_parallelism().ok().map(|cpus| cpus.get() as f64);
    quota.into_iter().chain(all).reduce(f64::min)
}

fn memory_limit_bytes() -> Option<f64> {
    let limit = of_control_group("memory.max").and_then(|text| text.trim().parse::<f64>().ok());
    limit.into_iter().chain(machine_memory_bytes()).reduce(f64::min)
}

fn machine_memory_bytes() -> Option<f64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(total.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}

/// A file of this process's control group, version 2; in a container that is the root it sees.
fn of_control_group(file: &str) -> Option<String> {
    static FOLDER: OnceLock<Option<String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
        Some(format!("/sys/fs/cgroup{}", path.trim_end_matches('/')))
    });
    fs::read_to_string(format!("{}/{file}", folder.as_ref()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_moves_no_field() {
        let line = "7 (a b) c)) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 5 0 9000 1000000 42 18446744073709551615";
        let stat = Stat::parse(line).expect("all fields");
        assert_eq!((stat.cpu_s * ticks_per_s(), stat.threads, stat.started_ticks), (300.0, 5.0, 9000.0));
        assert_eq!(stat.resident_bytes, 42.0 * sysconf(libc::_SC_PAGESIZE).unwrap());
        assert!(Stat::parse("7 (a) S 1").is_none());
    }

    #[test]
    fn this_process_has_every_figure() {
        let text = render();
        let of_process = table::all().filter(|metric| metric.name.starts_with("counterfoil_process_"));
        for metric in of_process {
            let value = text.lines().find_map(|line| line.strip_prefix(metric.name)?.strip_prefix(' '));
            let value: f64 = value.unwrap_or_else(|| panic!("no {} in {text}", metric.name)).parse().unwrap();
            assert!(value > 0.0 || metric.name.ends_with("cpu_seconds_total"), "{} is {value}", metric.name);
        }
    }
}
