//! Memory for encoded batches. It comes back when a batch is written, so that it is cleared and asked of the system once;
//! there is as much of it as there were batches on their way at one time.

use std::sync::{Arc, Mutex};

use outflow_formats::encode::Page;

use crate::lane::lock;

/// Larger pages are for few batches, and are not kept.
const LARGEST: usize = 4 << 20;

/// Pages that nobody needs now.
#[derive(Default)]
pub(super) struct Pages(Mutex<Vec<Page>>);

/// A page that comes back.
pub(super) struct Lent {
    /// The page, empty at first.
    pub(super) page: Page,
    home: Arc<Pages>,
}

impl Pages {
    /// Lends a page.
    pub(super) fn lend(self: &Arc<Self>) -> Lent {
        Lent { page: lock(&self.0).pop().unwrap_or_default(), home: self.clone() }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut page = std::mem::take(&mut self.page);
        if page.size() <= LARGEST {
            page.clear();
            lock(&self.home.0).push(page);
        }
    }
}
