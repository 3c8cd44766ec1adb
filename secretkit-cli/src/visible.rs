//! Other people's text on its way to somebody's eyes: names of consumers, tags, descriptions, paths.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text with everything escaped that could drive a terminal, turn the order of a line around, or stay unseen.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_visible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_visible(character) { shown.push(character) } else { shown.extend(character.escape_unicode()) }
    }
    Cow::Owned(shown)
}

/// The same inside a JSON document, which means the same as before.
pub(crate) fn escaped_json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for character in document.chars() {
        if is_visible(character) {
            shown.push(character);
        } else {
            shown.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    shown
}

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text, or as much of its beginning as goes with an ellipsis into this many columns.
pub(crate) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut room = columns.saturating_sub(1);
    let mut shown = String::new();
    for character in text.chars() {
        match room.checked_sub(character.width().unwrap_or(0)) {
            Some(left) => room = left,
            None => break,
        }
        shown.push(character);
    }
    shown.push('…');
    Cow::Owned(shown)
}

/// Neither a control character nor a line separator, nor one of those that only change how others are shown: the
/// controls of the direction of writing, joiners, fillers, tags. (Variation selectors pass: they belong to emoji.)
const fn is_visible(character: char) -> bool {
    let code = character as u32;
    !matches!(code,
        0x00..=0x1f | 0x7f..=0x9f | 0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f
        | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
        | 0xe0000..=0xe0fff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_reorder_a_line_or_stay_unseen_is_escaped() {
        assert!(matches!(escaped("Zürich 東京 ❤\u{fe0f} 100 %"), Cow::Borrowed(_)));
        let hidden = ["\u{202e}", "\u{2066}", "\u{200b}", "\u{200d}", "\u{feff}", "\u{61c}", "\u{2028}", "\u{e0041}"];
        for hidden in hidden.iter().chain(&["\u{1b}", "\n", "\u{9b}", "\u{7f}"]) {
            let shown = escaped(&format!("a{hidden}b")).into_owned();
            assert!(shown.starts_with("a\\u{") && shown.ends_with("}b") && shown.is_ascii(), "{shown}");
            let document = serde_json::json!({ "a": format!("x{hidden}y") });
            let shown = escaped_json(&document.to_string());
            assert!(shown.is_ascii(), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), document);
        }
    }

    #[test]
    fn a_cut_text_takes_its_columns_and_no_more() {
        assert_eq!((cut("payroll", 7), cut("payroll", 4)), ("payroll".into(), "pay…".into()));
        assert_eq!((cut("東京都", 6), cut("東京都", 4), width("東京都")), ("東京都".into(), "東…".into(), 6));
        for columns in 1..9 {
            assert!(width(&cut("a東b京cé\u{301}d", columns)) <= columns, "{columns}");
        }
    }
}
