//! Workbooks and Parquet files, written here and read back.

use crate::common::{mapping, read, shown};
use parquet::basic::Compression;
use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use sources::{ReadLimits, Told, detect, guess_mapping, peek_columns_as};
use std::io::{Cursor, Write};
use std::sync::Arc;

const EXCEL: &str = "format = \"excel\"\nid = \"Id\"\ndate = { column = \"Booked\", format = \"%d.%m.%Y\" }\n\
                     amount = { column = \"Amount\", decimal_mark = \"comma\" }\ncurrency = { fixed = \"EUR\" }\n\
                     fields = { text = \"Text\" }\n";

pub fn workbook() -> Vec<u8> {
    let mut book = Workbook::new();
    let date = Format::new().set_num_format("dd.mm.yyyy");
    let sheet = book.add_worksheet().set_name("January").expect("a name");
    sheet.write(0, 0, "Somewhere Bank").expect("a cell");
    for (column, name) in ["Id", "Booked", "Amount", "Text"].iter().enumerate() {
        sheet.write(2, column as u16, *name).expect("a cell");
    }
    for (row, id) in (3..).zip([4711.0, 4712.0]) {
        let day = ExcelDateTime::from_ymd(2026, 1, row as u8).expect("a date");
        sheet.write(row, 0, id).expect("a cell");
        sheet.write_with_format(row, 1, &day, &date).expect("a cell");
        sheet.write(row, 2, 0.1 + 0.2).expect("a cell");
        sheet.write(row, 3, "x & <y>").expect("a cell");
    }
    // Texts follow the mapping, numbers and dates do not need it.
    for (row, date, amount) in [(6, "31.01.2026", "-1.234,5"), (7, "2026", "1"), (8, "31.01.2026", "1.5")] {
        sheet.write(row, 0, format!("T{row}")).expect("a cell");
        sheet.write(row, 1, date).expect("a cell");
        sheet.write(row, 2, amount).expect("a cell");
    }
    sheet.write(9, 4, "beyond").expect("a cell");
    let second = book.add_worksheet().set_name("February").expect("a name");
    second.write(0, 0, "Id").expect("a cell");
    book.save_to_buffer().expect("a workbook")
}

#[test]
fn a_sheet_is_read_by_types_where_cells_have_them() {
    let told = mapping(&format!("{EXCEL}[excel]\nsheet = \"January\"\nheader_row = 3\n"));
    assert_eq!(
        shown(&told, workbook()),
        "4 4711 2026-01-03 0.30 EUR [x & <y>]\n5 4712 2026-01-04 0.30 EUR [x & <y>]\n\
         7 T6 2026-01-31 -1234.50 EUR []\n8! Booked: \"2026\" is not a date like %d.%m.%Y\n\
         9! Amount: \"1.5\" is not an amount\n10! the row has more than the 4 cells of the header"
    );
    let missing = mapping(&format!("{EXCEL}[excel]\nsheet = \"March\"\n"));
    let says = shown(&missing, workbook());
    assert!(says.contains("it has no sheet \"March\"; it has \"January\", \"February\""), "{says}");
    let above = shown(&mapping(EXCEL), workbook());
    assert!(above.starts_with("error: ") && above.contains("has no column \"Id\""), "{above}");
}

#[test]
fn a_workbook_is_detected_with_its_header_row() {
    let detection = detect(&workbook()).expect("a workbook");
    assert_eq!((detection.format, detection.excel.header_row), (sources::Format::Excel, Some(3)));
    assert_eq!(detection.columns, ["Id", "Booked", "Amount", "Text"]);
    let errors = guess_mapping(&detection).expect_err("no currency, and dates of two kinds");
    assert_eq!(
        errors.iter().map(|error| error.at.as_str()).collect::<Vec<_>>(),
        ["date.column", "currency.column"]
    );
}

#[test]
fn the_sheet_that_looks_like_the_table_is_proposed_and_said() {
    let mut book = Workbook::new();
    let cover = book.add_worksheet().set_name("Cover").expect("a name");
    cover.write(0, 0, "Statement of account").expect("a cell");
    cover.write(1, 0, "Page 1 of 2").expect("a cell");
    let sheet = book.add_worksheet().set_name("Entries").expect("a name");
    for (column, name) in ["Id", "Date", "Amount", "Currency"].iter().enumerate() {
        sheet.write(0, column as u16, *name).expect("a cell");
    }
    for row in 1..5 {
        sheet.write(row, 0, format!("T{row}")).expect("a cell");
        sheet.write(row, 1, format!("2026-01-0{row}")).expect("a cell");
        sheet.write(row, 2, "12.50").expect("a cell");
        sheet.write(row, 3, "EUR").expect("a cell");
    }
    let file = book.save_to_buffer().expect("a workbook");
    let detection = detect(&file).expect("a workbook");
    assert_eq!(detection.excel.sheet.as_deref(), Some("Entries"));
    assert_eq!(detection.sheets, ["Cover", "Entries"]);
    let doubts = detection.doubts();
    let says = "of the sheets \"Cover\", \"Entries\" the proposal takes \"Entries\"";
    assert!(doubts.iter().any(|doubt| doubt.at == "excel.sheet" && doubt.says == says), "{doubts:?}");
    let mapping = guess_mapping(&detection).expect("a mapping");
    assert_eq!(shown(&mapping, &file).lines().next(), Some("2 T1 2026-01-01 12.50 EUR"));
}

