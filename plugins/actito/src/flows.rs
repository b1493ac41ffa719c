//! The vendor's flows with their contracts, which are the files of `schemas/events/actito`, and how files are called.

macro_rules! flow {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../schemas/events/actito/", $name, ".json")))
    };
}

/// All of them: name, and contract as text.
pub static KNOWN: [(&str, &str); 26] = [
    flow!("email_sent"),
    flow!("email_not_sent"),
    flow!("email_hardbounce"),
    flow!("email_softbounce"),
    flow!("email_open"),
    flow!("email_click"),
    flow!("email_unsubscribe"),
    flow!("sms_sent"),
    flow!("sms_not_sent"),
    flow!("sms_delivered"),
    flow!("sms_bounce"),
    flow!("print_ready"),
    flow!("print_not_sent"),
    flow!("print_download"),
    flow!("custom_audience_ready"),
    flow!("custom_audience_not_sent"),
    flow!("custom_audience_download"),
    flow!("call_center_ready"),
    flow!("call_center_not_sent"),
    flow!("call_center_download"),
    flow!("goal_webvisit"),
    flow!("goal_transaction"),
    flow!("survey_answers"),
    flow!("subscription_update"),
    flow!("email_complaint"),
    flow!("email_do_not_contact"),
];

/// The contract of a flow of the vendor, as text.
pub fn contract(name: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// What the files of a flow and profile table are called before the date.
pub fn base_name(flow: &str, table: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let table: String = table.chars().map(|c| if kept(c) { c } else { '-' }).collect();
    format!("{flow}_{table}")
}
