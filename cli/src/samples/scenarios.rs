//! What happens between a ledger and a bank, one kind at a time.

use super::books::{BankRow, Books, LedgerRow};
use super::dice::Dice;
use super::messy;
use chrono::{Datelike, Days};
use matching::Currency;

/// A kind of story. `truth.csv` uses its name; `samples/README.md` explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Exact,
    ReferenceReformatted,
    ReferenceInText,
    ReferenceMisread,
    TextOnly,
    SupplierPayment,
    Deposit,
    CardPayout,
    BankFee,
    Interest,
    BankDuplicate,
    LedgerDuplicate,
    MissingInLedger,
    MissingInBank,
    ShortPaid,
    WrongCurrency,
    Ambiguous,
}

impl Kind {
    pub const ALL: [Kind; 17] = [
        Kind::Exact,
        Kind::ReferenceReformatted,
        Kind::ReferenceInText,
        Kind::ReferenceMisread,
        Kind::TextOnly,
        Kind::SupplierPayment,
        Kind::Deposit,
        Kind::CardPayout,
        Kind::BankFee,
        Kind::Interest,
        Kind::BankDuplicate,
        Kind::LedgerDuplicate,
        Kind::MissingInLedger,
        Kind::MissingInBank,
        Kind::ShortPaid,
        Kind::WrongCurrency,
        Kind::Ambiguous,
    ];

    pub fn name(self) -> &'static str {
        self.properties().0
    }

    /// Name, and how often of a thousand stories.
    fn properties(self) -> (&'static str, u64) {
        match self {
            Kind::Exact => ("exact", 300),
            Kind::ReferenceReformatted => ("reference_reformatted", 160),
            Kind::ReferenceInText => ("reference_in_text", 160),
            Kind::ReferenceMisread => ("reference_misread", 25),
            Kind::TextOnly => ("text_only", 100),
            Kind::SupplierPayment => ("supplier_payment", 50),
            Kind::Deposit => ("deposit", 50),
            Kind::CardPayout => ("card_payout", 40),
            Kind::BankFee => ("bank_fee", 26),
            Kind::Interest => ("interest", 8),
            Kind::BankDuplicate => ("bank_duplicate", 12),
            Kind::LedgerDuplicate => ("ledger_duplicate", 12),
            Kind::MissingInLedger => ("missing_in_ledger", 18),
            Kind::MissingInBank => ("missing_in_bank", 26),
            Kind::ShortPaid => ("short_paid", 14),
            Kind::WrongCurrency => ("wrong_currency", 8),
            Kind::Ambiguous => ("ambiguous", 10),
        }
    }

    pub fn pick(dice: &mut Dice) -> Kind {
        let mut ticket = dice.below(Kind::ALL.iter().map(|kind| kind.properties().1).sum());
        for kind in Kind::ALL {
            match ticket.checked_sub(kind.properties().1) {
                Some(rest) => ticket = rest,
                None => return kind,
            }
        }
        Kind::Exact
    }

    pub fn happen(self, books: &mut Books, dice: &mut Dice) {
        match self {
            Kind::Deposit => deposit(books, dice),
            Kind::CardPayout => card_payout(books, dice),
            Kind::BankFee | Kind::Interest => bank_only(self, books, dice),
            Kind::Ambiguous => ambiguous(books, dice),
            _ => one_payment(self, books, dice),
        }
    }
}

/// Stories of one invoice and the payment for it.
fn one_payment(kind: Kind, books: &mut Books, dice: &mut Dice) {
    let mut invoice = books.invoice(dice);
    if kind == Kind::SupplierPayment {
        invoice.amount = -invoice.amount;
        invoice.memo = "supplier".to_owned();
    }
    let mut payment = payment_of(&invoice, dice);
    match kind {
        Kind::ReferenceReformatted => payment.reference = messy::invoice(&invoice.invoice, dice),
        Kind::ReferenceInText | Kind::SupplierPayment => {
            payment.reference.clear();
            payment.text = messy::remittance(&invoice.invoice, &invoice.party, dice);
        }
        Kind::ReferenceMisread => payment.reference = messy::misread(&invoice.invoice, dice),
        Kind::TextOnly => {
            payment.reference.clear();
            payment.text =
                (*dice.pick(&["TRANSFER", "Vielen Dank", "AS AGREED", "", "open item"])).to_owned();
        }
        Kind::ShortPaid => payment.amount -= payment.amount / dice.between(8, 30),
        Kind::WrongCurrency => {
            let other = if payment.currency.code() == "EUR" { "USD" } else { "EUR" };
            payment.currency = Currency::parse(other).expect("a known code");
        }
        _ => {}
    }
    let name = kind.name();
    if kind == Kind::MissingInBank {
        let ledger = books.add_ledger(invoice);
        return books.say(name, None, Some(ledger));
    }
    if kind == Kind::MissingInLedger {
        let bank = books.add_bank(payment);
        return books.say(name, Some(bank), None);
    }
    let (bank, ledger) = (books.add_bank(payment.clone()), books.add_ledger(invoice.clone()));
    match kind {
        Kind::BankDuplicate => {
            books.say(Kind::Exact.name(), Some(bank), Some(ledger));
            let again = books.add_bank(payment);
            books.say(name, Some(again), None);
        }
        Kind::LedgerDuplicate => {
            books.say(Kind::Exact.name(), Some(bank), Some(ledger));
            let again = books.add_ledger(invoice);
            books.say(name, None, Some(again));
        }
        _ => books.say(name, Some(bank), Some(ledger)),
    }
}

