//! Simon's vectors, the traps of Jinja2, and that simple templates need no template engine.

use jiff::tz::TimeZone;
use minijinja::Value;
use outflow_spec::transform::OnUndefined::{self, Empty, Error, Keep};

use super::template::Failure;
use super::*;

const ROW: [(&str, &str); 5] = [
    ("first_name", "John"),
    ("last_name", "Doe"),
    ("first name", "Jo hn"),
    ("blank", ""),
    ("sign_up_date", "2016-04-01 18:11:30"),
];

fn clock() -> Clock {
    Clock { at: "2017-03-14T17:54:13Z".parse().unwrap(), zone: TimeZone::UTC }
}

fn render(source: &str, on_undefined: OnUndefined) -> Result<String, Failure> {
    let template = Template::compile(source, on_undefined, &clock()).unwrap();
    let mut row: Vec<(&str, Value)> = ROW.iter().map(|(name, value)| (*name, Value::from(*value))).collect();
    row.push(("contact", Value::from_pairs(ROW)));
    template.render(Value::from_pairs(row))
}

/// The examples of Simon's documentation of custom contexts, as printed there.
#[test]
fn simon_10_vectors_of_the_documentation() {
    let vectors = [
        ("{{ contact.first_name }} {{ contact.last_name }}", "John Doe"),
        ("{{ contact.first_name|upper }}", "JOHN"),
        ("{{ contact.first_name|lower }}", "john"),
        (r#"{{ contact.empty_value | default("default value") }}"#, "default value"),
        (r#"{{ "a long text" | truncate(9, true) }}"#, "a long..."),
        (r#"{{ "hello" | capitalize }}"#, "Hello"),
        (r#"{{ "10"|int + "10"|int }}"#, "20"),
        ("{{ [3,2,5,1,4]|sort }}", "[1, 2, 3, 4, 5]"),
        ("{{ contact.sign_up_date|format_date }}", "Apr 1, 2016"),
        ("{{ sign_up_date|format_date(format='full', locale='fr_FR') }}", "vendredi 1 avril 2016"),
        ("{{ sign_up_date|format_datetime }}", "Apr 1, 2016, 6:11:30 PM"),
        ("{{ sign_up_date|format_time }}", "6:11:30 PM"),
        ("{{ 0.123456|format_decimal }}", "0.123"),
        ("{{ 0123456789|format_number }}", "123,456,789"),
    ];
    for (template, expected) in vectors {
        for on_undefined in [Empty, Keep, Error] {
            assert_eq!(render(template, on_undefined), Ok(expected.into()), "{template} {on_undefined:?}");
        }
    }
}

/// What stock Jinja2 2.10.1 prints, found by running it.
#[test]
fn the_rest_is_as_in_jinja2() {
    let vectors = [
        (r#"{{ "a"|int }} {{ "10.7"|int }} {{ " 12 "|int }} {{ "x"|float }} {{ "1e3"|float }}"#, "0 10 12 0.0 1000.0"),
        (
            "{{ 1.0 }} {{ true }} {{ none }} {{ 0.1 + 0.2 }} {{ 6/2 }} {{ 7//2 }}",
            "1.0 True None 0.30000000000000004 3.0 3",
        ),
        (r#"{{ ["a", "it's", none, 1.5, true] }} {{ {"a": 1} }}"#, r#"['a', "it's", None, 1.5, True] {'a': 1}"#),
        (r#"{{ "foo bar-baz (x" | title }} {{ "ÉCOLE"|capitalize }} {{ "ß"|upper }}"#, "Foo Bar-Baz (X École SS"),
        (
            r#"{{ "a long text here" | truncate(9) }} {{ "joël smith"|truncate(5, killwords=true, end="") }}"#,
            "a... joël ",
        ),
        (r#"{{ "hello"|center(11) }}|{{ "a b c"|wordcount }}|{{ "%s-%d"|format("a", 3) }}"#, "   hello   |3|a-3"),
        (r#"{{ 2.5|round }} {{ 3.14159|round(2) }} {{ 42.55|round(1, "floor") }}"#, "2.0 3.14 42.5"),
        (r#"{{ first_name.upper() }} {{ "a,b".split(",")[1] }} {{ contact["first name"] }}"#, "JOHN b Jo hn"),
        (
            "{% for x in [1, 2] %}{{ loop.index }}{{ x }}{% endfor %}{# no #}{% raw %}{{ x }}{% endraw %}\n",
            "1122{{ x }}",
        ),
        (
            "{{- first_name -}} x {% set a = 'b' %}{{ a }} {% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}",
            "Johnx b <1>",
        ),
        (r#"{{ "x y/z&é"|urlencode }} {{ blank|default("none") }} {{ "}}" }}"#, "x%20y/z%26%C3%A9 none }}"),
        ("{{ 1e16 }} {{ 0.0000001 }} {{ 10000000000000000000000 }}", "1e+16 1e-07 10000000000000000000000"),
        ("{{ now() }} {{ now()|format_datetime(zone='Asia/Tokyo') }}", "2017-03-14 17:54:13 Mar 15, 2017, 2:54:13 AM"),
        ("{{ '2016-07-01T00:30:00+02:00'|format_datetime('long') }}", "June 30, 2016, 10:30:00 PM UTC"),
        (
            "{{ sign_up_date|format_datetime('full', zone='Europe/Brussels') }}",
            "Friday, April 1, 2016, 8:11:30 PM GMT+02:00",
        ),
        ("{{ '2016-04-01'|format_date('short', locale='nl-BE', zone='America/New_York') }}", "1/04/2016"),
        ("{{ 1459534290|format_time(locale='de') }} {{ blank|format_date }}", "18:11:30 "),
        (
            "{{ '-1234567.8905'|format_decimal(locale='de') }} {{ '1e3'|format_number }} {{ '-0.0004'|format_decimal }}",
            "-1.234.567,89 1,000 0",
        ),
        ("{{ '12345678901234567890.5'|format_number(locale='hi') }}", "1,23,45,67,89,01,23,45,67,890.5"),
        ("{{ 1099.98|format_currency }} {{ 1099.98|format_currency('EUR', locale='fr_FR') }}", "$1,099.98 1 099,98 €"),
        (
            "{{ -5|format_currency('EUR', locale='nl') }} {{ 5|format_currency('CHF') }} {{ 2.5|format_currency('JPY', locale='ja') }}",
            "€ -5,00 CHF 5.00 ￥2",
        ),
        (
            "{{ '0.995'|format_currency('KWD') }} {{ 9.995|format_currency('USD', locale='es_MX') }}",
            "KWD 0.995 USD 10.00",
        ),
    ];
    for (template, expected) in vectors {
        assert_eq!(render(template, Empty), Ok(expected.into()), "{template}");
        assert_eq!(render(template, Keep), Ok(expected.into()), "{template}");
    }
}

#[test]
fn undefined_names() {
    let cases = [
        ("a {{ zork }} b", Empty, Ok("a  b")),
        ("a {{ zork }} b", Keep, Ok("a {{ zork }} b")),
        ("{{ zork|upper }}{{ contact.zork }}{{ zork|default('d') }}", Keep, Ok("{{ zork|upper }}{{ contact.zork }}d")),
        ("{% for x in [1] %}{{ x }}{{- zork -}}{{ loop.index }}{% endfor %}", Keep, Ok("1{{- zork -}}1")),
        ("{% if zork %}a{% else %}b{% endif %}", Error, Ok("b")),
        ("{{ zork|upper }}", Error, Err("undefined")),
        ("{{ zork|format_date }}", Error, Err("undefined")),
        ("{{ zork|format_date }}", Empty, Ok("")),
    ];
    for (template, on_undefined, expected) in cases {
        match (render(template, on_undefined), expected) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected, "{template}"),
            (Err(Failure::Undefined(message)), Err(part)) => assert!(message.contains(part), "{message}"),
            (other, _) => panic!("{template}: {other:?}"),
        }
    }
}

#[test]
fn failures_of_a_row() {
    let cases = [
        ("{{ first_name + 1 }}", "unsupported types string and number"),
        ("{{ first_name|format_date }}", "`John` is not a date"),
        ("{{ first_name|format_number }}", "`John` is not a number"),
        ("{{ '1e99999'|format_number }}", "`1e99999` is not a number"),
        ("{{ sign_up_date|format_date('tiny') }}", "`tiny` is not a date format"),
        ("{{ sign_up_date|format_date(locale='tlh') }}", "`tlh` is not a known locale"),
        ("{{ sign_up_date|format_time(zone='Moon') }}", "`Moon` is not a time zone"),
        ("{{ 1|format_currency('euro') }}", "`euro` is not a currency code"),
        ("{{ 'abc'|truncate(2) is none }}", "no room for its end"),
        ("{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}", "too many steps"),
    ];
    for (template, expected) in cases {
        match render(template, Empty) {
            Err(Failure::Render(message)) => assert!(message.contains(expected), "{template}: {message}"),
            other => panic!("{template}: {other:?}"),
        }
    }
}

#[test]
fn errors_of_a_template_say_where() {
    let cases = [
        ("a\n {{ first_name|nope }}", "unknown filter `nope` at line 2, column 16"),
        ("{{ nope(1) }}", "unknown function `nope` at line 1, column 4"),
        ("{{ first_name is nope }}", "unknown test `nope` at line 1, column 18"),
        ("é {{ first_name }", "at line 1, column "),
        ("{% if x %}", "at line 1"),
        ("{{ debug() }}", "unknown function `debug`"),
    ];
    for (template, expected) in cases {
        let error = Template::compile(template, Empty, &clock()).unwrap_err();
        assert!(error.contains(expected), "{template}: {error}");
    }
}

#[test]
fn names_that_a_template_reads() {
    let cases: [(&str, Option<&[&str]>); 5] = [
        ("{{ a|upper }}{{ contact.b.c }}{{ now() }}", Some(&["a", "b"])),
        ("{{ contact['c d'] }}{% set e = f %}{{ e }}", Some(&["c d", "f"])),
        ("{{ contact|length }}", None),
        ("{{ contact[a] }}", None),
        ("text", Some(&[])),
    ];
    for (template, expected) in cases {
        let names = Template::compile(template, Keep, &clock()).unwrap().names;
        let names = names.as_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(names.as_deref(), expected, "{template}");
    }
}

#[test]
fn only_text_columns_and_defaults_are_simple() {
    let cases = [
        ("{{ first_name }} {{contact.last_name|default('x')}}{# c #}\n", true),
        ("{{ contact['a b'] }} {{ 'text' }}{{ 12 }}", true),
        ("", true),
        ("{{ now }}{{ first_name|d(\"\") }}", true),
        ("{{ first_name|upper }}", false),
        ("{{- first_name }}", false),
        ("{{ first_name|default(last_name) }}", false),
        ("{{ true }}", false),
        ("{{ 012 }}", false),
        ("{{ contact }}", false),
        ("{% if a %}{% endif %}", false),
        (r"{{ 'a\n' }}", false),
    ];
    for (template, expected) in cases {
        let column = ContextColumn { name: "x".into(), template: template.into(), on_undefined: Empty };
        let pieces = pieces::pieces(&segments::segments(&column.template), |_| false);
        assert_eq!(pieces.is_some(), expected, "{template}");
    }
}

#[test]
fn every_embedded_locale_is_complete() {
    for name in ["en", "fr_CA", "nl-BE", "zh_TW", "zh-Hans-CN", "pt_BR", "sr-Latn", "de-XX", "th"] {
        let locale = cldr::Locale::named(name).unwrap();
        let moment = dates::moment("2016-04-01", &TimeZone::UTC, None).unwrap();
        for length in ["full", "long", "medium", "short"] {
            let length = cldr::Length::named(length).unwrap();
            assert!(dates::format(&moment, dates::Shown::DateAndTime, length, &locale).contains("16"), "{name}");
        }
    }
}
