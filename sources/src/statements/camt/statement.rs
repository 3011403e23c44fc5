//! What the elements of a camt statement mean.

use super::super::columns::Column;
use super::super::sink::{Head, Statements};
use super::super::text::is_no_reference;
use super::super::transaction::Transaction;
use super::entry::{Detail, Entry, Money};
use crate::ReadError;

#[derive(Default)]
pub(super) struct Reading {
    head: Head,
    statements: u64,
    begun: bool,
    balance: Balance,
    opening: Option<Money>,
    closing: Option<Money>,
    entry: Entry,
    detail: Detail,
    /// Records and rejected entries so far.
    lines: u64,
}

#[derive(Default)]
struct Balance {
    kind: String,
    money: Money,
}

impl Reading {
    /// An element begins; `path` is empty for the statement itself.
    pub fn open(&mut self, path: &str, statements: &mut Statements<'_, '_>) -> Result<(), ReadError> {
        match path {
            "" => {
                self.statements += 1;
                self.head = Head { place: self.statements, ..Head::default() };
                self.begun = false;
                (self.opening, self.closing) = (None, None);
            }
            "Bal" => self.balance = Balance::default(),
            "Ntry" => {
                self.entry = Entry::default();
                self.begin(statements)?;
            }
            "Ntry/NtryDtls/TxDtls" | "Ntry/TxDtls" => self.detail = Detail::default(),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, statements: &mut Statements<'_, '_>) -> Result<(), ReadError> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        // What the balances are in; the account may say something else.
        if let Some(money) = self.closing.as_ref().or(self.opening.as_ref()) {
            self.head.currency.clone_from(&money.currency);
        }
        statements.begin(self.head.clone())
    }

    pub fn value(&mut self, path: &str, text: &str, currency: &str) {
        if let Some(path) = path.strip_prefix("Ntry/") {
            let detail = path.strip_prefix("NtryDtls/TxDtls/").or(path.strip_prefix("TxDtls/"));
            return match detail {
                Some(path) => detail_value(&mut self.detail, path, text, currency),
                None => entry_value(&mut self.entry, path, text, currency),
            };
        }
        let first = |place: &mut String| {
            if place.is_empty() {
                text.clone_into(place);
            }
        };
        match path {
            "Id" => first(&mut self.head.statement),
            "Acct/Id/IBAN" | "Acct/Id/Othr/Id" | "Acct/Id/BBAN" | "Acct/Id/PrtryAcct/Id" | "Acct/Id/UPIC" => {
                first(&mut self.head.account);
            }
            "Acct/Ccy" => first(&mut self.head.currency),
            "Bal/Tp/CdOrPrtry/Cd" | "Bal/Tp/Cd" => text.clone_into(&mut self.balance.kind),
            "Bal/Amt" => {
                text.clone_into(&mut self.balance.money.amount);
                currency.clone_into(&mut self.balance.money.currency);
            }
            "Bal/CdtDbtInd" => text.clone_into(&mut self.balance.money.direction),
            _ => {}
        }
    }

    /// An element ends.
    pub fn close(&mut self, path: &str, statements: &mut Statements<'_, '_>) -> Result<(), ReadError> {
        match path {
            "Bal" => {
                let Balance { kind, money } = std::mem::take(&mut self.balance);
                match kind.as_str() {
                    "OPBD" => self.opening = Some(money),
                    // The closing balance of the day before: the opening one where there is no other.
                    "PRCD" if self.opening.is_none() => self.opening = Some(money),
                    "CLBD" => self.closing = Some(money),
                    _ => {}
                }
                Ok(())
            }
            "Ntry/NtryDtls/TxDtls" | "Ntry/TxDtls" => {
                let detail = std::mem::take(&mut self.detail);
                self.entry.add_detail(detail);
                Ok(())
            }
            "Ntry" => self.finish_entry(statements),
            "" => {
                self.begin(statements)?;
                if let Some(amount) = self.opening.as_ref().and_then(balance_text) {
                    statements.set_opening(&amount);
                }
                if let Some(amount) = self.closing.as_ref().and_then(balance_text) {
                    statements.set_closing(&amount);
                }
                statements.close()
            }
            _ => Ok(()),
        }
    }

    fn finish_entry(&mut self, statements: &mut Statements<'_, '_>) -> Result<(), ReadError> {
        let entry = std::mem::take(&mut self.entry);
        let excerpt = entry.excerpt();
        match entry.into_transactions() {
            Ok(transactions) => {
                for transaction in transactions {
                    self.lines += 1;
                    statements.take(self.lines, transaction, excerpt.as_bytes())?;
                }
                Ok(())
            }
            Err(reason) => {
                self.lines += 1;
                statements.reject(self.lines, None, reason, excerpt.as_bytes())
            }
        }
    }
}