#[test]
fn sheets_are_listed_and_another_one_is_looked_at() {
    let detection = detect(&workbook()).expect("a workbook");
    assert_eq!(detection.sheets, ["January", "February"]);
    let as_told = |sheet: &str, header_line: Option<u32>| {
        let told = Told { sheet: Some(sheet.into()), header_line, ..Told::default() };
        peek_columns_as(workbook().as_slice(), &told)
    };
    let february = as_told("February", None).expect("a sheet");
    assert_eq!((february.columns, february.excel.sheet), (vec!["Id".to_owned()], Some("February".into())));
    let january = as_told("January", Some(4)).expect("a row");
    assert_eq!((january.columns[0].as_str(), january.excel.header_row), ("4711", Some(4)));
    assert!(as_told("January", Some(2)).unwrap_err().to_string().contains("line 2 has no names"));
    assert!(as_told("March", None).unwrap_err().to_string().contains("no sheet \"March\""));
    let ods = detect(&ods(
        "<table:table-row><table:table-cell><text:p>a</text:p></table:table-cell></table:table-row>",
    ));
    assert_eq!(ods.expect("a sheet").sheets, ["S"]);
}

fn ods(rows: &str) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(vec![]));
    archive.start_file("content.xml", zip::write::SimpleFileOptions::default()).expect("a part");
    let content = format!(
        "<?xml version=\"1.0\"?><office:document-content><office:body><office:spreadsheet>\
         <table:table table:name=\"S\">{rows}</table:table></office:spreadsheet></office:body></office:document-content>"
    );
    archive.write_all(content.as_bytes()).expect("written");
    archive.finish().expect("an archive").into_inner()
}

fn text_row(cells: &[&str]) -> String {
    let cell = |text: &&str| {
        format!("<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>")
    };
    format!("<table:table-row>{}</table:table-row>", cells.iter().map(cell).collect::<String>())
}

#[test]
fn an_open_document_is_read_exactly_and_repeats_cost_nothing() {
    let header = text_row(&["Id", "Booked", "Amount", "Text"]);
    let typed = "<table:table-row><table:table-cell office:value-type=\"float\" office:value=\"7\"/>\
         <table:table-cell office:value-type=\"date\" office:date-value=\"2026-01-31\"><text:p>31.1.</text:p></table:table-cell>\
         <table:table-cell office:value-type=\"currency\" office:value=\"12345678901234.56\"/>\
         <table:table-cell office:value-type=\"string\"><office:annotation><text:p>no</text:p></office:annotation>\
         <text:p>a<text:s text:c=\"2\"/>&amp;</text:p><text:p>b</text:p></table:table-cell>\
         <table:table-cell table:number-columns-repeated=\"16380\"/></table:table-row>";
    let blank =
        "<table:table-row table:number-rows-repeated=\"1000000\"><table:table-cell/></table:table-row>";
    assert_eq!(
        shown(
            &mapping(EXCEL),
            ods(&format!("{header}{typed}{blank}{}", text_row(&["8", "01.02.2026", "1,5", ""])))
        ),
        "2 7 2026-01-31 12345678901234.56 EUR [a  &\\nb]\n1000003 8 2026-02-01 1.50 EUR []"
    );
    let wide = format!(
        "<table:table-row><table:table-cell table:number-columns-repeated=\"16384\" office:value-type=\"string\">\
         <text:p>{}</text:p></table:table-cell></table:table-row>",
        "x".repeat(1_000)
    );
    let shown = shown(&mapping(EXCEL), ods(&format!("{header}{typed}{wide}")));
    assert!(shown.ends_with("3! the row is longer than 1048576 bytes"), "{shown}");
}

#[test]
fn workbooks_of_other_formats_are_refused_with_a_reason() {
    let old = [&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1][..], &[0; 600]].concat();
    let mut binary = zip::ZipWriter::new(Cursor::new(vec![]));
    binary.start_file("xl/workbook.bin", zip::write::SimpleFileOptions::default()).unwrap();
    binary.write_all(&[0; 64]).unwrap();
    let binary = binary.finish().unwrap().into_inner();
    for (bytes, why) in [(old, "before 2007"), (binary, ".xlsb")] {
        let says = detect(&bytes).unwrap_err().to_string();
        assert!(says.contains(why) && says.contains("save it as .xlsx"), "{says}");
    }
}

