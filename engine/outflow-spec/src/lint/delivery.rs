//! OF701, OF702, and OF118 for options of `delivery`: what a layout's readers expect, and what excludes one another.

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::options_agree::names_facts;
use crate::lint::outputs::{LAYOUT, outputs};
use crate::node::join;

/// What vendors say of their layouts: whether anything may lie beside the files, and whether a day without rows has a
/// file.
const VENDORS: [(&str, bool, bool); 3] = [("actito", true, true), ("sailthru", false, false), ("simon", true, false)];

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let layout =
        scope.value.get("layout").and_then(|layout| layout.as_object()).and_then(|layout| layout.keys().next());
    let vendor = VENDORS.into_iter().find(|(name, ..)| layout.is_some_and(|layout| layout == name));
    if let Some((name, companions, empty_file)) = vendor {
        if !companions && scope.text_at("/delivery/checksums").is_some() {
            let span = scope.key_span("/delivery/checksums");
            findings.push(Finding::companions_forbidden(span, name, "checksums"));
        }
        let span = scope.span("/delivery/on_empty");
        match (scope.text_at("/delivery/on_empty"), empty_file) {
            (Some("skip"), true) => {
                findings.push(Finding::empty_policy(
                    span,
                    name,
                    "delivers a file with its header, which readers wait for",
                ));
            }
            (Some("header_only"), false) => findings.push(Finding::empty_policy(span, name, "delivers no file")),
            _ => {}
        }
    }
    if scope.value.pointer("/delivery/encrypt/pgp").is_some() {
        check_encryption(scope, findings);
    }
}

fn check_encryption(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let at = "/delivery/encrypt/pgp";
    let armor = scope.value.pointer(&format!("{at}/armor")).is_some_and(|armor| armor == true);
    if scope.text_at(&format!("{at}/extension")) == Some("asc") && !armor {
        let span = scope.span(&format!("{at}/extension"));
        findings.push(Finding::options_disagree(
            span,
            "`.asc` is the name of armored files",
            "write `armor: true` too",
        ));
    }
    let metadata = scope.value.pointer(&format!("{LAYOUT}/metadata")).and_then(|metadata| metadata.as_object());
    let names = metadata.into_iter().flat_map(|metadata| metadata.keys());
    let mut named = names.map(|name| join(&format!("{LAYOUT}/metadata"), name)).collect::<Vec<_>>();
    named.extend(outputs(scope).iter().map(|output| output.at(scope, "path")));
    named.dedup();
    for pointer in named.iter().filter(|pointer| names_facts(scope, pointer)) {
        let message = "the name would tell of the file before it is encrypted";
        let help = "leave `rows`, `bytes` and `sha256` out of names; companions tell those of the encrypted file";
        findings.push(Finding::options_disagree(scope.span(pointer), message, help));
    }
}
