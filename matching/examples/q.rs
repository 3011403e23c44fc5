#![allow(dead_code)]
use matching::*;
use std::collections::*;
fn slug(s: &str) -> String {
    let t = s.trim().rsplit(['/', '#']).next().unwrap();
    let mut o: String =
        t.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    if o.is_empty() {
        o = "x".into()
    }
    o
}
fn load(p: &str, idcol: &str, pred: &dyn Fn(&str) -> bool) -> (Records, HashMap<String, u32>) {
    let txt = std::fs::read(p).unwrap();
    let head = txt.split(|&b| b == b'\n').next().unwrap();
    let d = *[b',', b'|', b'%', b';'].iter().max_by_key(|d| head.iter().filter(|b| b == d).count()).unwrap();
    let mut rd =
        csv::ReaderBuilder::new().delimiter(d).flexible(true).trim(csv::Trim::All).from_reader(&txt[..]);
    let h: Vec<String> = rd.headers().unwrap().iter().map(String::from).collect();
    let idi = h.iter().position(|x| x == idcol).unwrap();
    let fi: Vec<usize> = (0..h.len()).filter(|&i| i != idi).collect();
    let mut b = RecordsBuilder::new(fi.iter().map(|&i| slug(&h[i])).collect());
    let cur = Currency::parse("XXX").unwrap();
    let mut ids = HashMap::new();
    for (n, r) in rd.byte_records().enumerate() {
        let r = r.unwrap();
        let g = |i: usize| String::from_utf8_lossy(r.get(i).unwrap_or(b"")).to_string();
        let id = g(idi);
        if !pred(&id) {
            continue;
        }
        let f: Vec<String> = fi.iter().map(|&i| g(i)).collect();
        let f: Vec<&str> = f.iter().map(|s| s.as_str()).collect();
        ids.insert(id.clone(), ids.len() as u32);
        b.push(&id, n as u64, 0, cur, 0, &f).unwrap();
    }
    (b.build(), ids)
}
fn magellan(dir: &str) -> (Records, Records, HashMap<(u32, u32), bool>) {
    let mut l = BTreeMap::new();
    let mut r = BTreeMap::new();
    let mut pairs = vec![];
    let mut names: Vec<String> = vec![];
    for f in ["train.txt", "valid.txt"] {
        for line in std::fs::read_to_string(format!("{dir}/{f}")).unwrap().lines() {
            let p: Vec<&str> = line.split('\t').collect();
            if p.len() < 3 {
                continue;
            }
            let (nl, nr) = (l.len(), r.len());
            let a = *l.entry(p[0].to_string()).or_insert(nl);
            let b = *r.entry(p[1].to_string()).or_insert(nr);
            pairs.push((a as u32, b as u32, p[2] == "1"));
        }
    }
    let mk = |m: BTreeMap<String, usize>, names: &mut Vec<String>| {
        let parse = |s: &str| -> Vec<(String, String)> {
            s.split("COL ")
                .filter(|x| !x.trim().is_empty())
                .map(|x| {
                    let (k, v) = x.split_once(" VAL").unwrap_or((x, ""));
                    (slug(k), v.trim().to_string())
                })
                .collect()
        };
        let mut v: Vec<(usize, Vec<(String, String)>)> = m.into_iter().map(|(s, i)| (i, parse(&s))).collect();
        v.sort_by_key(|x| x.0);
        if names.is_empty() {
            *names = v[0].1.iter().map(|x| x.0.clone()).collect();
        }
        let mut b = RecordsBuilder::new(names.clone());
        let cur = Currency::parse("XXX").unwrap();
        for (i, kv) in &v {
            let f: Vec<&str> =
                names.iter().map(|n| kv.iter().find(|x| &x.0 == n).map_or("", |x| x.1.as_str())).collect();
            b.push(&format!("{i:06}"), *i as u64, 0, cur, 0, &f).unwrap();
        }
        b.build()
    };
    let lr = mk(l, &mut names);
    let rr = mk(r, &mut names);
    (lr, rr, pairs.into_iter().map(|(a, b, c)| ((a, b), c)).collect())
}
fn report(name: &str, l: &Records, r: &Records, truth: &HashMap<(u32, u32), bool>, labelled_only: bool) {
    let rules: RuleSet =
        serde_json::from_str(r#"{"version":1,"pass":[{"name":"learned","learned":{}}]}"#).unwrap();
    let t = std::time::Instant::now();
    let o = reconcile(l, r, &rules, Watch::none()).unwrap();
    let dt = t.elapsed().as_secs_f64();
    let (mut tp, mut fp) = (0, 0);
    let mut bins = vec![(0f64, 0f64, 0f64); 10];
    let mut conf = (0, 0);
    for m in &o.matches {
        let k = (m.left[0], m.right[0]);
        let ok = match truth.get(&k) {
            Some(true) => true,
            Some(false) => false,
            None => {
                if labelled_only {
                    continue;
                }
                false
            }
        };
        if ok {
            tp += 1
        } else {
            fp += 1
        };
        let c = m.confidence.as_f64();
        let b = ((c * 10.0) as usize).min(9);
        bins[b].0 += 1.0;
        bins[b].1 += c;
        bins[b].2 += ok as u8 as f64;
        if m.tier == Tier::Confirmed {
            conf.0 += 1;
            conf.1 += ok as u32
        }
        if std::env::var("SHOW").as_deref() == Ok(name) && !ok {
            println!(
                "FP {:.3} | {} | {}",
                c,
                (0..l.field_names().len()).map(|f| l.field(f, k.0)).collect::<Vec<_>>().join(" ; "),
                (0..l.field_names().len().min(r.field_names().len()))
                    .map(|f| r.field(f, k.1))
                    .collect::<Vec<_>>()
                    .join(" ; ")
            );
            for x in Reasoner::new(l, r, &rules).reasons(m) {
                println!("      {:+.2} {}: {}", x.weight, x.field, x.says)
            }
        }
    }
    let all = truth.values().filter(|x| **x).count();
    let n = (tp + fp) as f64;
    let p = tp as f64 / n.max(1.0);
    let rc = tp as f64 / all as f64;
    let ece: f64 = bins.iter().map(|b| (b.1 - b.2).abs()).sum::<f64>() / n.max(1.0);
    if std::env::var("SHOW").as_deref() == Ok(name) {
        let have: HashSet<_> = o.matches.iter().map(|m| (m.left[0], m.right[0])).collect();
        for ((a, b), v) in truth {
            if *v && !have.contains(&(*a, *b)) {
                println!(
                    "FN | {} | {}",
                    (0..l.field_names().len()).map(|f| l.field(f, *a)).collect::<Vec<_>>().join(" ; "),
                    (0..r.field_names().len()).map(|f| r.field(f, *b)).collect::<Vec<_>>().join(" ; ")
                );
            }
        }
    }
    let bs: Vec<String> = bins
        .iter()
        .map(|b| if b.0 == 0.0 { "-".into() } else { format!("{:.2}/{:.2}#{}", b.1 / b.0, b.2 / b.0, b.0) })
        .collect();
    println!(
        "{name:22} P {:.4} R {:.4} F1 {:.4} ECE {:.4} conf {}/{} gaveup {} {:.2}s | {}",
        p,
        rc,
        2.0 * p * rc / (p + rc).max(1e-9),
        ece,
        conf.1,
        conf.0,
        o.passes[0].gave_up,
        dt,
        bs[4..].join(" ")
    );
}
fn main() {
    let d = "/work/shared/data";
    let only = std::env::args().nth(1);
    let want = |n: &str| only.as_ref().is_none_or(|o| n.contains(o.as_str()));
    let all = |_: &str| true;
    for (n, a, b) in [
        ("D1", "rest1", "rest2"),
        ("D2", "abt", "buy"),
        ("D4", "dblp", "acm"),
        ("D5", "imdb", "tmdb"),
        ("D6", "imdb", "tvdb"),
        ("D7", "tmdb", "tvdb"),
    ] {
        if !want(n) {
            continue;
        }
        let (l, li) = load(&format!("{d}/er/{n}/{a}.csv"), "id", &all);
        let (r, ri) = load(&format!("{d}/er/{n}/{b}.csv"), "id", &all);
        let g = std::fs::read_to_string(format!("{d}/er/{n}/gt.csv")).unwrap();
        let mut t = HashMap::new();
        for x in g.lines().skip(1) {
            let p: Vec<&str> = x.split(['|', '%', ',']).collect();
            if let (Some(a), Some(b)) = (li.get(p[0].trim()), ri.get(p[1].trim())) {
                t.insert((*a, *b), true);
            }
        }
        report(n, &l, &r, &t, false);
    }
    if want("fodors") {
        let (l, li) = load(&format!("{d}/fodors_zagats/fodors.csv"), "id", &all);
        let (r, ri) = load(&format!("{d}/fodors_zagats/zagats.csv"), "id", &all);
        let g = std::fs::read_to_string(format!("{d}/fodors_zagats/matches_fodors_zagats.csv")).unwrap();
        let t = g
            .lines()
            .skip(1)
            .filter_map(|x| {
                let (a, b) = x.split_once(',')?;
                Some(((li[a.trim()], ri[b.trim()]), true))
            })
            .collect();
        report("fodors", &l, &r, &t, false);
    }
    for n in ["1", "2", "3", "4"] {
        let nm = format!("febrl{n}");
        if !want(&nm) {
            continue;
        }
        let (f1, f2) = if n == "4" {
            ("dataset4a", "dataset4b")
        } else if n == "1" {
            ("dataset1", "dataset1")
        } else if n == "2" {
            ("dataset2", "dataset2")
        } else {
            ("dataset3", "dataset3")
        };
        let (l, li) = load(&format!("{d}/febrl/{f1}.csv"), "rec_id", &|i| i.ends_with("-org"));
        let (r, ri) = load(&format!("{d}/febrl/{f2}.csv"), "rec_id", &|i| i.ends_with("-dup-0"));
        let t = li
            .iter()
            .filter_map(|(k, v)| {
                let x = k.replace("-org", "-dup-0");
                ri.get(&x).map(|y| ((*v, *y), true))
            })
            .collect();
        report(&nm, &l, &r, &t, false);
    }
    for s in [
        "Dirty/DBLP-ACM",
        "Dirty/DBLP-GoogleScholar",
        "Dirty/iTunes-Amazon",
        "Structured/Beer",
        "Structured/DBLP-ACM",
        "Structured/DBLP-GoogleScholar",
        "Structured/Fodors-Zagats",
        "Structured/iTunes-Amazon",
        "Structured/Amazon-Google",
        "Structured/Walmart-Amazon",
        "Textual/Abt-Buy",
        "Textual/Company",
    ] {
        let p = format!("{d}/magellan_pairs/{s}");
        if !std::path::Path::new(&format!("{p}/train.txt")).exists() || !want(s) {
            continue;
        }
        let (l, r, t) = magellan(&p);
        report(s, &l, &r, &t, true);
    }
}
