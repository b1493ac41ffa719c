//! Which column names say that they hold personal data. Names only: nobody looks at values here.

/// Names that stand for personal data as a whole, or as the last word of a longer name.
const NAMES: [&str; 30] = [
    "email",
    "emailaddress",
    "mail",
    "mailaddress",
    "identifier",
    "phone",
    "phonenumber",
    "telephone",
    "mobile",
    "mobilephone",
    "mobilenumber",
    "msisdn",
    "firstname",
    "lastname",
    "givenname",
    "familyname",
    "surname",
    "fullname",
    "birthdate",
    "birthday",
    "dateofbirth",
    "dob",
    "ssn",
    "nationalnumber",
    "passportnumber",
    "iban",
    "ipaddress",
    "streetaddress",
    "postaladdress",
    "homeaddress",
];
/// Names that are too short or too common to be looked for at the end of longer ones.
const WHOLE_ONLY: [&str; 5] = ["mail", "identifier", "mobile", "dob", "ssn"];

/// Whether a column of this name looks like personal data.
pub fn is_personal(column: &str) -> bool {
    let plain: String = column.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    // A name that says it is hashed is believed.
    if ["hash", "sha", "md5", "digest"].iter().any(|mark| plain.contains(mark)) {
        return false;
    }
    NAMES.iter().any(|name| plain == *name || (!WHOLE_ONLY.contains(name) && plain.ends_with(name)))
}
