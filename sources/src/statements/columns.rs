//! The columns every bank statement has, whichever format it came in.

/// One cell of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Id,
    BookingDate,
    ValueDate,
    Amount,
    Currency,
    Account,
    BankReference,
    Batch,
    Counterparty,
    CounterpartyAccount,
    Description,
    EndToEndId,
    MandateId,
    Reference,
    Statement,
    TransactionCode,
}

/// What a mapping of a statement can name, in the order of [`Column`].
///
/// `id` is the account and the bank's own reference, or the account, the statement and the transaction's place
/// in it where the bank gives none; what is still equal is numbered (`…#2`). Dates are ISO, amounts signed with
/// a decimal point. What a statement does not say is empty.
pub const COLUMNS: [&str; 16] = [
    "id",
    "booking_date",
    "value_date",
    "amount",
    "currency",
    "account",
    "bank_reference",
    "batch",
    "counterparty",
    "counterparty_account",
    "description",
    "end_to_end_id",
    "mandate_id",
    "reference",
    "statement",
    "transaction_code",
];

/// Those that are kept as fields when the mapping names none.
pub(crate) const FIELDS: [&str; 12] = [
    "account",
    "bank_reference",
    "batch",
    "counterparty",
    "counterparty_account",
    "description",
    "end_to_end_id",
    "mandate_id",
    "reference",
    "statement",
    "transaction_code",
    "value_date",
];