/// The payment as it would be with a careful payer and a careful bank, but for the name.
fn payment_of(invoice: &LedgerRow, dice: &mut Dice) -> BankRow {
    BankRow {
        date: invoice.date + Days::new(dice.below(4)),
        amount: invoice.amount,
        currency: invoice.currency,
        reference: invoice.invoice.clone(),
        counterparty: messy::name(&invoice.party, dice),
        text: (*dice.pick(&["INVOICE PAYMENT", "Überweisung", "CREDIT TRANSFER", ""])).to_owned(),
    }
}

/// Cheques handed in together: one line of the bank, its slip's number in the ledger's batch column.
fn deposit(books: &mut Books, dice: &mut Dice) {
    let slip = format!("DEP-{:06}", books.next_batch(dice));
    let invoices = invoices_of_a_day(books, dice, 2, 6, &slip);
    let total = invoices.iter().map(|invoice| invoice.amount).sum();
    let in_text = dice.percent(40);
    let bank = BankRow {
        date: invoices[0].date + Days::new(dice.below(3)),
        amount: total,
        currency: invoices[0].currency,
        reference: if in_text { String::new() } else { slip.clone() },
        counterparty: "OWN ACCOUNT".to_owned(),
        text: if in_text { format!("CHEQUE DEPOSIT {slip} BRANCH 3") } else { "CHEQUE DEPOSIT".to_owned() },
    };
    book_batch(Kind::Deposit, bank, invoices, books);
}

/// Card sales of one day, paid out as one sum with the processor's fee kept back.
fn card_payout(books: &mut Books, dice: &mut Dice) {
    let number = books.next_batch(dice);
    let day = invoices_of_a_day(books, dice, 3, 8, "");
    let batch = format!("CARDS-{:02}{:02}-{number:04}", day[0].date.month(), day[0].date.day());
    let sales: Vec<_> = day
        .into_iter()
        .map(|sale| LedgerRow { batch: batch.clone(), memo: "card sale".to_owned(), ..sale })
        .collect();
    let gross: i64 = sales.iter().map(|sale| sale.amount).sum();
    // 0.9 % to 2.4 %, rounded down to a minor unit.
    let fee = gross * dice.between(9, 24) / 1_000;
    let bank = BankRow {
        date: sales[0].date + Days::new(dice.between(1, 3) as u64),
        amount: gross - fee,
        currency: sales[0].currency,
        reference: batch.clone(),
        counterparty: "TILLWAY ACQUIRING".to_owned(),
        text: "PAYOUT OF CARD SALES LESS FEES".to_owned(),
    };
    book_batch(Kind::CardPayout, bank, sales, books);
}

/// Between `low` and `high` invoices of one day and currency.
fn invoices_of_a_day(books: &mut Books, dice: &mut Dice, low: i64, high: i64, batch: &str) -> Vec<LedgerRow> {
    let first = LedgerRow { batch: batch.to_owned(), ..books.invoice(dice) };
    let (date, currency) = (first.date, first.currency);
    let mut invoices = vec![first];
    for _ in 1..dice.between(low, high) {
        invoices.push(LedgerRow { date, batch: batch.to_owned(), ..books.invoice_in(currency, dice) });
    }
    invoices
}

fn book_batch(kind: Kind, bank: BankRow, ledger: Vec<LedgerRow>, books: &mut Books) {
    let bank = books.add_bank(bank);
    for row in ledger {
        let ledger = books.add_ledger(row);
        books.say(kind.name(), Some(bank), Some(ledger));
    }
}

/// What the bank books on its own, and nobody has entered in the ledger.
fn bank_only(kind: Kind, books: &mut Books, dice: &mut Dice) {
    let like = books.invoice(dice);
    let unit = 10_i64.pow(like.currency.exponent());
    let (text, amount) = match kind {
        Kind::Interest => ("INTEREST CREDIT", dice.between(80, 2_400) * unit / 100),
        _ => (
            *dice.pick(&["ACCOUNT FEE", "FOREIGN PAYMENT FEE", "STATEMENT BY POST"]),
            -dice.between(1, 30) * unit / 2,
        ),
    };
    // Yen have no halves: never an amount of nothing.
    let amount = if amount == 0 { -unit } else { amount };
    let row = BankRow {
        date: like.date,
        amount,
        currency: like.currency,
        reference: String::new(),
        counterparty: "YOUR BANK".to_owned(),
        text: format!("{text} {:02}/2026", like.date.month()),
    };
    let bank = books.add_bank(row);
    books.say(kind.name(), Some(bank), None);
}

/// A customer owes the same sum twice, pays once, and does not say for what. The truth knows; no program can.
fn ambiguous(books: &mut Books, dice: &mut Dice) {
    let first = books.invoice(dice);
    let second = LedgerRow { invoice: books.invoice(dice).invoice, ..first.clone() };
    let payment = BankRow { reference: String::new(), text: "RENT".to_owned(), ..payment_of(&first, dice) };
    let bank = books.add_bank(payment);
    let mut both = [books.add_ledger(first), books.add_ledger(second)];
    if dice.percent(50) {
        both.reverse();
    }
    books.say(Kind::Ambiguous.name(), Some(bank), Some(both[0]));
    books.say(Kind::Ambiguous.name(), None, Some(both[1]));
}
