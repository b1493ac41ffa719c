//! The rules of spelling, on plain text: no column, no plugin. Each appends what it makes of a value to `out`.

/// An e-mail address, trimmed and in lower case; with `gmail`, one spelling for each mailbox there. Returns whether
/// it has a name and a domain.
pub fn email(raw: &str, gmail: bool, out: &mut String) -> bool {
    let trimmed = raw.trim();
    let start = out.len();
    if trimmed.is_ascii() {
        out.push_str(trimmed);
        out[start..].make_ascii_lowercase();
    } else {
        out.push_str(&trimmed.to_lowercase());
    }
    let Some(at) = out[start..].rfind('@').map(|at| start + at) else { return false };
    let valid = at > start && at + 1 < out.len();
    if gmail && matches!(&out[at..], "@gmail.com" | "@googlemail.com") {
        let end = out[start..at].find('+').map_or(at, |plus| start + plus);
        if end < at || out[start..end].contains('.') {
            let name: String = out[start..end].chars().filter(|c| *c != '.').collect();
            out.replace_range(start..at, &name);
        }
    }
    valid
}

/// A phone number as its ASCII digits. Returns whether it has any.
pub fn phone(raw: &str, out: &mut String) -> bool {
    let start = out.len();
    out.extend(raw.chars().filter(char::is_ascii_digit));
    out.len() > start
}
