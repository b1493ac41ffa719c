//! The filters and functions that Simon's templates have beside the template engine's own, or with another meaning.

use jiff::{Timestamp, tz::TimeZone};
use minijinja::value::{ArgType, Kwargs, Object, ObjectRepr, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};
use std::fmt;
use std::sync::Arc;

use super::cldr::{Length, Locale};
use super::dates::{self, Shown};
use super::numbers::{self, Decimal};

/// The time that `now()` gives, and the zone that dates without one are in.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    pub(super) at: Timestamp,
    pub(super) zone: TimeZone,
}

/// Adds them all.
pub(super) fn add(environment: &mut Environment<'_>, clock: &Clock) {
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("truncate", truncate);
    environment.add_filter("center", center);
    environment.add_filter("wordcount", |text: &str| text.split_whitespace().count());
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("striptags", minijinja_contrib::filters::striptags);
    environment.add_filter("filesizeformat", minijinja_contrib::filters::filesizeformat);
    let dates = [("format_date", Shown::Date), ("format_time", Shown::Time), ("format_datetime", Shown::DateAndTime)];
    for (name, shown) in dates {
        let clock = clock.clone();
        environment.add_filter(name, move |state: &State, value: &Value, format: Option<String>, options: Kwargs| {
            format_moment(state, &clock, shown, value, format, &options)
        });
    }
    environment.add_filter("format_decimal", format_decimal);
    environment.add_filter("format_number", format_decimal);
    environment.add_filter("format_currency", format_currency);
    let clock = clock.clone();
    environment.add_function("now", move || Value::from_object(Now(clock.clone())));
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// What a contact lacks is null, and so is a cell without text: both get the default.
fn default(value: &Value, args: Rest<Value>) -> Result<Value, Error> {
    if args.len() > 2 {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let lax = args.get(1).is_some_and(Value::is_true);
    let missing = value.is_undefined() || value.as_str() == Some("") || (lax && !value.is_true());
    Ok(if missing { args.first().cloned().unwrap_or_else(|| Value::from("")) } else { value.clone() })
}

/// As in Jinja2, what is no number becomes the default and not an error.
fn int(
    state: &State,
    value: &Value,
    default: Option<Value>,
    base: Option<u32>,
    options: Kwargs,
) -> Result<Value, Error> {
    let fallback = or_named(default.clone(), &options, "default")?.unwrap_or_else(|| Value::from(0));
    let trimmed = value.as_str().map(|text| Value::from(text.trim()));
    let value = trimmed.as_ref().unwrap_or(value);
    or_fallback(minijinja::filters::int(state, value, default, base, options), fallback)
}

fn float(state: &State, value: &Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let fallback = or_named(default.clone(), &options, "default")?.unwrap_or_else(|| Value::from(0.0));
    let trimmed = value.as_str().map(|text| Value::from(text.trim()));
    let value = trimmed.as_ref().unwrap_or(value);
    or_fallback(minijinja::filters::float(state, value, default, options), fallback)
}

fn or_fallback(result: Result<Value, Error>, fallback: Value) -> Result<Value, Error> {
    match result {
        Err(error) if error.kind() == ErrorKind::InvalidOperation => Ok(fallback),
        other => other,
    }
}

/// Cuts a text at a number of characters, the end mark included. Simon allows no leeway.
fn truncate(text: &str, by_place: Rest<Value>, options: Kwargs) -> Result<String, Error> {
    let argument = |index: usize, name: &str| match by_place.get(index) {
        Some(value) => Ok(Some(value.clone())),
        None => options.get::<Option<Value>>(name),
    };
    let count = |index: usize, name: &str, default: usize| argument(index, name)?.map_or(Ok(default), usize::try_from);
    let length = count(0, "length", 255)?;
    let kill_words = argument(1, "killwords")?.is_some_and(|value| value.is_true());
    let end = argument(2, "end")?.map_or_else(|| "...".into(), |value| value.to_string());
    let leeway = count(3, "leeway", 0)?;
    options.assert_all_used()?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text.into());
    }
    let kept = length
        .checked_sub(end.chars().count())
        .ok_or_else(|| invalid(format!("`truncate` to {length} characters leaves no room for its end `{end}`")))?;
    let cut = text.char_indices().nth(kept).map_or(text, |(index, _)| &text[..index]);
    let cut = if kill_words { cut } else { cut.rsplit_once(' ').map_or(cut, |(words, _)| words) };
    Ok(format!("{cut}{end}"))
}

