//! One byte form for everything that is authenticated: labelled, tagged and length-prefixed, so that no two different
//! things have the same bytes. `docs/format.md` §2 specifies it.

/// Writes `label ‖ u16 count ‖ (u8 tag ‖ u8 present ‖ u32 length ‖ bytes)*`, integers big-endian, tags ascending.
pub(crate) struct Canonical {
    bytes: Vec<u8>,
    count_at: usize,
    count: u16,
    last_tag: u8,
}

impl Canonical {
    /// Begins with a label, which ends in NUL and belongs to one kind of thing only.
    pub(crate) fn new(label: &'static [u8]) -> Self {
        debug_assert_eq!(label.last(), Some(&0));
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(label);
        bytes.extend_from_slice(&[0, 0]);
        Self { bytes, count_at: label.len(), count: 0, last_tag: 0 }
    }

    pub(crate) fn bytes(self, tag: u8, value: &[u8]) -> Self {
        self.optional(tag, Some(value))
    }

    pub(crate) fn text(self, tag: u8, value: &str) -> Self {
        self.bytes(tag, value.as_bytes())
    }

    pub(crate) fn integer(self, tag: u8, value: u64) -> Self {
        self.bytes(tag, &value.to_be_bytes())
    }

    /// An absent field has its own form: it is not the empty one.
    pub(crate) fn optional(mut self, tag: u8, value: Option<&[u8]>) -> Self {
        debug_assert!(tag > self.last_tag, "tags ascend");
        self.last_tag = tag;
        self.count += 1;
        self.bytes.extend_from_slice(&[tag, u8::from(value.is_some())]);
        self.append(value.unwrap_or_default());
        self
    }

    /// A list, as one field that holds its length-prefixed items.
    pub(crate) fn list<'a>(self, tag: u8, items: impl Iterator<Item = &'a str>) -> Self {
        let mut nested = Self { bytes: Vec::new(), count_at: 0, count: 0, last_tag: 0 };
        items.for_each(|item| nested.append(item.as_bytes()));
        self.bytes(tag, &nested.bytes)
    }

    fn append(&mut self, value: &[u8]) {
        // Every field of ours is far below 4 GiB; saturating keeps this total without a panic.
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes[self.count_at..self.count_at + 2].copy_from_slice(&self.count.to_be_bytes());
        self.bytes
    }
}

/// Reads what [`Canonical`] wrote, field by field in the order of their tags. `None` is what it cannot have written.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    left: u16,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(label: &'static [u8], bytes: &'a [u8]) -> Option<Self> {
        let (count, rest) = bytes.strip_prefix(label)?.split_first_chunk::<2>()?;
        Some(Self { rest, left: u16::from_be_bytes(*count) })
    }

    /// The field of this tag, which is the next one: its value, or that it is absent.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        let ([found, present, length @ ..], rest) = self.rest.split_first_chunk::<6>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        self.left = self.left.checked_sub(1)?;
        self.rest = rest;
        match present {
            _ if *found != tag => None,
            0 if value.is_empty() => Some(None),
            1 => Some(Some(value)),
            _ => None,
        }
    }

    pub(crate) fn optional_text(&mut self, tag: u8) -> Option<Option<&'a str>> {
        self.optional(tag)?.map(std::str::from_utf8).transpose().ok()
    }

    pub(crate) fn text(&mut self, tag: u8) -> Option<&'a str> {
        self.optional_text(tag)?
    }

    pub(crate) fn exact<const N: usize>(&mut self, tag: u8) -> Option<[u8; N]> {
        self.optional(tag)??.try_into().ok()
    }

    /// Whether nothing is left.
    pub(crate) const fn is_read(&self) -> bool {
        self.rest.is_empty() && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Canonical, Fields};

    const LABEL: &[u8] = b"test\0";

    /// One absent field, one empty, one with a text.
    fn three() -> Vec<u8> {
        Canonical::new(LABEL).optional(1, None).text(2, "").text(3, "abc").finish()
    }

    #[test]
    fn c1_fields_are_read_in_their_order_and_to_their_end() {
        let bytes = three();
        let mut fields = Fields::of(LABEL, &bytes).unwrap();
        assert_eq!(fields.optional(1), Some(None));
        assert_eq!(fields.optional_text(2), Some(Some("")));
        assert!(!fields.is_read(), "one is left");
        assert_eq!(fields.exact(3), Some(*b"abc"));
        assert!(fields.is_read());
        assert_eq!(fields.optional(4), None, "there are no more");
        assert!(Fields::of(b"best\0", &bytes).is_none());
    }

    #[test]
    fn c1_a_field_is_not_read_as_that_of_another_tag() {
        let bytes = three();
        for tag in [0, 2, 3] {
            assert_eq!(Fields::of(LABEL, &bytes).unwrap().optional(tag), None, "{tag}");
        }
    }

    #[test]
    fn c1_bytes_that_no_writer_makes_are_not_read() {
        let field = |count: u16, field: &[u8]| {
            let bytes = [LABEL, &count.to_be_bytes(), field].concat();
            let mut fields = Fields::of(LABEL, &bytes).unwrap();
            fields.optional(1).map(|value| (value.map(<[u8]>::to_vec), fields.is_read()))
        };
        assert_eq!(field(1, &[1, 1, 0, 0, 0, 1, b'x']), Some((Some(b"x".to_vec()), true)));
        assert_eq!(field(1, &[1, 0, 0, 0, 0, 0]), Some((None, true)));
        assert_eq!(field(1, &[1, 0, 0, 0, 0, 1, b'x']), None, "an absent one has no bytes");
        assert_eq!(field(1, &[1, 2, 0, 0, 0, 1, b'x']), None, "it is there or not");
        assert_eq!(field(1, &[1, 1, 0, 0, 0, 2, b'x']), None, "a byte is missing");
        assert_eq!(field(0, &[1, 1, 0, 0, 0, 1, b'x']), None, "one more than counted");
        assert_eq!(field(2, &[1, 1, 0, 0, 0, 1, b'x']), Some((Some(b"x".to_vec()), false)), "one less than counted");
        assert_eq!(field(1, &[1, 1, 0, 0, 0, 1, b'x', 0]), Some((Some(b"x".to_vec()), false)), "a byte behind it");
    }
}
