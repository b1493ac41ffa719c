//! The job of W1 on inputs of other shapes: the address is hashed, all other columns are kept, and two are added, one of them from
//! the second and third column. How many columns there are is read from the header.

use std::fs::File;
use std::io::Write;

use crate::Job;
use crate::chunks::Chunks;
use crate::digest::Identifier;
use crate::events::csv_label;
use crate::ordered::Ordered;
use crate::record::Ends;
use crate::text::Text;

const EMAIL: usize = 0;
const KIND: usize = 1;
const VARIANT: usize = 2;

pub fn to_csv(job: &Job) {
    let header = Chunks::header(&job.input);
    let columns = header.split(',').count();
    let mut file = File::create(&job.output).unwrap();
    writeln!(file, "{header},brand,label").unwrap();
    let (chunks, file) = (Chunks::csv_body(&job.input), Ordered::new(file));
    job.on_threads(|| {
        let (mut buffer, mut ends) = (Vec::new(), Ends::default());
        let (mut out, mut identifier) = (Text::new(), Identifier::new());
        while let Some(chunk) = chunks.next(&mut buffer) {
            ends.find(&buffer, chunk.len, b',');
            out.0.clear();
            for record in ends.records(&buffer, columns) {
                out.room(2 * record.len() + 1024);
                let address = record.field(EMAIL);
                // What follows the address is copied at once, separators and all.
                let rest = &buffer[record.end() - (record.len() - address.len())..record.end()];
                // Room for the record twice was made, and the buffer is padded.
                unsafe {
                    out.copy(identifier.of(address));
                    out.copy(rest);
                    out.add(b",acme,");
                    let variant = record.field(VARIANT);
                    csv_label([record.field(KIND), if variant.is_empty() { b"none" } else { variant }], &mut out);
                    out.byte(b'\n');
                }
            }
            file.write(chunk.number, |file| file.write_all(&out.0).unwrap());
        }
    });
}
