#![allow(dead_code)]
use matching::*;
use std::collections::*;
fn cpu()->f64{let s=std::fs::read_to_string("/proc/self/stat").unwrap();let v:Vec<&str>=s.rsplit(')').next().unwrap().split_whitespace().collect();(v[11].parse::<f64>().unwrap()+v[12].parse::<f64>().unwrap())/100.0}
fn bank(dir: &str) {
    let day = |t: &str| -> i32 {
        let y: i64 = t[0..4].parse().unwrap();
        let m: i64 = t[5..7].parse().unwrap();
        let d: i64 = t[8..10].parse().unwrap();
        let y = if m <= 2 { y - 1 } else { y };
        let era = y.div_euclid(400);
        let yoe = y - era * 400;
        let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        (era * 146097 + doe - 719468) as i32
    };
    let ld = |f: &str, fields: &[(&str, &str)]| -> (Records, HashMap<String, u32>) {
        let mut rd = csv::Reader::from_path(format!("{dir}/{f}")).unwrap();
        let h = rd.headers().unwrap().clone();
        let ix = |n: &str| h.iter().position(|x| x == n);
        let idi = 0;
        let di = ix("booking_date").or(ix("date")).unwrap();
        let ai = ix("amount").unwrap();
        let ci = ix("currency").unwrap();
        let fi: Vec<usize> = fields.iter().map(|f| ix(f.1).unwrap()).collect();
        let mut b = RecordsBuilder::new(fields.iter().map(|f| f.0.to_string()).collect());
        let mut ids = HashMap::new();
        let mut r = csv::StringRecord::new();
        let mut n = 0;
        while rd.read_record(&mut r).unwrap() {
            let c = Currency::parse(&r[ci]).unwrap();
            let a = parse_minor(&r[ai], c.exponent(), DecimalMark::Point).unwrap();
            let f: Vec<&str> = fi.iter().map(|&i| &r[i]).collect();
            ids.insert(r[idi].to_string(), n);
            b.push(&r[idi], n as u64, a, c, day(&r[di]), &f).unwrap();
            n += 1;
        }
        (b.build(), ids)
    };
    let (l, li) = ld("bank.csv", &[("reference", "reference"), ("description", "description")]);
    let (r, ri) = ld(
        "ledger.csv",
        &[("reference", "invoice_ref"), ("counterparty", "counterparty"), ("batch", "batch_ref")],
    );
    let mut one: HashMap<u32, u32> = HashMap::new();
    let mut grp: HashMap<u32, BTreeSet<u32>> = HashMap::new();
    let mut kinds: HashMap<u32, String> = HashMap::new();
    let mut rd = csv::Reader::from_path(format!("{dir}/truth.csv")).unwrap();
    for x in rd.records() {
        let x = x.unwrap();
        let (a, b) = (li[&x[0]], ri[&x[1]]);
        kinds.insert(a, x[2].to_string());
        if &x[2] == "group" {
            grp.entry(a).or_default().insert(b);
        } else {
            one.insert(a, b);
        }
    }
    let mut twin: HashMap<u32, u32> = HashMap::new();
    if let Ok(mut rd) = csv::Reader::from_path(format!("{dir}/twins.csv")) {
        for x in rd.records() {
            let x = x.unwrap();
            twin.insert(li[&x[0]], li[&x[1]]);
        }
    }
    let rules = match std::env::var("RULES") {
        Ok(p) => toml::from_str(&std::fs::read_to_string(p).unwrap()).unwrap(),
        _ => RuleSet::standard_for(l.field_names(), r.field_names()),
    };
    let mut rules = rules;
    if let Ok(t) = std::env::var("THR") {
        rules.threshold = t.parse().unwrap();
    }
    let rules = rules;
    let last = std::sync::Mutex::new((String::new(), cpu()));
    let prog = |p: Progress| {
        let n = format!("{:?}", p.phase);
        let mut g = last.lock().unwrap();
        if g.0 != n {
            if std::env::var("T").is_ok() {
                eprintln!("{:.2}s {}", cpu()-g.1, g.0);
            }
            *g = (n, cpu());
        }
    };
    let t = std::time::Instant::now();
    let o = reconcile(&l, &r, &rules, Watch { cancelled: &|| false, progress: &prog }).unwrap();
    let dt = t.elapsed().as_secs_f64();
    println!("{dir} {dt:.2}s");
    for p in &o.passes {
        println!("   {:50} {} gaveup {}", p.name, p.matches, p.gave_up);
    }
    let reas = Reasoner::new(&l, &r, &rules);
    let show = std::env::var("SHOW").is_ok();
    for tier in [None, Some(Tier::Confirmed)] {
        let (mut tp, mut fp, mut gt, mut gs) = (0, 0, 0, 0);
        let mut bins = vec![(0f64, 0f64, 0f64); 10];
        let mut byp: BTreeMap<(u16, Tier), (u32, u32, f64)> = BTreeMap::new();
        let mut shown = 0;
        let matched: HashSet<u32> = o.matches.iter().flat_map(|m| m.left.iter().copied()).collect();
        for m in &o.matches {
            if tier.is_some_and(|t| m.tier != t) {
                continue;
            }
            let mut a = m.left[0];
            if let Some(&t) = twin.get(&a) {
                if !matched.contains(&t) {
                    a = t
                }
            }
            let rs: BTreeSet<u32> = m.right.iter().copied().collect();
            let ok = if let Some(g) = grp.get(&a) {
                gs += 1;
                let ok = *g == rs;
                gt += ok as u32;
                ok
            } else {
                let ok = rs.len() == 1 && one.get(&a) == rs.first();
                if ok {
                    tp += 1
                } else {
                    fp += rs.len()
                };
                ok
            };
            let c = m.confidence.as_f64();
            let b = ((c * 10.0) as usize).min(9);
            bins[b].0 += 1.0;
            bins[b].1 += c;
            bins[b].2 += ok as u8 as f64;
            let e = byp.entry((m.pass, m.tier)).or_default();
            e.0 += 1;
            e.1 += !ok as u32;
            e.2 += c;
            if show
                && ((!ok && std::env::var("THR").is_err()) || (ok && c < 0.5))
                && tier.is_none()
                && m.pass as usize == rules.passes.len() - 1
                && shown < 25
            {
                shown += 1;
                println!(
                    "FP {c:.4} {:?} | {} {} {} {} | {} {} {} | TRUE {:?}",
                    m.tier,
                    l.amount(a),
                    l.date(a),
                    l.field(0, a),
                    l.field(1, a),
                    r.amount(m.right[0]),
                    r.date(m.right[0]),
                    r.field(1, m.right[0]),
                    one.get(&a).map(|x| (r.amount(*x), r.date(*x), r.field(1, *x), matched.contains(&a)))
                );
                for x in reas.reasons(m) {
                    print!("  {}:{:+.2}[{}]", x.field, x.weight, x.says)
                }
                println!();
            }
        }
        let n: f64 = bins.iter().map(|b| b.0).sum();
        let ece: f64 = bins.iter().map(|b| (b.1 - b.2).abs()).sum::<f64>() / n.max(1.0);
        let p = tp as f64 / (tp + fp) as f64;
        let rc = tp as f64 / one.len() as f64;
        println!(
            "  {:?}: P {:.5} R {:.5} F1 {:.5} | dep recall {:.4} prec {:.4} | ECE {:.4}",
            tier,
            p,
            rc,
            2.0 * p * rc / (p + rc),
            gt as f64 / grp.len() as f64,
            gt as f64 / gs.max(1) as f64,
            ece
        );
        if tier.is_none() {
            for (k, v) in byp {
                println!(
                    "     pass {} {:?}: n {} wrong {} ({:.5}) mean conf {:.5}",
                    k.0,
                    k.1,
                    v.0,
                    v.1,
                    v.1 as f64 / v.0 as f64,
                    v.2 / v.0 as f64
                );
            }
            println!(
                "   {:?}",
                bins.iter().map(|b| format!("{:.2}/{:.3}#{}", b.1 / b.0, b.2 / b.0, b.0)).collect::<Vec<_>>()
            );
            if show {
                let mut miss: BTreeMap<String, u32> = BTreeMap::new();
                let mut k = 0;
                for (a, b) in &one {
                    if !matched.contains(a) {
                        *miss.entry(kinds[a].clone()).or_default() += 1;
                        k += 1;
                        if k < 20 {
                            println!(
                                "MISS {} | {} {} {} {} | {} {} {} {}",
                                kinds[a],
                                l.amount(*a),
                                l.date(*a),
                                l.field(0, *a),
                                l.field(1, *a),
                                r.amount(*b),
                                r.date(*b),
                                r.field(0, *b),
                                r.field(1, *b)
                            );
                        }
                    }
                }
                println!("missed {miss:?}");
            }
        }
    }
}
fn main() {
    for d in std::env::args().skip(1) {
        bank(&d)
    }
}