#[test]
fn an_archive_that_unpacks_without_end_is_refused() {
    let mut archive = zip::ZipWriter::new(Cursor::new(vec![]));
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file("xl/workbook.xml", options).expect("a part");
    archive.write_all(&vec![0; 8 << 20]).expect("written");
    let bytes = archive.finish().expect("an archive").into_inner();
    assert!(bytes.len() < 100_000, "small on disk");
    let limits = ReadLimits { unpacked_bytes_max: (8 << 20) - 1, ..ReadLimits::default() };
    let error = read(&mapping(EXCEL), &bytes, &limits).expect_err("too large");
    assert!(error.to_string().contains("unpacks to more than"), "{error}");
}

pub fn parquet(compression: Compression) -> Vec<u8> {
    let schema = "message m { required binary id (UTF8); required int64 at (TIMESTAMP(NANOS,true)); \
         optional fixed_len_byte_array(16) amount (DECIMAL(38,4)); required int32 day (DATE); \
         optional binary text (UTF8); optional group nested { optional int32 x; } }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = vec![];
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let ids: Vec<ByteArray> = ["a", "b", "c"].map(ByteArray::from).to_vec();
    let mut column = group.next_column().expect("ok").expect("id");
    column.typed::<ByteArrayType>().write_batch(&ids, None, None).expect("written");
    column.close().expect("closed");
    let mut column = group.next_column().expect("ok").expect("at");
    let at = 1_769_817_600_000_000_000; // 2026-01-31T00:00:00Z
    column.typed::<Int64Type>().write_batch(&[at, at + 3_600_000_000_123, -1], None, None).expect("written");
    column.close().expect("closed");
    let mut column = group.next_column().expect("ok").expect("amount");
    let amounts: Vec<FixedLenByteArray> = [-12_345_600_i128, 922_337_203_685_477_580_000]
        .map(|value| FixedLenByteArray::from(value.to_be_bytes().to_vec()))
        .to_vec();
    column.typed::<FixedLenByteArrayType>().write_batch(&amounts, Some(&[1, 1, 0]), None).expect("written");
    column.close().expect("closed");
    let mut column = group.next_column().expect("ok").expect("day");
    column.typed::<Int32Type>().write_batch(&[20_484, 20_485, 20_486], None, None).expect("written");
    column.close().expect("closed");
    let mut column = group.next_column().expect("ok").expect("text");
    column
        .typed::<ByteArrayType>()
        .write_batch(&[ByteArray::from("x")], Some(&[1, 0, 0]), None)
        .expect("written");
    column.close().expect("closed");
    let mut column = group.next_column().expect("ok").expect("nested");
    column.typed::<Int32Type>().write_batch(&[], Some(&[0, 0, 0]), None).expect("written");
    column.close().expect("closed");
    group.close().expect("closed");
    writer.close().expect("closed");
    bytes
}

const PARQUET: &str = "format = \"parquet\"\nid = \"id\"\ndate.column = \"at\"\namount.column = \"amount\"\n\
                       currency = { fixed = \"EUR\" }\nfields = { text = \"text\", day = \"day\" }";

#[test]
fn parquet_is_read_exactly_in_every_compression() {
    let gzip = Compression::GZIP(Default::default());
    for compression in
        [Compression::UNCOMPRESSED, Compression::SNAPPY, gzip, Compression::ZSTD(Default::default())]
    {
        assert_eq!(
            shown(&mapping(PARQUET), parquet(compression)),
            "1 a 2026-01-31 -1234.56 EUR [2026-01-31] [x]\n\
             2 b 2026-01-31 92233720368547758.00 EUR [2026-02-01] []\n3! amount: the amount is empty"
        );
    }
    let nested = PARQUET.replace("\"day\" }", "\"nested\" }");
    let shown = shown(&mapping(&nested), parquet(Compression::SNAPPY));
    assert!(shown.starts_with("error: fields.day: the file has no column \"nested\""), "{shown}");
    let detection = detect(&parquet(Compression::SNAPPY)).expect("a file");
    assert_eq!(detection.columns, ["id", "at", "amount", "day", "text"]);
}

#[test]
fn damaged_files_are_errors() {
    let (book, columns) = (workbook(), parquet(Compression::SNAPPY));
    for (toml, bytes) in [(EXCEL, &book), (PARQUET, &columns)] {
        for cut in [4, 5, 20, bytes.len() / 2, bytes.len() - 1] {
            let shown = shown(&mapping(toml), &bytes[..cut]);
            assert!(shown.starts_with("error: "), "{cut}: {shown}");
        }
    }
    let old = [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], &[0; 600]].concat();
    assert!(shown(&mapping(EXCEL), old).contains("save it as .xlsx"));
    assert!(shown(&mapping(EXCEL), "a,b\n1,2\n").contains("does not begin like excel"));
    assert_eq!(shown(&mapping(PARQUET), ""), "error: the file has no data lines");
}