fn balance_text(money: &Money) -> Option<String> {
    match money.direction.as_str() {
        "CRDT" => Some(money.amount.clone()),
        "DBIT" => Some(format!("-{}", money.amount)),
        _ => None,
    }
}

fn entry_value(entry: &mut Entry, path: &str, text: &str, currency: &str) {
    let cells = &mut entry.cells;
    match path {
        "Amt" => {
            text.clone_into(&mut entry.money.amount);
            currency.clone_into(&mut entry.money.currency);
        }
        "CdtDbtInd" => text.clone_into(&mut entry.money.direction),
        "Sts" | "Sts/Cd" | "Sts/Prtry" => text.clone_into(&mut entry.status),
        "BookgDt/Dt" | "BookgDt/DtTm" => cells.set(Column::BookingDate, text),
        "ValDt/Dt" | "ValDt/DtTm" => cells.set(Column::ValueDate, text.get(..10).unwrap_or(text)),
        "AcctSvcrRef" if !is_no_reference(text) => cells.set(Column::BankReference, text),
        "NtryRef" if !is_no_reference(text) => cells.fill(Column::Reference, text),
        "AddtlNtryInf" => cells.add(Column::Description, text),
        "NtryDtls/Btch/PmtInfId" => text.clone_into(&mut entry.batch),
        "NtryDtls/Btch/MsgId" if entry.batch.is_empty() => text.clone_into(&mut entry.batch),
        _ => code_value(cells, path, text),
    }
}

fn detail_value(detail: &mut Detail, path: &str, text: &str, currency: &str) {
    let cells = &mut detail.cells;
    match path {
        "Amt" | "AmtDtls/TxAmt/Amt" => {
            // Newer versions say both, and the first one is in the currency of the account.
            if path == "Amt" || detail.money.amount.is_empty() {
                text.clone_into(&mut detail.money.amount);
                currency.clone_into(&mut detail.money.currency);
            }
        }
        "CdtDbtInd" => text.clone_into(&mut detail.money.direction),
        "Refs/AcctSvcrRef" if !is_no_reference(text) => cells.set(Column::BankReference, text),
        "Refs/EndToEndId" if !is_no_reference(text) => cells.set(Column::EndToEndId, text),
        "Refs/MndtId" => cells.set(Column::MandateId, text),
        "RmtInf/Ustrd" | "AddtlTxInf" => cells.add(Column::Description, text),
        // A structured reference is what a creditor wrote on the invoice.
        "RmtInf/Strd/CdtrRefInf/Ref"
        | "RmtInf/Strd/CdtrRefInf/CdtrRef"
        | "RmtInf/Strd/RfrdDocInf/Nb"
        | "RmtInf/Strd/RfrdDocInf/RfrdDocNb" => cells.add(Column::Reference, text),
        "RmtInf/Strd/AddtlRmtInf" => cells.add(Column::Description, text),
        _ => match path.strip_prefix("RltdPties/") {
            Some(path) => party_value(detail, path, text),
            None => code_value(cells, path, text),
        },
    }
}

fn party_value(detail: &mut Detail, path: &str, text: &str) {
    let Some((element, rest)) = path.split_once('/') else { return };
    let party = match element {
        "Dbtr" | "DbtrAcct" | "UltmtDbtr" => &mut detail.debtor,
        "Cdtr" | "CdtrAcct" | "UltmtCdtr" => &mut detail.creditor,
        _ => return,
    };
    match (element, rest) {
        ("Dbtr" | "Cdtr", "Nm" | "Pty/Nm") => text.clone_into(&mut party.name),
        ("UltmtDbtr" | "UltmtCdtr", "Nm" | "Pty/Nm") => text.clone_into(&mut party.ultimate_name),
        ("DbtrAcct" | "CdtrAcct", "Id/IBAN" | "Id/Othr/Id" | "Id/BBAN" | "Id/PrtryAcct/Id") => {
            text.clone_into(&mut party.account);
        }
        _ => {}
    }
}

/// `PMNT/RCDT/ESCT`, or the bank's own code where there is no domain.
fn code_value(cells: &mut Transaction, path: &str, text: &str) {
    let part = match path {
        "BkTxCd/Domn/Cd" => text.to_owned(),
        "BkTxCd/Domn/Fmly/Cd" | "BkTxCd/Domn/Fmly/SubFmlyCd" => {
            format!("{}/{text}", cells.get(Column::TransactionCode))
        }
        "BkTxCd/Prtry/Cd" if cells.get(Column::TransactionCode).is_empty() => text.to_owned(),
        _ => return,
    };
    cells.set(Column::TransactionCode, part);
}
