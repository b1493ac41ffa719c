//! A layout that never gets as far as being asked anything: it loops before its first function, where a C++ or Python
//! guest sets itself up.

use outflow_plugin_sdk::{Dataset, Diagnostic, FileIntent, FileName, Layout, Output, Run};

/// The layout.
pub struct Evil;

/// No options.
#[derive(serde::Deserialize)]
pub struct Options {}

impl Layout for Evil {
    const MANIFEST: &'static str =
        r#"{"name": "evil-start", "version": "0.1.0", "summary": "loops", "config_schema": {}, "requires": []}"#;
    type Options = Options;

    fn open(_options: Options, _run: Run) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self)
    }

    fn outputs(&self, _inputs: &[Dataset]) -> Result<Vec<Output>, Vec<Diagnostic>> {
        Ok(Vec::new())
    }

    fn name_file(&self, _file: &FileIntent) -> Result<FileName, String> {
        Err("no name".to_string())
    }
}

// Run by the instantiation itself. Natively it would hang whoever links this.
#[cfg(target_arch = "wasm32")]
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE: extern "C" fn() = {
    extern "C" fn spin() {
        let mut count = 0_u64;
        loop {
            count = std::hint::black_box(count + 1);
        }
    }
    spin
};

outflow_plugin_sdk::export_layout!(Evil);
