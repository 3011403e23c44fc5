//! Reading by blocks gives what reading line by line gives, whatever the bytes and wherever blocks end.

use super::*;
use crate::ReadLimits;
use crate::extract::Extract;
use crate::read::Lines;
use proptest::prelude::*;
use std::ops::ControlFlow;

const HEADER: &[u8] = b"i,d,a,c,t\n";

fn mapping() -> Mapping {
    let text = r#"
        format = "csv"
        id = "i"
        date = { column = "d" }
        amount = { column = "a" }
        currency = { column = "c" }
        fields = { text = "t" }
    "#;
    toml::from_str(text).expect("a mapping")
}

/// Everything that a reading says, or its error.
fn shown(
    bytes: &[u8],
    line_bytes_max: usize,
    read: impl FnOnce(CsvReader<&[u8]>, &[String], &mut Lines<'_>) -> Result<(), ReadError>,
) -> String {
    let limits = ReadLimits { line_bytes_max, rejected_max: 20, cell_bytes_max: 30, ..ReadLimits::default() };
    let mut watch = |_| ControlFlow::Continue(());
    let extract = Extract::new(&mapping(), &limits).expect("a good mapping");
    let mut lines = Lines::new(extract, &limits, &mut watch);
    let mut reader = CsvReader::new(PhysicalLines::new(bytes, 0), b',', line_bytes_max.max(HEADER.len()));
    let header = read_header(&mut reader, |_| Ok(())).expect("a header").expect("a header");
    if let Err(error) = read(reader, &header, &mut lines) {
        return format!("{error:?}");
    }
    let Ok(outcome) = lines.finish() else { return "nothing".to_owned() };
    let records = &outcome.records;
    let record = |row| {
        (records.id(row), records.line(row), records.amount(row), records.date(row), records.field(0, row))
    };
    let all: Vec<_> = records.rows().map(record).collect();
    format!("{} {all:?} {:?}", outcome.lines_read, outcome.rejected)
}

/// The rules of a line as plainly as they can be said.
fn line_by_line(bytes: &[u8], line_bytes_max: usize) -> String {
    shown(bytes, line_bytes_max, |reader, header, lines| {
        let (ahead, input, first, _) = reader.into_rest();
        let rest = [&ahead, input].concat();
        let mut reader = CsvReader::new(PhysicalLines::new(rest.as_slice(), 0), b',', line_bytes_max);
        loop {
            let found = reader.next(|_| Ok(()))?;
            let (line, raw) = (reader.line() + first - 1, reader.raw());
            let cells = reader.cells();
            match found {
                CsvLine::End => return Ok(()),
                CsvLine::Blank => {}
                CsvLine::Bad(reason) => lines.reject(line, None, reason, raw)?,
                CsvLine::Unclosed => lines.reject(line, None, "a quoted cell never ends".to_owned(), raw)?,
                CsvLine::Cells => match std::str::from_utf8(raw) {
                    Err(error) => {
                        let place = cells.iter().rposition(|cell| cell.start <= error.valid_up_to());
                        let column = place.and_then(|i| header.get(i)).cloned();
                        lines.reject(line, column, "the line is not UTF-8".to_owned(), raw)?;
                    }
                    Ok(_) if cells.len() != header.len() => {
                        let (found, names) = (cells.len(), header.len());
                        let reason = format!("the line has {found} cells where the header has {names}");
                        lines.reject(line, None, reason, raw)?;
                    }
                    Ok(text) => {
                        let texts: Vec<_> = cells.iter().map(|cell| cell.text(text).into_owned()).collect();
                        let place = |name: &String| header.iter().position(|column| column == name);
                        let places = lines.columns().iter().filter_map(place);
                        let wanted: Vec<&str> = places.map(|i| texts[i].as_str()).collect();
                        lines.take(line, &wanted, raw)?;
                    }
                },
            }
        }
    })
}

fn by_blocks(bytes: &[u8], line_bytes_max: usize, block_bytes: usize) -> String {
    shown(bytes, line_bytes_max, |reader, header, lines| {
        let (mapping, limits, extract) = (mapping(), lines.limits(), lines.extract());
        let positions = positions_of(extract.columns(), header, &mapping)?;
        let shape = Shape {
            delimiter: b',',
            line_bytes_max,
            cell_bytes_max: limits.cell_bytes_max,
            rejected_max: limits.rejected_max,
            positions: &positions,
            header,
            encoding: None,
            extract: &extract,
            hasher: lines.id_hasher(),
        };
        let (ahead, input, line, bytes_read) = reader.into_rest();
        let blocks = Blocks::new(input, ahead, line, bytes_read, line_bytes_max);
        read_blocks(&mut blocks.in_blocks_of(block_bytes), &shape, lines)
    })
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => prop::sample::select(vec![
            "a,2026-01-31,1.5,EUR,x\n", "b,2026-01-31,-2.00,EUR,\"y\"\n", "c,2026-02-01,7,JPY,\"two\nlines\"\r\n",
            "d,2026-01-31,1.00,EUR,\"say \"\"no\"\"\"\n", "\n", "\r\n", "\"", "\"\"", ",", " ", "\r", "é", "\0",
            "e,2026-01-31,1.00,USD,", "  \n", "x\"y", "\",\"", "long long long long long long long long",
        ]).prop_map(|text: &str| text.as_bytes().to_vec()),
        4 => (0..30u8).prop_map(|i| format!("n{i},2026-01-{:02},{i}.10,EUR,text {i}\n", i % 28 + 1).into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn blocks_and_lines_say_the_same(
        pieces in prop::collection::vec(piece(), 0..40),
        line_bytes_max in 1usize..120,
        block_bytes in 1usize..200,
    ) {
        let bytes = [HEADER.to_vec(), pieces.concat()].concat();
        prop_assert_eq!(by_blocks(&bytes, line_bytes_max, block_bytes), line_by_line(&bytes, line_bytes_max));
    }
}

#[test]
fn a_cell_over_many_blocks_is_one_cell() {
    let text = "line\n".repeat(500);
    let line = |id: &str| format!("{id},2026-01-31,1.00,EUR,\"{text}\"\n");
    let bytes = [HEADER, line("a").as_bytes(), b"b,2026-01-31,1.00,EUR,x\n", line("c").as_bytes()].concat();
    for block_bytes in [1, 7, 100, 2_512, 100_000] {
        assert_eq!(by_blocks(&bytes, 1 << 20, block_bytes), line_by_line(&bytes, 1 << 20), "{block_bytes}");
    }
}
