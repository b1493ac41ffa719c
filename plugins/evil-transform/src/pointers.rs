//! Attacks on what lies under the packed buffers: buffers that share their memory, and addresses and lengths that lie.
//! Nothing is freed once one began, so that it is the host that meets them and not the guest's own allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use outflow_plugin_sdk::Step;
use outflow_plugin_sdk::columns::{Array, Values, Varlen};

static KEEPS: AtomicBool = AtomicBool::new(false);

struct Keeping;

// SAFETY: all is the system's allocator, which allows that memory is never given back.
unsafe impl GlobalAlloc for Keeping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if !KEEPS.load(Ordering::Relaxed) {
            unsafe { System.dealloc(memory, layout) }
        }
    }
}

#[global_allocator]
static ALLOCATOR: Keeping = Keeping;

/// A list that says it is there, whatever is there.
fn forged<T>(address: usize, length: usize) -> Vec<T> {
    KEEPS.store(true, Ordering::Relaxed);
    // SAFETY: none; that is the attack. The sandbox is what bears it.
    unsafe { Vec::from_raw_parts(std::hint::black_box(address) as *mut T, length, length) }
}

/// Memory that stays, and its address.
fn kept(bytes: Vec<u8>) -> usize {
    bytes.leak().as_ptr() as usize
}

/// Bends the only column of an answer; other attacks leave it as it is.
pub fn bend(attack: &str, step: &mut Step, rows: usize) {
    let text = |offsets: Vec<i32>, bytes: Vec<u8>| Values::Utf8(Varlen { offsets, bytes });
    let offsets = || [0].into_iter().chain(std::iter::repeat_n(1, rows)).collect::<Vec<i32>>();
    let column = &mut step.batch.columns[0];
    match attack {
        // The letter's low bits say of three rows that they are not null.
        "alias" => {
            let shared = kept(b"g".to_vec());
            column.validity = Some(forged(shared, 1));
            column.values = text(offsets(), forged(shared, 1));
        }
        "alias_own" => {
            let shared = kept(vec![0; 4 * (rows + 1)]);
            column.values = text(forged(shared, rows + 1), forged(shared, 4 * (rows + 1)));
        }
        "alias_many" => {
            let shared = kept(vec![b'x'; 1 << 20]);
            let one = || Array { len: rows as u32, validity: None, values: text(offsets(), forged(shared, 1 << 20)) };
            step.batch.columns = (0..1000).map(|_| one()).collect();
        }
        "length_beyond" => column.values = text(offsets(), forged(kept(vec![b'x']), 200 << 20)),
        "length_giant" => column.values = text(offsets(), forged(kept(vec![b'x']), 1 << 30)),
        "address_beyond" => column.values = text(offsets(), forged(0xffff_f000, 64)),
        "address_odd" => column.values = text(forged(kept(vec![0; 64]) | 1, rows + 1), Vec::new()),
        _ => {}
    }
}
