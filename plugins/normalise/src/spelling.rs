//! The rules of spelling, on plain text: no column, no plugin. Each appends what it makes of a value to `out`.

/// An e-mail address, trimmed and in lower case; with `gmail`, one spelling for each mailbox there. Returns whether
/// it has a name and a domain.
pub fn email(raw: &str, gmail: bool, out: &mut String) -> bool {
    let trimmed = raw.trim();
    let lowered;
    let text = match trimmed.is_ascii() {
        true => trimmed,
        false => {
            lowered = trimmed.to_lowercase();
            &lowered
        }
    };
    let Some(at) = text.bytes().rposition(|byte| byte == b'@') else {
        push_lower(text, out);
        return false;
    };
    let (name, domain) = (&text[..at], &text[at + 1..]);
    if gmail && ["gmail.com", "googlemail.com"].iter().any(|known| domain.eq_ignore_ascii_case(known)) {
        let mailbox = name.split_once('+').map_or(name, |(mailbox, _)| mailbox);
        mailbox.split('.').for_each(|part| push_lower(part, out));
        push_lower(&text[at..], out);
    } else {
        push_lower(text, out);
    }
    !name.is_empty() && !domain.is_empty()
}

fn push_lower(text: &str, out: &mut String) {
    let start = out.len();
    out.push_str(text);
    out[start..].make_ascii_lowercase();
}

/// A phone number as its ASCII digits. Returns whether it has any.
pub fn phone(raw: &str, out: &mut String) -> bool {
    let start = out.len();
    out.extend(raw.bytes().filter(u8::is_ascii_digit).map(char::from));
    out.len() > start
}
