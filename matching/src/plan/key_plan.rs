//! The keys of a pass, looked up in the columns of both sides.

use crate::evidence::KeyEvidence;
use crate::keys::{Column, Fingerprint, KeyHasher, each_token, with_normalised};
use crate::listed::Listed;
use crate::pattern::Pattern;
use crate::series::{Agreement, agreement};
use crate::{Currency, Key, Normalise, Pass, Records, Row, Side, creditor};

/// The keys of one pass on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyPlan {
    parts: Vec<KeyPart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyPart {
    left: Column,
    right: Column,
    how: Normalise,
    /// Both sides may have one each.
    patterns: [Option<Pattern>; 2],
    /// Of [`Normalise::List`].
    listed: Option<Listed>,
}

impl KeyPlan {
    /// `None` when a field is not there or a pattern is none. `lists`: the side whose cells may list several keys.
    pub fn of(keys: &[Key], left: &Records, right: &Records, lists: Option<Side>) -> Option<Self> {
        let sides = (left, right);
        let part = |key: &Key| {
            let (left, right) = (Column::resolve(left, &key.left)?, Column::resolve(right, &key.right)?);
            let pattern = |own: &Option<String>| match own.as_ref().or(key.pattern.as_ref()) {
                None => Some(None),
                Some(text) => Pattern::compile(text).ok().map(Some),
            };
            let patterns = match key.normalise {
                Normalise::Pattern => [pattern(&key.left_pattern)?, pattern(&key.right_pattern)?],
                _ => [None, None],
            };
            let listed = match (key.normalise, lists) {
                (Normalise::List, Some(Side::Left)) => Some(Listed::of(Side::Left, sides.0, left)),
                (Normalise::List, Some(Side::Right)) => Some(Listed::of(Side::Right, sides.1, right)),
                _ => None,
            };
            Some(KeyPart { left, right, how: key.normalise, patterns, listed })
        };
        Some(KeyPlan { parts: keys.iter().map(part).collect::<Option<_>>()? })
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub fn has_tokens(&self) -> bool {
        self.parts.iter().any(|p| p.how == Normalise::Tokens)
    }

    /// Whether both read the records of a side in the same way, so that equal keys of one are equal for the
    /// other.
    pub fn reads_as(&self, other: &KeyPlan, side: Side) -> bool {
        let same = |(a, b): (&KeyPart, &KeyPart)| {
            a.column(side) == b.column(side) && a.how == b.how && a.listed == b.listed
        };
        self.parts.len() == other.parts.len() && self.parts.iter().zip(&other.parts).all(same)
    }

    pub fn reads_id(&self, side: Side) -> bool {
        self.parts.iter().any(|p| p.column(side) == Column::Id)
    }

    /// The key as one value, tokens taken as whole texts. `None` when a part is empty.
    pub fn whole(
        &self,
        records: &Records,
        side: Side,
        row: Row,
        currency: Option<Currency>,
    ) -> Option<Fingerprint> {
        let mut hasher = KeyHasher::new();
        for part in &self.parts {
            part.hash(part.column(side).text(records, row), side, &mut hasher)?;
        }
        if let Some(currency) = currency {
            hasher.currency(currency);
        }
        Some(hasher.finish())
    }

    /// One value per token (just one without a token key), each once. Empty when a part is empty.
    pub fn each(
        &self,
        records: &Records,
        side: Side,
        row: Row,
        currency: Option<Currency>,
        found: &mut Vec<Fingerprint>,
    ) {
        found.clear();
        let mut hasher = KeyHasher::new();
        if let Some(currency) = currency {
            hasher.currency(currency);
        }
        let mut tokens = None;
        for part in &self.parts {
            let text = part.column(side).text(records, row);
            if part.how == Normalise::Tokens {
                tokens = Some(text);
                continue;
            }
            if part.hash(text, side, &mut hasher).is_none() {
                return;
            }
        }
        match tokens {
            None => return found.push(hasher.finish()),
            Some(text) => each_token(text, |token| {
                let mut hasher = hasher;
                hasher.part(token);
                found.push(hasher.finish());
            }),
        }
        found.sort_unstable();
        found.dedup();
    }

    /// [`crate::evidence::KeyEvidence::spread`] of a pair that shares a key of so many pairings, once the texts around
    /// the shared token are looked at; `None` where these name two references.
    pub fn agreed(&self, spread: u32, left: (&Records, Row), right: (&Records, Row)) -> Option<u32> {
        let Some(part) = self.parts.iter().find(|part| part.how == Normalise::Tokens) else {
            return Some(spread);
        };
        match agreement(part.left.text(left.0, left.1), part.right.text(right.0, right.1))? {
            Agreement::Same => Some(spread),
            Agreement::Bare => Some(spread | KeyEvidence::BARE),
        }
    }

    /// Whether both records have one of the keys, and not the same.
    pub fn differ(&self, left: (&Records, Row), right: (&Records, Row)) -> bool {
        let read = |part: &KeyPart, side: Side, (records, row): (&Records, Row)| {
            let mut hasher = KeyHasher::new();
            part.hash(part.column(side).text(records, row), side, &mut hasher).map(|()| hasher.finish())
        };
        let differs = |part: &KeyPart| {
            let both = read(part, Side::Left, left).zip(read(part, Side::Right, right));
            both.is_some_and(|(l, r)| l != r)
        };
        self.parts.iter().any(differs)
    }

    /// A number made of the first letter of each text that [`Self::shared`] reads.
    pub fn fetch(&self, left: (&Records, Row), right: (&Records, Row)) -> u64 {
        let first = |text: &str| u64::from(text.as_bytes().first().copied().unwrap_or_default());
        let both =
            |part: &KeyPart| first(part.left.text(left.0, left.1)) + first(part.right.text(right.0, right.1));
        self.parts.iter().map(both).sum()
    }

    /// What two records that share the key share, for people: the field's name and the text, part by part.
    pub fn shared(
        &self,
        pass: &Pass,
        left: (&Records, Row),
        right: (&Records, Row),
    ) -> Vec<(String, String)> {
        let named = self.parts.iter().zip(&pass.keys);
        let shared = named.map(|(part, key)| {
            let (l, r) = (part.left.text(left.0, left.1), part.right.text(right.0, right.1));
            let text = match part.how {
                Normalise::Tokens => longest_shared_token(l, r).unwrap_or_default(),
                Normalise::Pattern | Normalise::CreditorReference => part
                    .found(l, Side::Left)
                    .unwrap_or_else(|| l.trim().to_owned())
                    .chars()
                    .take(80)
                    .collect(),
                _ => l.trim().chars().take(80).collect(),
            };
            (key.left.clone(), text)
        });
        shared.collect()
    }
}

impl KeyPart {
    /// `None` when nothing is left to compare.
    fn hash(&self, text: &str, side: Side, hasher: &mut KeyHasher) -> Option<()> {
        if let Some(listed) = &self.listed {
            return listed.key(text, side).map(|key| hasher.number(key));
        }
        let found = self.found(text, side);
        let text = found.as_deref().unwrap_or(text);
        with_normalised(text, self.how, |text| (!text.is_empty()).then(|| hasher.part(text)))
    }

    /// The reference inside the text; `None` where this side's whole text counts.
    fn found(&self, text: &str, side: Side) -> Option<String> {
        let mut out = String::new();
        match (self.how, &self.patterns[side as usize]) {
            (Normalise::CreditorReference, _) => creditor::find(text, &mut out),
            (Normalise::Pattern, Some(pattern)) => pattern.find(text, &mut out),
            _ => return None,
        }
        Some(out)
    }

    fn column(&self, side: Side) -> Column {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }
}

fn longest_shared_token(left: &str, right: &str) -> Option<String> {
    let (mut tokens, mut best) = (vec![], None::<String>);
    each_token(left, |t| tokens.push(t.to_owned()));
    each_token(right, |t| {
        if tokens.iter().any(|mine| mine == t)
            && best.as_ref().is_none_or(|b| (b.len(), b.as_str()) < (t.len(), t))
        {
            best = Some(t.to_owned());
        }
    });
    best
}
