//! What the server says of a commit, in the words of `tell`.

use std::collections::BTreeSet;

use secretkit_core::StableId;

use crate::asked::Topic;

/// What one commit has changed in one org.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Said {
    pub(crate) topic: Topic,
    pub(crate) what: What,
}

#[derive(Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// Anything, or what this version does not understand.
    All,
    /// These.
    Secrets {
        /// Changed or gone.
        changed: BTreeSet<StableId>,
        made: BTreeSet<StableId>,
    },
}

impl Said {
    /// `None` where it names no org.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (topic, rest) = text.split_at_checked(TOPIC)?;
        let topic = bytes(topic)?;
        let (mut changed, mut made) = (BTreeSet::new(), BTreeSet::new());
        let mut add = |entry: &str| {
            let (kind, id) = entry.split_at_checked(1)?;
            let id = StableId::from_bytes(bytes(id)?);
            match kind {
                "~" => changed.insert(id),
                "+" => made.insert(id),
                _ => return None,
            };
            Some(())
        };
        // A chunk that splits a sign in two is none of ours either.
        let entries: Option<()> =
            rest.as_bytes().chunks(ENTRY).try_for_each(|entry| add(std::str::from_utf8(entry).ok()?));
        let what = if entries.is_some() && !rest.is_empty() { What::Secrets { changed, made } } else { What::All };
        Some(Self { topic, what })
    }
}

fn bytes(hex: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> =
        hex.chars().map(|sign| sign.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect::<Vec<_>>();
    if digits.len().is_multiple_of(2) { pairs.try_into().ok() } else { None }
}

/// Hexadecimal digits of a hash.
const TOPIC: usize = 32;

/// A sign and an id.
const ENTRY: usize = 33;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood_or_means_everything() {
        let topic = "000102030405060708090a0b0c0d0e0f";
        let of = |digit: &str| StableId::from_bytes(bytes(&digit.repeat(32)).unwrap());
        let parsed = |rest: &str| Said::parse(&format!("{topic}{rest}")).unwrap();
        assert_eq!(parsed("*").topic, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        let two = parsed(&format!("~{}+{}", "a".repeat(32), "b".repeat(32)));
        assert_eq!(two.what, What::Secrets { changed: [of("a")].into(), made: [of("b")].into() });
        let (short, odd) = (format!("~{}", "a".repeat(31)), format!("?{}", "a".repeat(32)));
        for rest in ["*", "", "~", &short, &odd, "~äöü", &format!("~{}é", "a".repeat(31)), "of tomorrow"] {
            assert_eq!(parsed(rest).what, What::All, "{rest:?}");
        }
        for text in ["", "0", &topic[..31], "xyz", &"z".repeat(40), &"ü".repeat(40)] {
            assert_eq!(Said::parse(text), None, "{text:?}");
        }
    }
}