/// An argument that may be given by place or by name.
fn or_named<'a, T>(given: Option<T>, options: &'a Kwargs, name: &'a str) -> Result<Option<T>, Error>
where
    Option<T>: ArgType<'a, Output = Option<T>>,
{
    if given.is_some() { Ok(given) } else { options.get(name) }
}

fn center(text: &str, width: Option<usize>) -> Result<String, Error> {
    let width = width.unwrap_or(80);
    if width > 10_000 {
        return Err(invalid(format!("`center` to {width} characters is more than 10000")));
    }
    let missing = width.saturating_sub(text.chars().count());
    // Python puts the odd space on the left only when the width is odd.
    let left = missing / 2 + (missing & width & 1);
    Ok(format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left)))
}

fn urlencode(value: &Value) -> String {
    let mut out = String::new();
    for byte in value.to_string().bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Whether there is a value to format; where names must be defined, a missing one is an error.
fn present(state: &State, value: &Value) -> Result<bool, Error> {
    if !value.is_undefined() && !value.is_none() {
        return Ok(value.as_str().is_none_or(|text| !text.trim().is_empty()));
    }
    match state.undefined_behavior() {
        UndefinedBehavior::Lenient => Ok(false),
        _ => Err(Error::from(ErrorKind::UndefinedError)),
    }
}

fn format_moment(
    state: &State,
    clock: &Clock,
    shown: Shown,
    value: &Value,
    format: Option<String>,
    options: &Kwargs,
) -> Result<String, Error> {
    let format = or_named(format, options, "format")?;
    let length = format.map_or(Ok(Length::Medium), |name| Length::named(&name)).map_err(invalid)?;
    let locale = locale(options)?;
    let zone: Option<String> = options.get("zone")?;
    options.assert_all_used()?;
    if !present(state, value)? {
        return Ok(String::new());
    }
    let text = match value.downcast_object_ref::<Now>() {
        Some(now) => now.0.at.to_string(),
        None if value.kind() == ValueKind::Number => seconds(value)?.to_string(),
        None => value.to_string(),
    };
    let moment = dates::moment(&text, &clock.zone, zone.as_deref()).map_err(invalid)?;
    Ok(dates::format(&moment, shown, length, &locale))
}

/// A number is seconds since 1970.
fn seconds(value: &Value) -> Result<Timestamp, Error> {
    let out_of_range = || invalid(format!("`{value}` is not a time in seconds since 1970"));
    let seconds = f64::try_from(value.clone()).map_err(|_| out_of_range())?;
    Timestamp::from_second(seconds.floor() as i64).map_err(|_| out_of_range())
}

fn locale(options: &Kwargs) -> Result<Locale, Error> {
    let name: Option<String> = options.get("locale")?;
    Locale::named(name.as_deref().unwrap_or("en_US")).map_err(invalid)
}

fn format_decimal(state: &State, value: &Value, options: Kwargs) -> Result<String, Error> {
    let locale = locale(&options)?;
    options.assert_all_used()?;
    if !present(state, value)? {
        return Ok(String::new());
    }
    let number = Decimal::parse(&value.to_string()).map_err(invalid)?;
    Ok(numbers::number(number, &locale))
}

fn format_currency(state: &State, value: &Value, currency: Option<String>, options: Kwargs) -> Result<String, Error> {
    let currency = or_named(currency, &options, "currency")?;
    let locale = locale(&options)?;
    options.assert_all_used()?;
    if !present(state, value)? {
        return Ok(String::new());
    }
    let currency = currency.as_deref().unwrap_or("USD");
    let number = Decimal::parse(&value.to_string()).map_err(invalid)?;
    numbers::amount(number, currency, &locale).map_err(invalid)
}

/// The logical time of the run: prints as Python prints a date with time.
#[derive(Debug)]
struct Now(Clock);

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.at.to_zoned(self.0.zone.clone()).strftime("%Y-%m-%d %H:%M:%S"))
    }
}

impl Object for Now {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
