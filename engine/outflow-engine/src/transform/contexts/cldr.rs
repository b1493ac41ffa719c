//! What the Unicode CLDR says about dates, numbers and amounts in the locales that feeds meet. The data is made by
//! `cldr/generate.py`; special spaces are ordinary ones in it. Calendars and digits other than ours are not there.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

static DATA: LazyLock<Data> =
    LazyLock::new(|| serde_json::from_str(include_str!("cldr/locales.json")).expect("a test reads the embedded data"));

#[derive(Deserialize)]
struct Data {
    decimals: BTreeMap<String, usize>,
    locales: BTreeMap<String, Record>,
}

/// What a locale says that its parent does not. Lengths are in the order full, long, medium, short.
#[derive(Deserialize)]
struct Record {
    date: Option<[String; 4]>,
    time: Option<[String; 4]>,
    both: Option<[String; 4]>,
    months: Option<[String; 12]>,
    months_short: Option<[String; 12]>,
    days: Option<[String; 7]>,
    days_short: Option<[String; 7]>,
    halves: Option<[String; 2]>,
    era: Option<[String; 2]>,
    utc: Option<[String; 2]>,
    number: Option<[String; 4]>,
    amount: Option<String>,
    #[serde(default)]
    signs: BTreeMap<String, String>,
}

/// A locale: its records, the most specific first, English last.
#[derive(Clone)]
pub(super) struct Locale(Vec<&'static Record>);

/// How much of a date is shown; the numbers are places in the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Full = 0,
    Long = 1,
    Medium = 2,
    Short = 3,
}

impl Length {
    /// The length called `name`.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        match name {
            "full" => Ok(Self::Full),
            "long" => Ok(Self::Long),
            "medium" => Ok(Self::Medium),
            "short" => Ok(Self::Short),
            _ => Err(format!("`{name}` is not a date format: it is `short`, `medium`, `long` or `full`")),
        }
    }
}

macro_rules! field {
    ($(#[$doc:meta])* $field:ident -> $type:ty) => {
        $(#[$doc])*
        pub(super) fn $field(&self) -> &'static $type {
            self.0.iter().find_map(|record| record.$field.as_ref()).expect("English has every field")
        }
    };
}

impl Locale {
    /// The locale called `name`, as `fr_FR` or `fr-FR`. A region that is not known has what its language has.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let wanted = name.replace('_', "-");
        let (language, _) = wanted.split_once('-').unwrap_or((&wanted, ""));
        // Traditional Chinese is a script of its own that Taiwan and Hong Kong imply.
        let script = match wanted.as_str() {
            "zh-TW" | "zh-HK" | "zh-MO" => "zh-Hant",
            other => other.get(..7).unwrap_or(other),
        };
        let mut names = vec![wanted.as_str(), script, language, "en"];
        names.dedup();
        let find = |name: &str| DATA.locales.get(name);
        if find(language).is_none() {
            return Err(format!("`{name}` is not a known locale; an example is `fr_FR`"));
        }
        Ok(Self(names.into_iter().filter_map(find).collect()))
    }

    field!(/// Patterns of dates.
        date -> [String; 4]);
    field!(/// Patterns of times.
        time -> [String; 4]);
    field!(/// How date `{1}` and time `{0}` stand together.
        both -> [String; 4]);
    field!(/// Names of the months.
        months -> [String; 12]);
    field!(/// Short names of the months.
        months_short -> [String; 12]);
    field!(/// Names of the days from Monday.
        days -> [String; 7]);
    field!(/// Short names of the days.
        days_short -> [String; 7]);
    field!(/// Before and after noon.
        halves -> [String; 2]);
    field!(/// Our era, short and long.
        era -> [String; 2]);
    field!(/// The name of UTC, and how `{0}` hours from it are written.
        utc -> [String; 2]);
    field!(/// Point, group separator, minus and pattern of numbers.
        number -> [String; 4]);
    field!(/// The pattern of amounts.
        amount -> String);

    /// The sign of a currency; its code if it has none.
    pub(super) fn sign<'a>(&self, currency: &'a str) -> &'a str
    where
        'static: 'a,
    {
        self.0.iter().find_map(|record| record.signs.get(currency)).map_or(currency, String::as_str)
    }
}

/// Decimals of a currency.
pub(super) fn decimals(currency: &str) -> usize {
    DATA.decimals.get(currency).copied().unwrap_or(2)
}
