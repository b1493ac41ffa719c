//! What an unquoted scalar means: the YAML 1.2 core schema, narrowed so that nothing that looks like an
//! identifier loses a digit. Leading zeros and underscores make text; so do `yes`, `no`, dates and `.inf`.

use serde_json::Number;

use crate::node::NodeKind;

/// The value of a plain scalar, or the reason why it has none.
pub fn resolve(text: &str) -> Result<NodeKind, InexactNumber> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => NodeKind::Null,
        "true" | "True" | "TRUE" => NodeKind::Bool(true),
        "false" | "False" | "FALSE" => NodeKind::Bool(false),
        _ => match number(text)? {
            Some(number) => NodeKind::Number(number),
            None => NodeKind::Text(text.to_owned()),
        },
    })
}

/// A whole number too large to be kept digit by digit.
#[derive(Debug, PartialEq, Eq)]
pub struct InexactNumber;

fn number(text: &str) -> Result<Option<Number>, InexactNumber> {
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_digit(radix))
        {
            return u64::from_str_radix(digits, radix).map(|n| Some(n.into())).map_err(|_| InexactNumber);
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
    let whole = mantissa.split('.').next().unwrap_or_default();
    if !is_decimal(unsigned) || (whole.len() > 1 && whole.starts_with('0')) {
        return Ok(None);
    }
    if unsigned == whole {
        let digits = text.strip_prefix('+').unwrap_or(text);
        return match (digits.parse::<i64>(), digits.parse::<u64>()) {
            (Ok(number), _) => Ok(Some(number.into())),
            (_, Ok(number)) => Ok(Some(number.into())),
            _ => Err(InexactNumber),
        };
    }
    Ok(text.parse::<f64>().ok().and_then(Number::from_f64))
}

/// `digits [. digits] [e [sign] digits]`, or the same starting with the point.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_is_well_formed = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction) && exponent_is_well_formed
}
