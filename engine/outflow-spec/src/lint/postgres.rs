//! OF118, OF119: a `postgres` source says once where it connects and what it reads, and reads with a `SELECT`.

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::outputs::is_set;

/// What a statement begins with that only reads.
const READS: [&str; 4] = ["select", "with", "table", "values"];

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let lookups = scope.transforms("lookup").into_iter().map(|block| format!("{block}/source/postgres"));
    for source in lookups.chain(["/source/postgres".to_owned()]) {
        if is_set(scope, &source) {
            check_source(scope, &source, findings);
        }
    }
}

fn check_source(scope: &Scope<'_>, source: &str, findings: &mut Vec<Finding>) {
    let given = |option: &str| is_set(scope, &format!("{source}/{option}"));
    let key = |option: &str| scope.key_span(&format!("{source}/{option}"));
    let own = scope.key_span(source);
    let mut disagree = |span, message: &str, help: &str| findings.push(Finding::options_disagree(span, message, help));
    match (given("table"), given("query")) {
        (true, true) => disagree(key("query"), "a source reads either a `table` or a `query`", "leave one of them out"),
        (false, false) => disagree(own, "nothing says what is read", "name a `table`, or write a `query`"),
        _ => {}
    }
    if given("url") {
        let part = ["host", "port", "database", "user", "password"].into_iter().find(|part| given(part));
        if let Some(part) = part {
            let message = format!("`url` and `{part}` both say where to connect");
            disagree(key(part), &message, "leave one of them out");
        }
    } else {
        let missing = ["host", "database", "user"].into_iter().find(|part| !given(part));
        if let Some(part) = missing {
            let help = "write `url: \"${env:DATABASE_URL}\"`, or `host`, `database`, `user` and `password`";
            disagree(own, &format!("nothing says where to connect: there is no `url` and no `{part}`"), help);
        }
    }
    if given("tls/certificate") != given("tls/key") {
        let message = "a client proves itself with `certificate` and `key` together";
        disagree(key("tls"), message, "name both files, or none");
    }
    let pointer = format!("{source}/query");
    if let Some(query) = scope.text_at(&pointer)
        && !reads(query)
    {
        findings.push(Finding::not_a_query(scope.span(&pointer)));
    }
}

/// Whether a statement begins like one that only reads, behind comments and parentheses.
fn reads(query: &str) -> bool {
    let mut rest = query.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    loop {
        let after = match rest {
            text if text.starts_with("--") => text.split_once('\n').map_or("", |(_, after)| after),
            text if text.starts_with("/*") => text.split_once("*/").map_or("", |(_, after)| after),
            _ => break,
        };
        rest = after.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    }
    let word = rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    READS.iter().any(|known| word.eq_ignore_ascii_case(known))
}
