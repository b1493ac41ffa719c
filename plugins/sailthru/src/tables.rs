//! The vendor's tables with their contracts, which are the files of `schemas/events/sailthru`.

use serde::Deserialize;

/// What a delivery of a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What happened since the last one.
    Event,
    /// The whole table.
    Lookup,
    /// What happened since the last one, without late events.
    Mobile,
}

/// A table of the vendor.
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Its kind, as in the contract.
    pub kind: Kind,
    /// Its contract as text.
    pub contract: &'static str,
}

macro_rules! table {
    ($kind:ident, $name:literal) => {
        Known {
            name: $name,
            kind: Kind::$kind,
            contract: include_str!(concat!("../../../schemas/events/sailthru/", $name, ".json")),
        }
    };
}

/// All of them.
pub static KNOWN: [Known; 15] = [
    table!(Event, "campaign_send"),
    table!(Event, "campaign_open"),
    table!(Event, "campaign_click"),
    table!(Event, "campaign_bounce"),
    table!(Event, "campaign_unsubscribe"),
    table!(Event, "triggered_send"),
    table!(Event, "triggered_open"),
    table!(Event, "triggered_click"),
    table!(Event, "triggered_bounce"),
    table!(Event, "triggered_unsubscribe"),
    table!(Lookup, "campaign"),
    table!(Lookup, "template"),
    table!(Lookup, "client"),
    table!(Lookup, "lifecycle_optimizer_flow"),
    table!(Mobile, "mobile_notifications"),
];

/// The table of that name.
pub fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}
