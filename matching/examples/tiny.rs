use matching::*;
fn main() {
    let mk = |rows: &[(&str, i32, i64, &str)], f: &str| {
        let mut b = RecordsBuilder::new(vec![f.into()]);
        for (i, r) in rows.iter().enumerate() {
            b.push(r.0, i as u64, r.2, Currency::parse("EUR").unwrap(), r.1, &[r.3]).unwrap();
        }
        b.build()
    };
    let l = mk(&[("B1", 5, 4999, "SQ *9XK2"), ("B2", 5, 5999, "SEPA CREDIT HOLM")], "description");
    let r = mk(
        &[
            ("L1", 4, 4999, "Kaiser Logistics GmbH"),
            ("L2", 4, 5999, "Mueller Optics GmbH"),
            ("L3", 35, 700, "Holm GmbH"),
        ],
        "counterparty",
    );
    let mut rules = RuleSet::standard_for(l.field_names(), r.field_names());
    rules.threshold = 0.01;
    let o = reconcile(&l, &r, &rules, Watch::none()).unwrap();
    let re = Reasoner::new(&l, &r, &rules);
    for m in &o.matches {
        println!(
            "{} {} {:?} {:?}",
            l.id(m.left[0]),
            r.id(m.right[0]),
            m.confidence,
            rules.passes[m.pass as usize].name
        );
        for x in re.reasons(m) {
            println!("  {:+.2} {} {}", x.weight, x.field, x.says)
        }
    }
}
