//! The control file: one JSON object on one line, in the order of keys that Simon documents.

use outflow_plugin_sdk::{Artifact, Target, Written};
use serde::Serialize;
use serde_json::Value;

use crate::options::{ControlExtension, Options, UrlStyle};

#[derive(Serialize)]
struct Control<'a> {
    delta: bool,
    file_count: u32,
    files: [DataFile<'a>; 1],
}

#[derive(Serialize)]
struct DataFile<'a> {
    bucket: &'a str,
    path: &'a str,
    file_type: &'a str,
    file: String,
    rows: u64,
    #[serde(rename = "flow_ID")]
    flow_id: &'a Value,
    flow_name: &'a str,
}

/// The control file of one data file, in the same folder.
pub fn file(options: &Options, target: &Target, data: &Written) -> Result<Artifact, String> {
    let control = Control {
        delta: true,
        file_count: 1,
        files: [DataFile {
            bucket: &target.container,
            path: &target.prefix,
            file_type: options.extension(),
            file: url(options.url_style, target, data),
            rows: data.facts.rows,
            flow_id: &options.flow.id,
            flow_name: &options.flow.name,
        }],
    };
    let (folder, name) = match data.name.path.rsplit_once('/') {
        Some((folder, name)) => (format!("{folder}/"), name),
        None => (String::new(), data.name.path.as_str()),
    };
    let base = name.rsplit_once('.').map_or(name, |(base, _)| base);
    let extension = match options.control_extension {
        ControlExtension::Json => "json",
        ControlExtension::Same => options.extension(),
    };
    Artifact::json(format!("{folder}control_{base}.{extension}"), &control)
}

/// URL of the data file; with `https` the bucket is the host, and the region is named when it is known.
fn url(style: UrlStyle, target: &Target, data: &Written) -> String {
    if style == UrlStyle::S3 {
        return data.url.clone();
    }
    let region = target.extras.iter().find(|(key, _)| key == "region");
    let host = match region {
        Some((_, region)) => format!("{}.s3.{region}.amazonaws.com", target.container),
        None => format!("{}.s3.amazonaws.com", target.container),
    };
    let prefix = if target.prefix.is_empty() { String::new() } else { format!("{}/", target.prefix) };
    format!("https://{host}/{}", percent_encoded(&format!("{prefix}{}", data.name.path)))
}

fn percent_encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    key.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
